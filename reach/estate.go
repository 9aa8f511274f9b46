package reach

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/triad-security/triad"
)

// Row is one asset or relation as one scope sees it, with its document decoded once.
// Rows are immutable: a change replaces the Row.
type Row struct {
	Scope    string
	Asset    *triad.Asset    // nil on a relation row
	Relation *triad.Relation // nil on an asset row
	// Decoded is what an adapter's Index made of Asset.Doc or Props; nil when none did.
	Decoded any
	// Err says why the document could not be decoded; such a row makes verdicts unknown.
	Err  error
	keys []string
}

// Index decodes the documents that it knows and names the keys under which their rows are
// looked up, beyond ID and aliases. It returns nil, nil, nil for what it does not know.
// Keys of an adapter begin with its name: "aws/eni-by-ip/vpc-1/10.0.0.4".
type Index func(scope string, a *triad.Asset) (decoded any, keys []string, err error)

// View reads an estate. A recording View notes every key and section read, present or not,
// so that a computation can be repeated when, and only when, one of them changes.
type View interface {
	// Rows returns the rows under a key, ordered by scope and ID: an asset's ID or alias, an
	// adapter's key, or for relations RelationsFrom and RelationsTo.
	Rows(key string) []*Row
	// Section returns the state of a scope's section; the zero Section when the scope or the
	// section was never reported.
	Section(scope, name string) triad.Section
}

// RelationsFrom is the key of the relations of a type that leave an asset.
func RelationsFrom(id string, t triad.RelationType) string { return "from|" + string(t) + "|" + id }

// RelationsTo is the key of the relations of a type that arrive at an asset.
func RelationsTo(id string, t triad.RelationType) string { return "to|" + string(t) + "|" + id }

// SectionKey is the key under which a section's state is recorded as read.
func SectionKey(scope, name string) string { return "section|" + scope + "|" + name }

// TypeKey is the key of all assets of a type.
func TypeKey(t triad.AssetType) string { return typePrefix + string(t) }

// Estate is the indexed rows of one tenant in memory. It is not safe for concurrent
// writing; reading while nobody writes is.
type Estate struct {
	indexes  []Index
	rows     map[rowKey]*Row
	byKey    map[string][]*Row
	byType   map[string]*lot // by TypeKey
	sorting  sync.Mutex      // of lots, by readers
	sections map[sectionID]triad.Section
}

type sectionID struct{ scope, name string }

// lot is the many rows of a type, put in order only when somebody asks for all of them: to
// keep them in order would cost each change the size of the estate.
type lot struct {
	rows   map[*Row]struct{}
	sorted []*Row // nil when a row came or went
}

const typePrefix = "type|"

func isType(key string) bool { return strings.HasPrefix(key, typePrefix) }

type rowKey struct {
	scope string
	kind  triad.RowKind
	key   string
}

// NewEstate returns an empty estate with the adapters' indexes.
func NewEstate(indexes ...Index) *Estate {
	return &Estate{
		indexes:  indexes,
		rows:     map[rowKey]*Row{},
		byKey:    map[string][]*Row{},
		byType:   map[string]*lot{},
		sections: map[sectionID]triad.Section{},
	}
}

// Put adds or replaces an asset, relation or section row from its JSON and returns the keys
// that the change touches. Rows of other kinds touch nothing.
func (e *Estate) Put(scope string, kind triad.RowKind, key string, doc json.RawMessage) ([]string, error) {
	switch kind {
	case triad.RowAsset:
		a := new(triad.Asset)
		if err := json.Unmarshal(doc, a); err != nil {
			return nil, fmt.Errorf("decoding asset %s of %s: %w", key, scope, err)
		}
		return e.PutAsset(scope, a), nil
	case triad.RowRelation:
		r := new(triad.Relation)
		if err := json.Unmarshal(doc, r); err != nil {
			return nil, fmt.Errorf("decoding relation %s of %s: %w", key, scope, err)
		}
		return e.PutRelation(scope, r), nil
	case triad.RowSection:
		var s triad.Section
		if err := json.Unmarshal(doc, &s); err != nil {
			return nil, fmt.Errorf("decoding section %s of %s: %w", key, scope, err)
		}
		return e.PutSection(scope, s), nil
	}
	return nil, nil
}

// PutAsset adds or replaces an asset of a scope and returns the keys touched.
func (e *Estate) PutAsset(scope string, a *triad.Asset) []string {
	r := &Row{Scope: scope, Asset: a}
	keys := append([]string{a.ID, TypeKey(a.Type)}, a.Aliases...)
	for _, index := range e.indexes {
		decoded, more, err := index(scope, a)
		if decoded != nil {
			r.Decoded = decoded
		}
		if err != nil {
			r.Err = err
		}
		keys = append(keys, more...)
	}
	r.keys = keys
	return e.put(rowKey{scope, triad.RowAsset, a.ID}, r)
}

