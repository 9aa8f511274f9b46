package match

import (
	"strings"

	"github.com/triad-security/triad/build/advisory"
)

// Modules of Red Hat and its rebuilds ship several streams of one package side by side
// (nodejs:14, nodejs:16). An erratum holds for one stream, which its records tell only in the
// summary: "Important: nodejs:16 security update". Comparing across streams would call every
// build of an older stream vulnerable.

// moduleStream reads an rpm's modularity label, "nodejs:14:8040020210…:9f9e2e7e".
func moduleStream(label string) string {
	parts := strings.SplitN(label, ":", 3)
	if len(parts) < 2 {
		return ""
	}
	return parts[0] + ":" + parts[1]
}

// isModular reports whether a version is of a module's build.
func isModular(version string) bool {
	return strings.Contains(version, ".module_") || strings.Contains(version, ".module+")
}

// summaryStreams are the module streams that an erratum's summary names.
func summaryStreams(summary string) []string {
	var out []string
	for _, word := range strings.Fields(summary) {
		word = strings.Trim(word, ",;()")
		if module, stream, ok := strings.Cut(word, ":"); ok && module != "" && stream != "" && !strings.ContainsAny(stream, ":/") {
			out = append(out, word)
		}
	}
	return out
}

// otherStream reports whether an erratum's fix is of another module stream than the
// installed version, or of a module where the installed one is of none.
func otherStream(q query, h *hit) bool {
	switch q.family {
	case "AlmaLinux", "Rocky Linux", "Red Hat":
	default:
		return false
	}
	fixed := ""
	for _, g := range h.Ranges {
		for _, e := range g.Events {
			if e.Kind == advisory.Fixed {
				fixed = e.Version
			}
		}
	}
	if fixed == "" {
		return false
	}
	if isModular(fixed) != isModular(q.version) {
		return true
	}
	if !isModular(fixed) {
		return false
	}
	module, installed, labelled := strings.Cut(q.stream, ":")
	named, other := false, false
	for _, s := range summaryStreams(h.rec.Summary) {
		m, stream, _ := strings.Cut(s, ":")
		switch {
		case labelled && m == module:
			named = true
			other = other || stream != installed
			if stream == installed {
				return false
			}
		case !labelled && startsWith(fixed, stream):
			// The stream is the version's beginning, as in nodejs:16 and 16.14.0; so must the installed one be.
			named = true
			if startsWith(q.version, stream) {
				return false
			}
			other = true
		}
	}
	return named && other
}

// startsWith reports whether an rpm version begins with the parts of stream.
func startsWith(version, stream string) bool {
	if _, rest, ok := strings.Cut(version, ":"); ok {
		version = rest
	}
	rest, ok := strings.CutPrefix(version, stream)
	return ok && (rest == "" || rest[0] < '0' || rest[0] > '9') && stream[0] >= '0' && stream[0] <= '9'
}
