package risk_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/triad-security/triad"
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

// With the real ways, which keep what workloads share: after each change the engine says what
// one built anew says.
func TestRealWaysFollowedChangeByChangeEqualThoseBuiltAnew(t *testing.T) {
	size := estate.OfAssets(1)
	size.Cells, size.Deployments, size.Nodes = 2, 6, 3
	w, m := generatedOf(t, size)
	engine := func() *risk.Engine {
		return risk.NewEngine(risk.Options{Ways: realWays(), Indexes: exposure.Indexes(), Matcher: m})
	}
	decisions := func(e *risk.Engine) []triad.Decision {
		list := e.Decisions()
		for i := range list {
			list[i].Changed = time.Time{}
		}
		slices.SortFunc(list, func(a, b triad.Decision) int { return strings.Compare(a.ID, b.ID) })
		return list
	}
	log, e := w.take(), engine()
	if _, err := e.Apply(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	scope := estate.Scope(0)
	gone := func(kind string) func() {
		return func() {
			for _, c := range log {
				var key string
				if c.Scope == scope && c.Kind == triad.RowAsset && strings.Contains(string(c.After), `"kind":"`+kind+`"`) {
					key = c.Key
				}
				if key != "" {
					w.remove(scope, triad.RowAsset, key)
					return
				}
			}
			t.Errorf("no %s to remove", kind)
		}
	}
	open := func(group, from string, port int) func() {
		return func() { w.asset(scope, estate.SecurityGroup(0, group, from, port)) }
	}
	for _, step := range []struct {
		name   string
		change func()
	}{
		{"nodes open to the internet", open(estate.Group(0), "0.0.0.0/0", 8080)},
		{"load balancers closed", open(estate.Balancer(0), "", 0)},
		{"nodes open to load balancers", open(estate.Group(0), estate.Balancer(0), 8080)},
		{"load balancers open to one range", open(estate.Balancer(0), "198.51.100.0/24", 443)},
		{"a target group gone", gone("TargetGroup")},
		{"an instance gone", gone("Instance")},
		{"its interface gone", gone("NetworkInterface")},
		{"a database gone", gone("DBInstance")},
		{"the gateway gone", gone("InternetGateway")},
		{"nodes open to all ports", open(estate.Group(0), "0.0.0.0/0", 30001)},
	} {
		step.change()
		changes := w.take()
		log = append(log, changes...)
		if _, err := e.Apply(t.Context(), changes); err != nil {
			t.Fatal(err)
		}
		anew := engine()
		if _, err := anew.Apply(t.Context(), log); err != nil {
			t.Fatal(err)
		}
		got, want := decisions(e), decisions(anew)
		if len(got) != len(want) {
			t.Fatalf("%s: %d decisions, built anew %d", step.name, len(got), len(want))
		}
		for i := range want {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Errorf("%s: followed\n%+v\nbuilt anew\n%+v", step.name, got[i], want[i])
				break
			}
		}
	}
}
