package worker

import (
	"slices"
	"testing"

	"github.com/securego/gosec/v2/analyzers"
	"github.com/securego/gosec/v2/rules"

	"github.com/triad-security/triad/build/code"
)

func TestTheRulesAreThoseOfTheLibrary(t *testing.T) {
	want := map[string]string{}
	for _, r := range rules.Generate(false).Rules {
		want[r.ID] = r.Description
	}
	for _, a := range analyzers.Generate(false).Analyzers {
		want[a.ID] = a.Description
	}
	list := code.Rules()
	for _, r := range list {
		if want[r.ID] != r.Title {
			t.Errorf("%s is %q, gosec says %q", r.ID, r.Title, want[r.ID])
		}
		delete(want, r.ID)
	}
	if len(want) > 0 || !slices.IsSortedFunc(list, func(a, b code.Rule) int { return slices.Compare([]byte(a.ID), []byte(b.ID)) }) {
		t.Errorf("not listed: %v", want)
	}
}
