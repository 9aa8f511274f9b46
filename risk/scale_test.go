package risk_test

import (
	"maps"
	"testing"

	"github.com/triad-security/triad/bench/estate"
	"github.com/triad-security/triad/reach/exposure"
	"github.com/triad-security/triad/risk"
)

// With the real ways: what a rule of one group touches does not depend on how many other
// accounts there are, although all use the same private addresses.
func TestAGroupsRuleCostsTheSameInAnEstateTenTimesTheSize(t *testing.T) {
	computed := func(cells int) map[string]int {
		size := estate.OfAssets(1)
		size.Cells, size.Deployments, size.Nodes = cells, 6, 3
		w, m := generatedOf(t, size)
		e := risk.NewEngine(risk.Options{Ways: realWays(), Indexes: exposure.Indexes(), Matcher: m})
		if _, err := e.Apply(t.Context(), w.take()); err != nil {
			t.Fatal(err)
		}
		w.asset(estate.Scope(0), estate.SecurityGroup(0, estate.Group(0), "0.0.0.0/0", 8080))
		u, err := e.Apply(t.Context(), w.take())
		if err != nil {
			t.Fatal(err)
		}
		if u.Recomputed == 0 {
			t.Error("the rule touches nothing")
		}
		return u.Computed
	}
	small, large := computed(2), computed(20)
	if !maps.Equal(small, large) {
		t.Errorf("with 2 accounts %v, with 20 %v", small, large)
	}
}
