package graph_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/risk/graph"
)

// number is an asset whose tag n holds a number.
func number(id string, n int) *triad.Asset {
	return &triad.Asset{ID: id, Tags: map[string]string{"n": strconv.Itoa(n)}}
}

func value(v reach.View, id string) int {
	n := 0
	for _, r := range v.Rows(id) {
		i, err := strconv.Atoi(r.Asset.Tags["n"])
		if err == nil {
			n += i
		}
	}
	return n
}

func parity(c *graph.Context, id string) bool {
	return graph.Get(c, graph.ID{Kind: "parity", Of: id}, func(c *graph.Context) bool { return value(c, id)%2 == 0 })
}

func TestAComputationIsRepeatedOnlyWhenWhatItReadChanged(t *testing.T) {
	e := reach.NewEstate()
	e.PutAsset("s", number("a", 1))
	g := graph.New(e)
	ask := func() int {
		v, _ := graph.Root(g, graph.ID{Kind: "root"}, func(c *graph.Context) int { return value(c, "a") + value(c, "absent") })
		return v
	}
	steps := []struct {
		put   *triad.Asset
		value int
		runs  int
	}{
		{nil, 1, 1},
		{number("other", 5), 1, 1},
		{number("a", 2), 2, 2},
		{number("absent", 7), 9, 3},
	}
	for i, s := range steps {
		if s.put != nil {
			g.Touch(e.PutAsset("s", s.put), i)
			g.Settle()
		}
		if got := ask(); got != s.value || g.Computed["root"] != s.runs {
			t.Errorf("step %d: value %d after %d computations, want %d after %d", i, got, g.Computed["root"], s.value, s.runs)
		}
	}
}

func TestARepeatedComputationOfTheSameValueRepeatsNothingAbove(t *testing.T) {
	e := reach.NewEstate()
	e.PutAsset("s", number("a", 2))
	g := graph.New(e)
	root := func(c *graph.Context) string { return strconv.FormatBool(parity(c, "a")) }
	graph.Root(g, graph.ID{Kind: "root"}, root)
	g.Touch(e.PutAsset("s", number("a", 4)), 0)
	if roots := g.Settle(); len(roots) != 1 {
		t.Errorf("%d roots touched, want 1", len(roots))
	}
	if v, changed := graph.Root(g, graph.ID{Kind: "root"}, root); v != "true" || changed || g.Computed["root"] != 1 || g.Computed["parity"] != 2 {
		t.Errorf("value %s, changed %t, computed %v", v, changed, g.Computed)
	}
}

func TestCausesReachTheRootsOfWhatTheyTouched(t *testing.T) {
	e := reach.NewEstate()
	g := graph.New(e)
	for _, id := range []string{"a", "b"} {
		graph.Root(g, graph.ID{Kind: "root", Of: id}, func(c *graph.Context) bool { return parity(c, id) })
	}
	g.Touch(e.PutAsset("s", number("a", 1)), 7)
	g.Touch(e.PutAsset("s", number("a", 3)), 8)
	roots := g.Settle()
	if len(roots) != 1 || !slices.Equal(roots[graph.ID{Kind: "root", Of: "a"}], []int{7, 8}) {
		t.Errorf("causes %v, want 7 and 8 at root a alone", roots)
	}
	if left := g.Settle(); len(left) != 0 {
		t.Errorf("a second settle still has %v", left)
	}
}

func TestWhatNobodyUsesIsForgotten(t *testing.T) {
	e := reach.NewEstate()
	e.PutAsset("s", number("which", 0))
	g := graph.New(e)
	root := func(c *graph.Context) bool { return parity(c, "x"+strconv.Itoa(value(c, "which"))) }
	for i := range 10 {
		g.Touch(e.PutAsset("s", number("which", i)), 0)
		g.Settle()
		graph.Root(g, graph.ID{Kind: "root"}, root)
	}
	if g.Len() != 2 {
		t.Errorf("%d computations held, want the root and the one that it uses", g.Len())
	}
	g.Drop(graph.ID{Kind: "root"})
	if g.Len() != 0 {
		t.Errorf("%d computations held after the root was dropped", g.Len())
	}
}
