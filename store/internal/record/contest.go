package record

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// contests settles the keys that several sections of the scope say: the row of the section
// that was read last is shown, the others are kept hidden until it goes. So the answer
// does not depend on the order in which the sections arrived.
func (d *diff) contests(ctx context.Context) error {
	keys := slices.SortedFunc(maps.Keys(d.contest), func(x, y rowKey) int {
		return cmp.Or(strings.Compare(x.kind, y.kind), strings.Compare(x.key, y.key))
	})
	for chunk := range slices.Chunk(keys, batchRows) {
		if err := d.settle(ctx, chunk); err != nil {
			return err
		}
	}
	return nil
}

// claim is what one section says of a contested key.
type claim struct {
	Stored
	row *Row // to be written; nil for a row that is stored as it is
}

func (d *diff) settle(ctx context.Context, keys []rowKey) error {
	claims := map[rowKey]map[string]claim{} // by section
	var ids []ID
	for _, k := range keys {
		claims[k] = map[string]claim{}
		for _, section := range d.others {
			ids = append(ids, ID{section, k.kind, k.key})
		}
		for e := d.entries[k]; e != nil; e = e.next {
			if !slices.Contains(d.others, e.section) {
				ids = append(ids, ID{e.section, k.kind, k.key})
			}
		}
	}
	if err := d.stored(ctx, ids, true, func(id ID, s Stored) {
		claims[rowKey{id.Kind, id.Key}][id.Section] = claim{Stored: s}
	}); err != nil {
		return err
	}
	var (
		put  []Row
		gone []ID
	)
	for _, k := range keys {
		said := claims[k]
		before := shown(said)
		for i := range d.contest[k] {
			w := &d.contest[k][i]
			if w.remove {
				delete(said, w.row.Section)
				gone = append(gone, w.row.ID)
				continue
			}
			w.row.Hidden = true
			said[w.row.Section] = claim{w.row.Stored, &w.row}
		}
		winner := d.winner(said)
		for section, c := range said {
			hidden := section != winner
			switch {
			case c.row != nil:
				c.row.Hidden = hidden
				put = append(put, *c.row)
			case c.Hidden != hidden:
				if err := d.hide(ctx, ID{section, k.kind, k.key}, hidden); err != nil {
					return err
				}
			}
		}
		if after := said[winner].Doc; after != before {
			d.count(before, after)
			if err := d.log(ctx, ID{winner, k.kind, k.key}, before, after); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(put, func(x, y Row) int { return compareIDs(x.ID, y.ID) })
	if err := d.put(ctx, put); err != nil {
		return err
	}
	return d.delete(ctx, gone)
}

func shown(said map[string]claim) string {
	for _, c := range said {
		if !c.Hidden {
			return c.Doc
		}
	}
	return ""
}

// winner is the section whose row was confirmed by the newest report.
func (d *diff) winner(said map[string]claim) string {
	var best string
	newest := int64(-1)
	for section, c := range said {
		at := c.Revision
		if s := d.a.sections[section]; s != nil {
			at = max(at, s.contentRevision)
		}
		if at > newest || at == newest && section < best {
			best, newest = section, at
		}
	}
	return best
}

func (d *diff) count(before, after string) {
	switch {
	case before == "":
		d.a.applied.Added++
	case after == "":
		d.a.applied.Removed++
	default:
		d.a.applied.Changed++
	}
}

func (d *diff) hide(ctx context.Context, id ID, hidden bool) error {
	value := 0
	if hidden {
		value = 1
	}
	if _, err := d.a.tx.ExecContext(ctx, `update estate set hidden = $1 where tenant = $2 and scope = $3 and section = $4 and kind = $5 and key = $6`,
		value, d.a.tenant, d.a.scope, id.Section, id.Kind, id.Key); err != nil {
		return fmt.Errorf("settling %s %.200q: %w", id.Kind, id.Key, err)
	}
	return nil
}
