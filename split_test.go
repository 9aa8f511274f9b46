package triad

import (
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func TestSplitLosesNothingAndKeepsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &Report{Scope: "s", Revision: 7, Sections: []Section{{Name: "a", Status: SectionComplete}}}
		for i := range rapid.IntRange(0, 40).Draw(t, "assets") {
			r.Assets = append(r.Assets, Asset{ID: fmt.Sprint(i)})
		}
		for i := range rapid.IntRange(0, 40).Draw(t, "packages") {
			r.Packages = append(r.Packages, Package{Name: fmt.Sprint(i)})
		}
		limit := rapid.IntRange(1, 50).Draw(t, "limit")
		var joined Report
		parts := r.Split(limit)
		for i, p := range parts {
			if n := len(p.Assets) + len(p.Packages); n > limit {
				t.Fatalf("part %d has %d rows, more than %d", i, n, limit)
			}
			if len(parts) > 1 && (p.Part != i+1 || p.Parts != len(parts)) {
				t.Fatalf("part %d says it is %d of %d", i, p.Part, p.Parts)
			}
			if p.Revision != 7 || len(p.Sections) != 1 {
				t.Fatalf("part %d lost its head", i)
			}
			joined.Assets = append(joined.Assets, p.Assets...)
			joined.Packages = append(joined.Packages, p.Packages...)
		}
		if !reflect.DeepEqual(joined.Assets, r.Assets) || !reflect.DeepEqual(joined.Packages, r.Packages) {
			t.Fatal("the parts together are not the report")
		}
	})
}
