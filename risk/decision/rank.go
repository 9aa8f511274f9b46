package decision

import (
	"cmp"
	"slices"

	"github.com/triad-security/triad"
)

// Compare orders decisions, most urgent first: outcome, then EPSS, then in use at runtime
// (yes, nobody looked, no), then CVSS, then ID. Among equals up to there, vulnerabilities
// come before other findings.
func Compare(a, b *triad.Decision) int {
	return cmp.Or(
		cmp.Compare(urgency(a.Outcome), urgency(b.Outcome)),
		cmp.Compare(b.EPSS, a.EPSS),
		cmp.Compare(use(a.InUse), use(b.InUse)),
		cmp.Compare(b.CVSS, a.CVSS),
		cmp.Compare(class(a), class(b)),
		cmp.Compare(a.ID, b.ID),
	)
}

// Rank sorts decisions, most urgent first.
func Rank(decisions []triad.Decision) {
	slices.SortFunc(decisions, func(a, b triad.Decision) int { return Compare(&a, &b) })
}

func urgency(o triad.Outcome) int {
	return index([]triad.Outcome{triad.Immediate, triad.OutOfCycle, triad.Scheduled, triad.Defer}, o)
}

func use(inUse *bool) int {
	switch {
	case inUse == nil:
		return 1
	case *inUse:
		return 0
	}
	return 2
}

func class(d *triad.Decision) int {
	if d.Finding.Kind == triad.FindingVulnerability {
		return 0
	}
	return 1
}
