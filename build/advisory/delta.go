package advisory

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/triad-security/triad"
)

// segmentDelta says what differs from the generation that this one replaced, so that who
// followed that one need look again only at what the difference is about.
const segmentDelta = "delta"

// maxDelta names are listed; beyond them everything may have changed.
const maxDelta = 400_000

// Names of the values of a delta: since is the earlier revision.
const (
	deltaSince    = "since"
	deltaPackages = "packages"
	deltaIDs      = "ids"
)

// delta writes what differs from an earlier generation. The new segments stand in the file.
func (b *builder) delta() error {
	old := b.old
	if old == nil {
		return nil
	}
	fresh, err := os.Open(b.f.Name())
	if err != nil {
		return err
	}
	defer fresh.Close()
	packages, ids := map[string]bool{}, map[string]bool{}
	differs := func(name string, of func(*table) (map[string]uint64, error), into map[string]bool, nameOf func(string) string) error {
		before, after := old.find(name), findSegment(b.toc.Segments, name)
		if before != nil && after != nil && before.SHA256 == after.SHA256 {
			return nil
		}
		was, err := digests(old.f, before, of)
		if err != nil {
			return err
		}
		is, err := digests(fresh, after, of)
		if err != nil {
			return err
		}
		for k, sum := range is {
			if earlier, ok := was[k]; !ok || earlier != sum {
				into[nameOf(k)] = true
			}
			delete(was, k)
		}
		for k := range was {
			into[nameOf(k)] = true
		}
		return nil
	}
	names := map[string]bool{}
	for _, list := range [][]Segment{old.Segments, b.toc.Segments} {
		for _, s := range list {
			names[s.Name] = true
		}
	}
	for name := range names {
		switch {
		case strings.HasPrefix(name, "osv/"):
			err = differs(name, postingDigests, packages, func(k string) string { return k[strings.IndexByte(k, 0)+1:] })
		case name == segmentKEV, name == segmentEPSS, name == segmentEnrich, name == segmentHints:
			err = differs(name, valueDigests, ids, func(k string) string { return k })
		}
		if err != nil {
			return fmt.Errorf("comparing %s with the earlier advisories: %w", name, err)
		}
	}
	if len(packages)+len(ids) > maxDelta {
		return nil
	}
	return b.segment(Segment{Name: segmentDelta, Records: len(packages) + len(ids), Imported: now()}, func(w io.Writer, _ *Segment) error {
		t := newTableWriter(w)
		for k, list := range map[string][]string{
			deltaSince: {old.Revision}, deltaPackages: slices.Sorted(maps.Keys(packages)), deltaIDs: slices.Sorted(maps.Keys(ids)),
		} {
			var v writer
			v.string(k)
			v.strings(list)
			if err := t.put(k, v.b); err != nil {
				return err
			}
		}
		return t.close()
	})
}

func findSegment(list []Segment, name string) *Segment {
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

func (g *Generation) find(name string) *Segment { return findSegment(g.Segments, name) }

// digests says for each key of a segment what its content comes to; nothing for none.
func digests(r io.ReaderAt, s *Segment, of func(*table) (map[string]uint64, error)) (map[string]uint64, error) {
	if s == nil {
		return nil, nil
	}
	t, err := openTable(io.NewSectionReader(r, s.Offset, s.Size))
	if err != nil {
		return nil, err
	}
	return of(t)
}

func valueDigests(t *table) (map[string]uint64, error) {
	out := make(map[string]uint64, t.count)
	err := t.each(func(key, value string) error {
		out[key] = hashKey(value)
		return nil
	})
	return out, err
}

// postingDigests digests what advisories say of a package, without where their records lie:
// that changes with every import. A sum does not depend on their order.
func postingDigests(t *table) (map[string]uint64, error) {
	out := make(map[string]uint64, t.count)
	var b bytes.Buffer
	err := t.each(func(key, value string) error {
		var sum uint64
		r := reader{s: value}
		for range r.count() {
			ecosystem, postings := r.string(), r.string()
			for p := (reader{s: postings}); p.s != "" && !p.bad; {
				one := reader{s: p.string()}
				record := one.pointer()
				before := one.s
				_ = one.ranges()
				ranges := before[:len(before)-len(one.s)]
				versions := one.pointer()
				b.Reset()
				b.WriteString(ecosystem)
				for _, at := range []pointer{record, versions} {
					_ = binary.Write(&b, binary.LittleEndian, [2]uint64{at.length, uint64(at.sum)}) // a Buffer takes all
				}
				b.WriteString(ranges)
				b.WriteString(one.s)
				sum += hashKey(b.String())
				if one.bad || p.bad {
					return errDamaged
				}
			}
		}
		out[key] = sum
		return r.err()
	})
	return out, err
}

// Changed says what differs between a revision and the present one. It knows the revision
// that the present one replaced.
func (db *DB) Changed(since string) (triad.AdvisoryChange, bool) {
	g, done, err := db.Use()
	if err != nil {
		return triad.AdvisoryChange{}, false
	}
	defer done()
	if g.Revision == since {
		return triad.AdvisoryChange{}, true
	}
	t := g.tables[segmentDelta]
	if t == nil {
		return triad.AdvisoryChange{}, false
	}
	list := func(name string) []string {
		v, e := t.get(name)
		r := reader{s: v}
		out := r.strings()
		if e != nil || r.bad {
			err = errDamaged
		}
		return out
	}
	from, change := list(deltaSince), triad.AdvisoryChange{Packages: list(deltaPackages), IDs: list(deltaIDs)}
	if err != nil || len(from) != 1 || from[0] != since {
		return triad.AdvisoryChange{}, false
	}
	return change, true
}
