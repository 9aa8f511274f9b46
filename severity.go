package triad

import "slices"

var severities = []string{"critical", "high", "medium", "low", "unknown"}

// Severities lists the words for how bad a finding is by itself, the worst first.
func Severities() []string { return slices.Clone(severities) }

// SeverityRank is a severity's place among Severities; any other word is unknown.
func SeverityRank(severity string) int {
	if i := slices.Index(severities, severity); i >= 0 {
		return i
	}
	return len(severities) - 1
}
