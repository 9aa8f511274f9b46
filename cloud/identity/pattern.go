package identity

import (
	"strings"

	"github.com/triad-security/triad"
)

// fresh stands in a witness for what only a wildcard can match: it occurs in no ARN or action.
// One stands for a ?, a run for a *, longer than the question marks of any real pattern.
const fresh = "\x01"

var freshRun = strings.Repeat(fresh, 32)

// instance puts fresh text for the wildcards of a pattern.
func instance(pattern string) string {
	return strings.ReplaceAll(strings.ReplaceAll(pattern, "*", freshRun), "?", fresh)
}

// generalize is the pattern that a witness stands for.
func generalize(witness string) string {
	pattern := strings.ReplaceAll(strings.ReplaceAll(witness, freshRun, "*"), fresh, "?")
	for strings.Contains(pattern, "**") {
		pattern = strings.ReplaceAll(pattern, "**", "*")
	}
	return pattern
}

// Bounds of the search for witnesses of two patterns.
const (
	maxOverlaps = 16
	maxSteps    = 1 << 14
)

// witnesses returns strings that two patterns both match, one for each way in which they lie
// over each other ("a/*" and "*/b" share a/b and a/…/b), each as general as that way allows:
// what a wildcard of both covers is fresh. A third pattern that matches a witness matches all
// that it stands for; one that does not leaves at least the witness itself.
// tooMany tells that none was found before the search was given up.
func witnesses(a, b string) (found []string, tooMany bool) {
	w := &overlap{a: a, b: b, dead: map[[2]int]bool{}}
	w.walk(0, 0)
	return w.found, w.found == nil && w.steps > maxSteps
}

type overlap struct {
	a, b  string
	out   []byte
	dead  map[[2]int]bool // from here there is no way
	found []string
	steps int
}

// walk looks for ways from a[i:] and b[j:] to both ends and reports whether it found one.
func (w *overlap) walk(i, j int) bool {
	if i == len(w.a) && j == len(w.b) {
		w.found = append(w.found, string(w.out))
		return true
	}
	state := [2]int{i, j}
	if w.steps++; w.dead[state] || len(w.found) >= maxOverlaps || w.steps > maxSteps {
		return false
	}
	emit := func(text string, i, j int) bool {
		w.out = append(w.out, text...)
		ok := w.walk(i, j)
		w.out = w.out[:len(w.out)-len(text)]
		return ok
	}
	at := func(s string, i int) byte {
		if i < len(s) {
			return s[i]
		}
		return 0
	}
	x, y := at(w.a, i), at(w.b, j)
	first, second := false, false
	switch {
	case x == '*' && y == '*':
		first = emit(freshRun, i+1, j)
		second = emit(freshRun, i, j+1)
	case x == '*':
		first = y != 0 && emit(general(y), i, j+1)
		second = w.walk(i+1, j)
	case y == '*':
		first = x != 0 && emit(general(x), i+1, j)
		second = w.walk(i, j+1)
	case x == 0 || y == 0:
	case x == '?':
		first = emit(general(y), i+1, j+1)
	case y == '?' || x == y:
		first = emit(general(x), i+1, j+1)
	}
	if !first && !second && len(w.found) < maxOverlaps && w.steps <= maxSteps {
		w.dead[state] = true
	}
	return first || second
}

func general(c byte) string {
	if c == '?' {
		return fresh
	}
	return string(c)
}

// matchesAction reports whether one of the patterns covers an action, whose letter case does not matter.
func matchesAction(patterns []string, action string) bool {
	for _, p := range patterns {
		if p == "*" || triad.MatchPattern(strings.ToLower(p), strings.ToLower(action)) {
			return true
		}
	}
	return false
}
