package code

import (
	"cmp"
	"slices"

	"github.com/securego/gosec/v2/analyzers"
	"github.com/securego/gosec/v2/rules"
)

// Rule is a weakness that gosec looks for.
type Rule struct{ ID, Title string }

// Rules lists what gosec looks for, by ID. Other analysers' rules are known by what they find.
func Rules() []Rule {
	var all []Rule
	for _, r := range rules.Generate(false).Rules {
		all = append(all, Rule{r.ID, r.Description})
	}
	for _, a := range analyzers.Generate(false).Analyzers {
		all = append(all, Rule{a.ID, a.Description})
	}
	slices.SortFunc(all, func(a, b Rule) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(all, func(a, b Rule) bool { return a.ID == b.ID })
}
