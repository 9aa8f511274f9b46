package dockerfile

import (
	"slices"
	"testing"

	"github.com/triad-security/triad"
)

func parse(t testing.TB, text string) *File {
	t.Helper()
	f, err := Parse("Dockerfile", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func has(findings []triad.Finding, id string) bool {
	return slices.ContainsFunc(findings, func(f triad.Finding) bool { return f.ID == id })
}

func TestEachCheckFindsItsBadExampleAndNotItsGoodOne(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range checks {
		t.Run(c.ID, func(t *testing.T) {
			if seen[c.ID] || c.Title == "" || c.Why == "" || c.Fix == "" || !slices.Contains([]string{"low", "medium", "high", "critical"}, c.Severity) {
				t.Errorf("the entry is not whole, or its id is taken")
			}
			seen[c.ID] = true
			forms := 0
			for _, set := range []bool{c.file != nil, c.stage != nil, c.instruction != nil, c.command != nil} {
				if set {
					forms++
				}
			}
			if forms != 1 {
				t.Errorf("%d functions", forms)
			}
			bad := Check(parse(t, c.Bad))
			if !has(bad, c.ID) {
				t.Errorf("not found in\n%s", c.Bad)
			}
			for _, f := range bad {
				if f.ID == c.ID && (f.Line < 1 || f.Path != "Dockerfile" || f.Kind != triad.FindingMisconfiguration) {
					t.Errorf("%+v", f)
				}
			}
			if good := parse(t, c.Good); has(Check(good), c.ID) {
				t.Errorf("found in\n%s", c.Good)
			} else if len(good.Problems) > 0 {
				t.Errorf("the good example has problems: %+v", good.Problems)
			}
		})
	}
	t.Logf("%d checks of Dockerfiles, %d of configs", len(checks), len(configChecks))
}
