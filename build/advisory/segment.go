package advisory

import (
	"crypto/sha256"
	"io"
	"maps"
	"slices"
	"strings"
)

// An OSV segment holds the records of one import folder. Its values are records, lists of
// versions (each distinct list once), and under each key (family, package name) the postings:
// for every ecosystem in which the package is named, the records that do so with their ranges.

// osvWriter builds an OSV segment from records in any order.
type osvWriter struct {
	t        *tableWriter
	packages map[string]*[]group
	lists    map[[sha256.Size]byte]pointer
	seen     map[string]seenRecord
	replaced map[uint64]bool            // offsets of records that a newer copy replaced
	families map[string]map[string]bool // releases by family
	hints    map[string]Hint

	records, withdrawn int
	newest             int64 // unix microseconds
}

type group struct {
	ecosystem string
	postings  []byte // strings, one a posting
}

type seenRecord struct {
	modified int64
	offset   uint64
}

func newOSVWriter(w io.Writer) *osvWriter {
	return &osvWriter{
		t: newTableWriter(w), packages: map[string]*[]group{}, lists: map[[sha256.Size]byte]pointer{},
		seen: map[string]seenRecord{}, replaced: map[uint64]bool{}, families: map[string]map[string]bool{}, hints: map[string]Hint{},
	}
}

// add takes one record. It returns false for a record whose id came before with a date no older.
func (o *osvWriter) add(r *Record, affected []Affected) (bool, error) {
	modified := r.Modified.UnixMicro()
	before, again := o.seen[r.ID]
	if again && before.modified >= modified {
		return false, nil
	}
	var w writer
	w.record(r)
	at, err := o.t.value(w.b)
	if err != nil {
		return false, err
	}
	if again {
		o.replaced[before.offset] = true
	} else {
		o.records++
		if r.Withdrawn {
			o.withdrawn++
		}
	}
	o.seen[r.ID] = seenRecord{modified, at.offset}
	o.newest = max(o.newest, modified)
	o.hint(r, affected)
	for i := range affected {
		if err := o.posting(at, &affected[i]); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (o *osvWriter) posting(record pointer, a *Affected) error {
	var w writer
	w.pointer(record)
	w.ranges(a.Ranges)
	list, err := o.list(a.Versions)
	if err != nil {
		return err
	}
	w.pointer(list)
	w.severities(a.Severity)
	w.string(a.Word)
	w.ranges(a.Custom)
	var imports writer
	imports.imports(a.Imports)
	w.string(string(imports.b))

	family := Family(a.Ecosystem)
	if o.families[family] == nil {
		o.families[family] = map[string]bool{}
	}
	o.families[family][Release(a.Ecosystem)] = true
	k := key(family, a.Name)
	groups := o.packages[k]
	if groups == nil {
		groups = new([]group)
		o.packages[k] = groups
	}
	i := slices.IndexFunc(*groups, func(g group) bool { return g.ecosystem == a.Ecosystem })
	if i < 0 {
		i = len(*groups)
		*groups = append(*groups, group{ecosystem: strings.Clone(a.Ecosystem)})
	}
	out := writer{(*groups)[i].postings}
	out.uint(uint64(len(w.b)))
	(*groups)[i].postings = append(out.b, w.b...)
	return nil
}

// list stores a list of versions once and says where; the zero pointer is no list.
func (o *osvWriter) list(versions []string) (pointer, error) {
	if len(versions) == 0 {
		return pointer{}, nil
	}
	var w writer
	w.strings(versions)
	sum := sha256.Sum256(w.b)
	p, ok := o.lists[sum]
	if ok {
		return p, nil
	}
	p, err := o.t.value(w.b)
	o.lists[sum] = p
	return p, err
}

// hint keeps what a record that speaks of exactly one CVE says of it, for records of the
// same CVE that say less.
func (o *osvWriter) hint(r *Record, affected []Affected) {
	cves := r.CVEs()
	if len(cves) != 1 || r.Withdrawn {
		return
	}
	h := o.hints[cves[0]]
	for _, s := range r.Severity {
		h.take(s.Score, r.ID)
	}
	for i := range affected {
		for _, s := range affected[i].Severity {
			h.take(s.Score, r.ID)
		}
	}
	for _, url := range r.Exploits {
		h.exploit(url)
	}
	if h.Vector != "" || len(h.Exploits) > 0 {
		o.hints[cves[0]] = h
	}
}

func (o *osvWriter) close() error {
	for _, k := range slices.Sorted(maps.Keys(o.packages)) {
		groups := *o.packages[k]
		var w writer
		w.string(k)
		w.uint(uint64(len(groups)))
		for _, g := range groups {
			w.string(g.ecosystem)
			w.string(string(o.kept(g.postings)))
		}
		if err := o.t.put(k, w.b); err != nil {
			return err
		}
		delete(o.packages, k)
	}
	return o.t.close()
}

// kept is the postings without those of replaced records.
func (o *osvWriter) kept(postings []byte) []byte {
	if len(o.replaced) == 0 {
		return postings
	}
	var out writer
	for r := (reader{s: string(postings)}); r.s != "" && !r.bad; {
		one := r.string()
		record := (&reader{s: one}).pointer()
		if !o.replaced[record.offset] {
			out.string(one)
		}
	}
	return out.b
}

// CVEs are the CVE ids that the record itself goes by: its id, its aliases, or what stands
// upstream of it, once each. Distributions' ids such as DEBIAN-CVE-2024-1234 count as the CVE in them.
func (r *Record) CVEs() []string {
	var out []string
	add := func(id string) {
		if i := strings.Index(id, "CVE-"); i > 0 && id[i-1] == '-' {
			id = id[i:]
		}
		if IsCVE(id) && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	add(r.ID)
	for _, id := range r.Aliases {
		add(id)
	}
	for _, id := range r.Upstream {
		add(id)
	}
	return out
}

// Hint is what OSV records of any ecosystem say of a CVE.
type Hint struct {
	Vector   string // CVSS
	Source   string // id of the record that has the vector
	Exploits []string
}

func (h *Hint) take(vector, source string) {
	c, ok := ParseCVSS(vector)
	if !ok {
		return
	}
	old, has := ParseCVSS(h.Vector)
	if !has || c.Better(old) || c.Vector == old.Vector && source < h.Source {
		h.Vector, h.Source = c.Vector, source
	}
}

// exploit adds a URL; the first few in order of the alphabet are kept, whichever came first.
func (h *Hint) exploit(url string) {
	i, found := slices.BinarySearch(h.Exploits, url)
	if found {
		return
	}
	h.Exploits = slices.Insert(slices.Clone(h.Exploits), i, url)
	h.Exploits = h.Exploits[:min(maxExploits, len(h.Exploits))]
}

func (h *Hint) merge(other Hint) {
	if other.Vector != "" {
		h.take(other.Vector, other.Source)
	}
	for _, url := range other.Exploits {
		h.exploit(url)
	}
}

func (w *writer) hint(h Hint) {
	w.string(h.Vector)
	w.string(h.Source)
	w.strings(h.Exploits)
}

func (r *reader) hint() Hint {
	return Hint{Vector: r.string(), Source: r.string(), Exploits: r.strings()}
}

// writeHints writes a table of hints by CVE.
func writeHints(w io.Writer, hints map[string]Hint) error {
	t := newTableWriter(w)
	for _, cve := range slices.Sorted(maps.Keys(hints)) {
		var v writer
		v.string(cve)
		v.hint(hints[cve])
		if err := t.put(cve, v.b); err != nil {
			return err
		}
	}
	return t.close()
}
