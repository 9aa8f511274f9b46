package record

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/triad-security/triad"
)

// diff compares the rows of a report with those stored and writes what differs.
//
// Rows go through in batches, so that memory holds keys and hashes of a large report but
// never all its documents. A key that several sections of the scope say is contested: its
// rows wait for contests, which knows all of them.
type diff struct {
	a       *apply
	modes   map[string]mode
	entries map[rowKey]*entry // of sections read whole, and of rows looked up
	others  []string          // sections whose rows are not all in entries
	probed  int               // how often rows were looked for in others
	contest map[rowKey][]deferred
}

// mode is what a report does to a section's rows.
type mode int

const (
	ignore  mode = iota // a later report has read the section whole
	replace             // the section becomes exactly the report's
	patch               // rows are added, replaced and removed: a delta
	upsert              // rows are added and replaced: the section was not read whole
)

type rowKey struct{ kind, key string }

// entry is a stored row, or one that the report added.
type entry struct {
	section  string
	hash     string
	revision int64
	seen     bool   // in this report
	next     *entry // the same key in another section
}

// deferred is what the report does to a contested row: writes it, or removes it.
type deferred struct {
	row    Row
	remove bool
}

func newDiff(a *apply) *diff {
	return &diff{
		a: a, modes: map[string]mode{}, entries: map[rowKey]*entry{},
		contest: map[rowKey][]deferred{},
	}
}

// load decides what happens to each section and reads the keys of those to be replaced.
func (d *diff) load(ctx context.Context) error {
	a := d.a
	for _, l := range a.report.Sections {
		content := int64(0)
		if s := a.sections[l.Name]; s != nil {
			content = s.contentRevision
		}
		switch {
		case a.report.Revision <= content:
			d.modes[l.Name] = ignore
		case a.report.Base != 0:
			d.modes[l.Name] = patch
		case l.Status == triad.SectionComplete:
			d.modes[l.Name] = replace
		default:
			d.modes[l.Name] = upsert
		}
	}
	for name := range a.sections {
		if d.modes[name] != replace {
			d.others = append(d.others, name)
			continue
		}
		if err := d.loadSection(ctx, name); err != nil {
			return err
		}
	}
	slices.Sort(d.others)
	return d.loadContested(ctx)
}

func (d *diff) loadSection(ctx context.Context, name string) error {
	rows, err := d.a.tx.QueryContext(ctx, `select kind, key, hash, revision from estate where tenant = $1 and scope = $2 and section = $3`, d.a.tenant, d.a.scope, name)
	if err != nil {
		return fmt.Errorf("reading section %s: %w", name, err)
	}
	defer rows.Close()
	for rows.Next() {
		var k rowKey
		e := &entry{section: name}
		if err := rows.Scan(&k.kind, &k.key, &e.hash, &e.revision); err != nil {
			return fmt.Errorf("reading section %s: %w", name, err)
		}
		if d.find(k, name) == nil {
			d.link(k, e)
		}
	}
	return rows.Err()
}

