package identity

import "strings"

// fresh stands in a witness for what only a wildcard can match: it occurs in no ARN or action.
const fresh = '\x01'

// matches reports whether a pattern with * (any run) and ? (any one character) covers s.
// It backtracks over the last * only, so its time is at most len(pattern)*len(s).
func matches(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// witness returns a string that two patterns both match, as general as their overlap: what a
// wildcard of both covers is fresh. A third pattern that matches it matches the overlap as a
// whole; one that does not leaves at least the witness itself.
func witness(a, b string) (string, bool) {
	if len(a)*len(b) > 1<<22 {
		return "", false
	}
	w := &overlap{a: a, b: b, dead: map[[2]int]bool{}}
	if !w.walk(0, 0) {
		return "", false
	}
	return string(w.out), true
}

type overlap struct {
	a, b string
	out  []byte
	dead map[[2]int]bool // from here there is no way
}

func (w *overlap) walk(i, j int) bool {
	if i == len(w.a) && j == len(w.b) {
		return true
	}
	state := [2]int{i, j}
	if w.dead[state] {
		return false
	}
	// emit tries one character and the states behind it.
	emit := func(c byte, i, j int) bool {
		w.out = append(w.out, c)
		if w.walk(i, j) {
			return true
		}
		w.out = w.out[:len(w.out)-1]
		return false
	}
	at := func(s string, i int) byte {
		if i < len(s) {
			return s[i]
		}
		return 0
	}
	x, y := at(w.a, i), at(w.b, j)
	ok := false
	switch {
	case x == '*' && y == '*':
		ok = emit(fresh, i+1, j) || emit(fresh, i, j+1)
	case x == '*':
		ok = y != 0 && emit(general(y), i, j+1) || w.walk(i+1, j)
	case y == '*':
		ok = x != 0 && emit(general(x), i+1, j) || w.walk(i, j+1)
	case x == 0 || y == 0:
	case x == '?':
		ok = emit(general(y), i+1, j+1)
	case y == '?' || x == y:
		ok = emit(general(x), i+1, j+1)
	}
	if !ok {
		w.dead[state] = true
	}
	return ok
}

func general(c byte) byte {
	if c == '?' {
		return fresh
	}
	return c
}

// matchesAny reports whether one of the patterns covers s; letter case is ignored for actions.
func matchesAction(patterns []string, action string) bool {
	for _, p := range patterns {
		if p == "*" || matches(strings.ToLower(p), strings.ToLower(action)) {
			return true
		}
	}
	return false
}
