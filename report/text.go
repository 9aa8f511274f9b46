package report

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/triad-security/triad"
)

// printable takes out what a name could steer a terminal or a reader's eye with: control
// characters, and those that turn the direction of writing (Unicode Standard Annex 9).
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == 0x2028 || r == 0x2029 || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError {
			return '�'
		}
		return r
	}, text)
}

// Printable is printable, for those who write a table of their own.
func Printable(text string) string { return printable(text) }

// line is printable text on one line, cut to n characters.
func line(text string, n int) string {
	runes := []rune(printable(strings.Join(strings.Fields(text), " ")))
	if len(runes) <= n {
		return string(runes)
	}
	return string(runes[:n-1]) + "…"
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// advisoryID is what identifiers of advisories look like: CVE-2024-1234, GHSA-…, DSA-…, RHSA-2024:1.
var advisoryID = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9.:_]+)+$`)

// advisoryURL is where an advisory can be read; empty for what is no advisory's ID.
func advisoryURL(id string) string {
	if len(id) > 100 || !advisoryID.MatchString(id) {
		return ""
	}
	return "https://osv.dev/vulnerability/" + id
}

// place says where in the artifact something is: path:line.
func place(p string, n int) string {
	if p != "" && n > 0 {
		return p + ":" + strconv.Itoa(n)
	}
	return p
}

// sentence says in one line what a vulnerability is and what to do.
func sentence(v triad.Vulnerability) string {
	s := fmt.Sprintf("%s in %s %s", v.ID, v.Package, v.Version)
	if v.Summary != "" {
		s += ": " + strings.TrimRight(strings.Join(strings.Fields(v.Summary), " "), ".")
	}
	return s + ". " + remedy(v)
}

func remedy(v triad.Vulnerability) string {
	if v.Fixed == "" {
		return "No fixed version is known."
	}
	return fmt.Sprintf("Fixed in %s.", v.Fixed)
}

func title(f triad.Finding) string {
	if f.Title != "" {
		return f.Title
	}
	return f.ID
}

// relative makes a path that stays below its root, whatever is in it.
func relative(p string) string {
	return strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(p, "\\", "/")), "/")
}