// loadContested finds the keys that several sections say already.
func (d *diff) loadContested(ctx context.Context) error {
	rows, err := d.a.tx.QueryContext(ctx, `select distinct kind, key from estate where tenant = $1 and scope = $2 and hidden = 1`, d.a.tenant, d.a.scope)
	if err != nil {
		return fmt.Errorf("reading rows said twice: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var k rowKey
		if err := rows.Scan(&k.kind, &k.key); err != nil {
			return fmt.Errorf("reading rows said twice: %w", err)
		}
		d.contest[k] = nil
	}
	return rows.Err()
}

func (d *diff) find(k rowKey, section string) *entry {
	e := d.entries[k]
	for e != nil && e.section != section {
		e = e.next
	}
	return e
}

func (d *diff) link(k rowKey, e *entry) {
	e.next = d.entries[k]
	d.entries[k] = e
}

// rows takes in the rows of a report or part. They are encoded while those before are
// compared and written.
func (d *diff) rows(ctx context.Context, r *triad.Report) error {
	encoding, cancel := context.WithCancel(ctx)
	defer cancel()
	batches := make(chan []Row, 1)
	encoded := make(chan error, 1)
	go func() {
		defer close(batches)
		encoded <- d.encode(encoding, r, batches)
	}()
	var err error
	for batch := range batches {
		if err != nil {
			continue // the encoder is stopping
		}
		if err = d.flush(ctx, batch); err != nil {
			cancel()
		}
	}
	if e := <-encoded; err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return d.removed(ctx, r.Removed)
}

// encode sends a report's rows in batches.
func (d *diff) encode(ctx context.Context, r *triad.Report, to chan<- []Row) error {
	var batch []Row
	bytes := 0
	send := func() error {
		select {
		case to <- batch:
			batch, bytes = nil, 0
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := newEncoder().rows(r, func(section string) bool { return d.modes[section] != ignore }, func(row Row) error {
		batch = append(batch, row)
		if bytes += len(row.Doc); len(batch) < batchRows && bytes < batchBytes {
			return nil
		}
		return send()
	})
	if err != nil || len(batch) == 0 {
		return err
	}
	return send()
}

// flush compares a batch with what is stored and writes what differs.
func (d *diff) flush(ctx context.Context, batch []Row) error {
	if err := d.lookUp(ctx, batch); err != nil {
		return err
	}
	var put, logged []Row
	var changed []ID
	for _, row := range batch {
		k := rowKey{row.Kind, row.Key}
		e := d.find(k, row.Section)
		if e != nil && (e.seen || e.revision > row.Revision) {
			continue // said twice: the first counts; or a later report said it
		}
		_, contested := d.contest[k]
		contested = contested || e == nil && d.entries[k] != nil
		if e == nil {
			e = &entry{section: row.Section}
			d.link(k, e)
		}
		was := *e
		e.seen, e.hash, e.revision = true, row.Hash, row.Revision
		if was.hash == row.Hash && d.modes[row.Section] != upsert {
			continue // the section's revision speaks for its rows
		}
		if contested {
			d.contest[k] = append(d.contest[k], deferred{row: row})
			continue
		}
		put = append(put, row)
		switch was.hash {
		case row.Hash: // only its revision is new
			continue
		case "":
			put[len(put)-1].New = true
			d.a.applied.Added++
		default:
			changed = append(changed, row.ID)
			d.a.applied.Changed++
		}
		logged = append(logged, row)
	}
	before, err := d.docs(ctx, changed)
	if err != nil {
		return err
	}
	for _, row := range logged {
		if err := d.log(ctx, row.ID, before[row.ID], row.Doc); err != nil {
			return err
		}
	}
	return d.put(ctx, put)
}

// lookUp brings the entries of a batch's rows that were not read with their section, and
// those of the same keys in other sections.
func (d *diff) lookUp(ctx context.Context, batch []Row) error {
	if len(d.others) == 0 {
		return nil
	}
	var ids []ID
	for _, row := range batch {
		k := rowKey{row.Kind, row.Key}
		if d.modes[row.Section] == replace && d.entries[k] != nil || d.find(k, row.Section) != nil {
			continue
		}
		for _, section := range d.others {
			ids = append(ids, ID{section, row.Kind, row.Key})
		}
	}
	if d.probed += len(ids); d.probed > maxProbed {
		for _, section := range d.others {
			if err := d.loadSection(ctx, section); err != nil {
				return err
			}
		}
		d.others = nil
		return nil
	}
	return d.stored(ctx, ids, false, func(id ID, s Stored) {
		if k := (rowKey{id.Kind, id.Key}); d.find(k, id.Section) == nil {
			d.link(k, &entry{section: id.Section, hash: s.Hash, revision: s.Revision})
		}
	})
}

// maxProbed is how many single look-ups cost about as much as reading the sections whole.
const maxProbed = 50_000

// removed takes in the rows that a delta removes. A row that it writes as well stays.
func (d *diff) removed(ctx context.Context, refs []triad.RowRef) error {
	for refs := range slices.Chunk(refs, batchRows) {
		batch := make([]Row, len(refs))
		for i, ref := range refs {
			batch[i].ID = ID{ref.Section, string(ref.Kind), indexKey(ref.Key)}
		}
		if err := d.lookUp(ctx, batch); err != nil {
			return err
		}
		var gone []ID
		for _, row := range batch {
			k := rowKey{row.Kind, row.Key}
			if e := d.find(k, row.Section); e != nil && !e.seen {
				d.unlink(k, row.Section)
				gone = append(gone, row.ID)
			}
		}
		if err := d.remove(ctx, gone); err != nil {
			return err
		}
	}
	return nil
}

// finish removes what the report's complete sections no longer hold.
func (d *diff) finish(ctx context.Context) error {
	var gone []ID
	for k, e := range d.entries {
		for ; e != nil; e = e.next {
			if !e.seen && d.modes[e.section] == replace && e.revision <= d.a.report.Revision {
				gone = append(gone, ID{e.section, k.kind, k.key})
			}
		}
	}
	slices.SortFunc(gone, compareIDs)
	for ids := range slices.Chunk(gone, batchRows) {
		if err := d.remove(ctx, ids); err != nil {
			return err
		}
	}
	return nil
}

func (d *diff) remove(ctx context.Context, ids []ID) error {
	var gone []ID
	for _, id := range ids {
		k := rowKey{id.Kind, id.Key}
		if waiting, contested := d.contest[k]; contested {
			d.contest[k] = append(waiting, deferred{row: Row{ID: id}, remove: true})
			continue
		}
		gone = append(gone, id)
	}
	before, err := d.docs(ctx, gone)
	if err != nil {
		return err
	}
	for _, id := range gone {
		if err := d.log(ctx, id, before[id], ""); err != nil {
			return err
		}
	}
	d.a.applied.Removed += len(gone)
	return d.delete(ctx, gone)
}

func (d *diff) unlink(k rowKey, section string) {
	var keep *entry
	for e := d.entries[k]; e != nil; {
		next := e.next
		if e.section != section {
			e.next, keep = keep, e
		}
		e = next
	}
	if keep == nil {
		delete(d.entries, k)
		return
	}
	d.entries[k] = keep
}

func compareIDs(x, y ID) int {
	return cmp.Or(strings.Compare(x.Section, y.Section), strings.Compare(x.Kind, y.Kind), strings.Compare(x.Key, y.Key))
}

func (d *diff) log(ctx context.Context, id ID, before, after string) error {
	return d.a.log.add(ctx, Entry{Scope: d.a.scope, Kind: id.Kind, Key: id.Key, Before: before, After: after, Cause: d.a.cause})
}

// docs reads documents of stored rows.
func (d *diff) docs(ctx context.Context, ids []ID) (map[ID]string, error) {
	docs := make(map[ID]string, len(ids))
	return docs, d.stored(ctx, ids, true, func(id ID, s Stored) { docs[id] = s.Doc })
}

func (d *diff) stored(ctx context.Context, ids []ID, doc bool, fn func(ID, Stored)) error {
	if len(ids) == 0 {
		return nil
	}
	if err := d.a.s.dialect.Find(ctx, d.a.tx, d.a.tenant, d.a.scope, ids, doc, fn); err != nil {
		return fmt.Errorf("reading rows: %w", err)
	}
	return nil
}

func (d *diff) put(ctx context.Context, rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	if err := d.a.s.dialect.Put(ctx, d.a.tx, d.a.tenant, d.a.scope, rows); err != nil {
		return fmt.Errorf("writing rows: %w", err)
	}
	return nil
}

func (d *diff) delete(ctx context.Context, ids []ID) error {
	if len(ids) == 0 {
		return nil
	}
	if err := d.a.s.dialect.Delete(ctx, d.a.tx, d.a.tenant, d.a.scope, ids); err != nil {
		return fmt.Errorf("removing rows: %w", err)
	}
	return nil
}
