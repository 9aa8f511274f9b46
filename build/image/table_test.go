package image

import (
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"
)

func TestATableIsAMapOfNames(t *testing.T) {
	name := rapid.Custom(func(t *rapid.T) string {
		s := ""
		for range rapid.IntRange(1, 4).Draw(t, "depth") {
			s = join(s, rapid.SampledFrom([]string{"a", "b", "ab", "usr", "x.y", "é"}).Draw(t, "part"))
		}
		return s
	})
	entries := rapid.Custom(func(t *rapid.T) Entry {
		e := Entry{Type: EntryType(rapid.IntRange(0, 4).Draw(t, "type"))}
		switch e.Type {
		case Symlink, HardLink:
			e.Target = rapid.String().Draw(t, "target")
		case Regular:
			e.Evidence = rapid.Int32().Draw(t, "evidence")
		}
		return e
	})
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]Entry{}
		l := NewLayer()
		for range rapid.IntRange(0, 60).Draw(t, "n") {
			n, e := name.Draw(t, "name"), entries.Draw(t, "entry")
			want[n] = e
			l.Put(n, e)
		}
		again, rest, err := DecodeLayer(AppendLayer(nil, l))
		if err != nil || len(rest) > 0 {
			t.Fatal(err)
		}
		for _, l := range []*Layer{l, again} {
			if got := maps.Collect(l.All()); !maps.Equal(got, want) || l.Len() != len(want) {
				t.Fatalf("got %v\nwant %v", got, want)
			}
			probe := name.Draw(t, "probe")
			got, ok := l.Entry(probe)
			if w, is := want[probe]; ok != is || got != w {
				t.Fatalf("%s: %v %v", probe, got, ok)
			}
		}
	})
}

func TestATableOfManyNamesStaysSmall(t *testing.T) {
	l := NewLayer()
	const n = 300_000
	for i := range n {
		l.Put(fmt.Sprintf("usr/lib/node_modules/package%d/lib/file-%d.js", i/50, i), Entry{Type: Regular})
	}
	if per := l.Bytes() / n; per > 50 {
		t.Errorf("%d bytes a name", per)
	}
	for i := 0; i < n; i += 997 {
		if _, ok := l.Entry(fmt.Sprintf("usr/lib/node_modules/package%d/lib/file-%d.js", i/50, i)); !ok {
			t.Fatalf("name %d is lost", i)
		}
	}
}
