package risk

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// packageTable holds the packages of an engine without a store, by asset, scope and key.
type packageTable map[string]map[findingKey]triad.Package

func (t packageTable) read(_ context.Context, asset string, fn func(triad.Package) error) error {
	list := make([]triad.Package, 0, len(t[asset]))
	for _, p := range t[asset] {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b triad.Package) int { return strings.Compare(a.Key(), b.Key()) })
	for _, p := range list {
		if err := fn(p); err != nil {
			return err
		}
	}
	return nil
}

func (t packageTable) named(_ context.Context, name string, fn func(triad.Package) error) error {
	for _, packages := range t {
		for _, p := range packages {
			if triad.LookupName(p.Name) == name || triad.LookupName(p.Source) == name {
				if err := fn(p); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// step gathers what a batch of changes touches.
type step struct {
	causes   []cause
	roots    map[string][]int
	packages map[string][]int // assets whose packages changed
	unread   []triad.Unread
	advice   int // one more than the cause that is a change of the advisories; zero for none
}

func newStep() *step { return &step{roots: map[string][]int{}, packages: map[string][]int{}} }

// Apply takes in changes of the log, in order, and returns the decisions that changed.
func (e *Engine) Apply(ctx context.Context, changes []triad.Change) (*Update, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	start := time.Now()
	s := newStep()
	for _, c := range changes {
		if err := e.take(s, c); err != nil {
			return nil, err
		}
	}
	return e.finish(ctx, s, start)
}

// finish matches packages again where they changed, recomputes and returns the differences.
func (e *Engine) finish(ctx context.Context, s *step, start time.Time) (*Update, error) {
	if err := e.rematch(ctx, s); err != nil {
		return nil, err
	}
	e.tellAffected(s)
	d := e.differences(s.causes)
	u := e.settle(s.roots, d.replace)
	d.finish(u)
	u.Unread = s.unread
	u.Took = time.Since(start)
	return u, nil
}

// take puts one change into the estate and marks what it touches.
func (e *Engine) take(s *step, c triad.Change) error {
	e.position = max(e.position, c.Seq)
	if c.Kind == triad.RowDecision {
		return nil
	}
	n := len(s.causes)
	s.causes = append(s.causes, causeOf(c))
	switch c.Kind {
	case triad.RowPackage:
		return e.takePackage(s, c, n)
	case triad.RowFinding:
		return e.takeFinding(s, c, n)
	}
	var keys []string
	if c.After == nil {
		keys = e.estate.Remove(c.Scope, c.Kind, c.Key)
	} else {
		var err error
		if keys, err = e.estate.Put(c.Scope, c.Kind, c.Key, c.After); err != nil {
			return err
		}
	}
	e.graph.Touch(keys, n)
	if c.Kind == triad.RowAsset {
		for _, r := range e.estate.Rows(c.Key) {
			if r.Asset != nil && r.Asset.ID == c.Key && candidate(r.Asset) {
				s.roots[c.Key] = append(s.roots[c.Key], n)
				break
			}
		}
	}
	return nil
}

func (e *Engine) takePackage(s *step, c triad.Change, n int) error {
	asset, _, ok := strings.Cut(c.Key, "|")
	if !ok {
		return nil
	}
	s.packages[asset] = append(s.packages[asset], n)
	if e.table == nil {
		return nil
	}
	k := findingKey{c.Scope, c.Key}
	if c.After == nil {
		if delete(e.table[asset], k); len(e.table[asset]) == 0 {
			delete(e.table, asset)
		}
		return nil
	}
	var p triad.Package
	if err := json.Unmarshal(c.After, &p); err != nil {
		return fmt.Errorf("decoding package %s of %s: %w", c.Key, c.Scope, err)
	}
	if e.table[asset] == nil {
		e.table[asset] = map[findingKey]triad.Package{}
	}
	e.table[asset][k] = p
	return nil
}

func (e *Engine) takeFinding(s *step, c triad.Change, n int) error {
	doc := c.After
	if doc == nil {
		doc = c.Before
	}
	var f triad.Finding
	if err := json.Unmarshal(doc, &f); err != nil {
		return fmt.Errorf("decoding finding %s of %s: %w", c.Key, c.Scope, err)
	}
	e.putFinding(c.Scope, f, c.After == nil)
	e.graph.Touch([]string{findingsKey(f.Asset)}, n)
	s.roots[f.Asset] = append(s.roots[f.Asset], n)
	return nil
}

func (e *Engine) putFinding(scope string, f triad.Finding, remove bool) {
	k := findingKey{scope, f.Key()}
	if remove {
		if delete(e.findings[f.Asset], k); len(e.findings[f.Asset]) == 0 {
			delete(e.findings, f.Asset)
		}
		return
	}
	if e.findings[f.Asset] == nil {
		e.findings[f.Asset] = map[findingKey]triad.Finding{}
	}
	e.findings[f.Asset][k] = f
}

// keysOf returns the keys that a change of the log touched, without applying it.
func (e *Engine) keysOf(c triad.Change) []string {
	var keys []string
	for _, doc := range []json.RawMessage{c.Before, c.After} {
		if doc == nil {
			continue
		}
		switch c.Kind {
		case triad.RowFinding:
			var f triad.Finding
			if json.Unmarshal(doc, &f) == nil {
				keys = append(keys, findingsKey(f.Asset))
			}
		case triad.RowPackage:
			asset, _, _ := strings.Cut(c.Key, "|")
			keys = append(keys, packagesKey(asset))
		default:
			scratch := reach.NewEstate(append(slices.Clone(e.options.Indexes), Index)...)
			if more, err := scratch.Put(c.Scope, c.Kind, c.Key, doc); err == nil {
				keys = append(keys, more...)
			}
		}
	}
	return keys
}