// PutRelation adds or replaces a relation of a scope and returns the keys touched.
func (e *Estate) PutRelation(scope string, rel *triad.Relation) []string {
	r := &Row{Scope: scope, Relation: rel, keys: []string{RelationsFrom(rel.From, rel.Type), RelationsTo(rel.To, rel.Type)}}
	return e.put(rowKey{scope, triad.RowRelation, rel.Key()}, r)
}

// PutSection records a section's state and returns the keys touched.
func (e *Estate) PutSection(scope string, s triad.Section) []string {
	k := sectionID{scope, s.Name}
	if e.sections[k] == s {
		return nil
	}
	e.sections[k] = s
	return []string{SectionKey(scope, s.Name)}
}

// Remove removes a row and returns the keys touched.
func (e *Estate) Remove(scope string, kind triad.RowKind, key string) []string {
	if kind == triad.RowSection {
		delete(e.sections, sectionID{scope, key})
		return []string{SectionKey(scope, key)}
	}
	rk := rowKey{scope, kind, key}
	old := e.rows[rk]
	if old == nil {
		return nil
	}
	delete(e.rows, rk)
	e.unlink(old)
	return old.keys
}

// PutReport puts all rows of a full report at once; for commands that need no store.
func (e *Estate) PutReport(r *triad.Report) {
	for _, s := range r.Sections {
		e.PutSection(r.Scope, s)
	}
	for i := range r.Assets {
		e.PutAsset(r.Scope, &r.Assets[i])
	}
	for i := range r.Relations {
		e.PutRelation(r.Scope, &r.Relations[i])
	}
}

func (e *Estate) put(rk rowKey, r *Row) []string {
	touched := r.keys
	if old := e.rows[rk]; old != nil {
		e.unlink(old)
		touched = append(slices.Clone(old.keys), r.keys...)
	}
	slices.Sort(r.keys)
	r.keys = slices.Compact(r.keys)
	e.rows[rk] = r
	for _, k := range r.keys {
		if isType(k) {
			if e.byType[k] == nil {
				e.byType[k] = &lot{rows: map[*Row]struct{}{}}
			}
			e.byType[k].rows[r], e.byType[k].sorted = struct{}{}, nil
			continue
		}
		rows := e.byKey[k]
		i, _ := slices.BinarySearchFunc(rows, r, compareRows)
		e.byKey[k] = slices.Insert(rows, i, r)
	}
	return touched
}

func (e *Estate) unlink(r *Row) {
	for _, k := range r.keys {
		if isType(k) {
			delete(e.byType[k].rows, r)
			e.byType[k].sorted = nil
			continue
		}
		rows := e.byKey[k]
		i := slices.Index(rows, r)
		if i < 0 {
			continue
		}
		// Copy: a computation may still hold the old slice.
		if rows = slices.Concat(rows[:i], rows[i+1:]); len(rows) == 0 {
			delete(e.byKey, k)
		} else {
			e.byKey[k] = rows
		}
	}
}

func compareRows(a, b *Row) int {
	if c := compareStrings(a.Scope, b.Scope); c != 0 {
		return c
	}
	return compareStrings(a.id(), b.id())
}

func compareStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (r *Row) id() string {
	if r.Asset != nil {
		return r.Asset.ID
	}
	return r.Relation.Key()
}

// Rows implements View without recording.
func (e *Estate) Rows(key string) []*Row {
	if !isType(key) {
		return e.byKey[key]
	}
	l := e.byType[key]
	if l == nil {
		return nil
	}
	e.sorting.Lock()
	defer e.sorting.Unlock()
	if l.sorted == nil && len(l.rows) > 0 {
		l.sorted = slices.SortedFunc(maps.Keys(l.rows), compareRows)
	}
	return l.sorted
}

// Section implements View without recording.
func (e *Estate) Section(scope, name string) triad.Section {
	return e.sections[sectionID{scope, name}]
}

// Len is the number of rows.
func (e *Estate) Len() int { return len(e.rows) }

// Recorder is a View that notes the keys read from another.
type Recorder struct {
	View
	Read map[string]struct{}
}

// NewRecorder returns a Recorder that has read nothing.
func NewRecorder(v View) *Recorder { return &Recorder{View: v, Read: map[string]struct{}{}} }

// Rows implements View.
func (r *Recorder) Rows(key string) []*Row {
	r.Read[key] = struct{}{}
	return r.View.Rows(key)
}

// Section implements View.
func (r *Recorder) Section(scope, name string) triad.Section {
	r.Read[SectionKey(scope, name)] = struct{}{}
	return r.View.Section(scope, name)
}

// Keys returns what was read, sorted.
func (r *Recorder) Keys() []string { return slices.Sorted(maps.Keys(r.Read)) }
