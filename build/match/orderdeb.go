package match

import (
	"strings"
	"unicode/utf8"
)

// The order of Debian's package versions (Debian policy §5.6.12, deb-version(7)), without an
// allocation: an image is held against thousands of bounds. For what policy allows in a
// version it is dpkg's order; for what it does not (characters beyond ASCII, control
// characters, a colon or hyphen out of place, any length of epoch) it is that of
// osv-scalibr's semantic, which takes nearly every text for a version.

// parseDeb cuts a version into epoch, upstream version and revision; ok is false where the
// epoch is no number. No epoch is 0, which is kept as "", as all leading zeros are dropped.
func parseDeb(s string) (v parsed, ok bool) {
	s = strings.TrimSpace(s)
	v.kind = orderDeb
	if i := strings.IndexByte(s, ':'); i >= 0 {
		epoch := s[:i]
		if epoch == "" {
			return v, false
		}
		for j := range len(epoch) {
			if !isDigit(epoch[j]) {
				return v, false
			}
		}
		v.epoch, s = strings.TrimLeft(epoch, "0"), s[i+1:]
	}
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		v.version, v.release = s[:i], s[i+1:]
	} else {
		v.version = s // no revision is equal to revision 0, as the end of the text is to a number 0
	}
	return v, true
}

func compareDeb(a, b *parsed) int {
	if n := compareNumbers(a.epoch, b.epoch); n != 0 {
		return n
	}
	if n := compareDebPart(a.version, b.version); n != 0 {
		return n
	}
	return compareDebPart(a.release, b.release)
}

// compareDebPart takes turns with the parts that have no digits and the numbers.
func compareDebPart(a, b string) int {
	for a != "" || b != "" {
		for a != "" && !isDigit(a[0]) || b != "" && !isDigit(b[0]) {
			wa, wb := debWeight(&a), debWeight(&b)
			if wa != wb {
				if wa < wb {
					return -1
				}
				return 1
			}
		}
		var na, nb string
		na, a = cutNumber(a)
		nb, b = cutNumber(b)
		if n := compareNumbers(na, nb); n != 0 {
			return n
		}
	}
	return 0
}

// debWeight takes a character off and weighs it: ~ before the end of the part, the end before
// letters, letters before everything else.
func debWeight(s *string) int {
	if *s == "" || isDigit((*s)[0]) {
		return 2
	}
	c, size := int((*s)[0]), 1
	if c >= utf8.RuneSelf {
		_, size = utf8.DecodeRuneInString(*s)
	}
	*s = (*s)[size:]
	switch {
	case c == '~':
		return 1
	case isLetter(byte(c)):
		return c
	}
	return c + 'z'
}

// cutNumber takes the digits off the front of s, without leading zeros.
func cutNumber(s string) (number, rest string) {
	from := 0
	for from < len(s) && s[from] == '0' {
		from++
	}
	to := from
	for to < len(s) && isDigit(s[to]) {
		to++
	}
	return s[from:to], s[to:]
}

// compareNumbers compares numbers of any length, written without leading zeros.
func compareNumbers(a, b string) int {
	switch {
	case len(a) < len(b):
		return -1
	case len(a) > len(b):
		return 1
	}
	return strings.Compare(a, b)
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
