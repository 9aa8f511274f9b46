package match

import "strings"

// The order of rpm's versions (rpmvercmp, https://rpm-software-management.github.io/rpm/manual/dependencies.html#versioning),
// without an allocation. As osv-scalibr's semantic has it, an epoch that is no number belongs
// to the version, and a version without a release is below the same one with a release.

func parseRPM(s string) parsed {
	v := parsed{kind: orderRPM, epoch: "0"}
	if i := strings.IndexByte(s, ':'); i >= 0 && allDigits(s[:i]) {
		if i > 0 {
			v.epoch = s[:i]
		}
		s = s[i+1:]
	}
	v.version = s
	if i := strings.IndexByte(s, '-'); i >= 0 {
		v.version, v.release = s[:i], s[i:] // with the hyphen: "1-" has a release, "1" has none
	}
	return v
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

func compareRPM(a, b *parsed) int {
	if n := compareRPMPart(a.epoch, b.epoch); n != 0 {
		return n
	}
	if n := compareRPMPart(a.version, b.version); n != 0 {
		return n
	}
	return compareRPMPart(a.release, b.release)
}

// compareRPMPart takes turns with runs of digits and runs of letters; everything else only
// keeps them apart. ~ is below the end of the text, ^ above it and below all else.
func compareRPMPart(a, b string) int {
	if a == "" || b == "" {
		return min(1, len(a)) - min(1, len(b))
	}
	for {
		a, b = trimSeparators(a), trimSeparators(b)
		ta, tb := first(a) == '~', first(b) == '~'
		ca, cb := first(a) == '^', first(b) == '^'
		switch {
		case ta && tb, !ta && !tb && ca && cb:
			a, b = a[1:], b[1:]
			continue
		case ta:
			return -1
		case tb:
			return 1
		case ca:
			if b == "" {
				return 1
			}
			return -1
		case cb:
			if a == "" {
				return -1
			}
			return 1
		}
		if a == "" || b == "" {
			return min(1, len(a)) - min(1, len(b))
		}
		if !isDigit(a[0]) {
			i, j := letters(a), letters(b)
			if j == 0 {
				return -1 // letters are below digits
			}
			if n := strings.Compare(a[:i], b[:j]); n != 0 {
				return n
			}
			a, b = a[i:], b[j:]
			continue
		}
		if !isDigit(b[0]) {
			return 1
		}
		var na, nb string
		na, a = cutNumber(a)
		nb, b = cutNumber(b)
		if n := compareNumbers(na, nb); n != 0 {
			return n
		}
	}
}

// first is the first byte of s, 0 where there is none.
func first(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}

func trimSeparators(s string) string {
	for i := range len(s) {
		if c := s[i]; isDigit(c) || isLetter(c) || c == '~' || c == '^' {
			return s[i:]
		}
	}
	return ""
}

func letters(s string) int {
	for i := range len(s) {
		if !isLetter(s[i]) {
			return i
		}
	}
	return len(s)
}
