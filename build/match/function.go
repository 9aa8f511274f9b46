package match

import (
	"cmp"
	"slices"
	"strings"

	"github.com/triad-security/triad"
)

// maxFunctions of one vulnerability are handed on; the most known is some hundreds.
const maxFunctions = 4096

// vulnerableCode gathers what the records that hold the version name. Nothing when one of the Go
// vulnerability database does not name any: what the others name is then not all of it.
// Records of other publishers (GHSA) never name functions and speak of the same vulnerability.
func vulnerableCode(hits []*hit) ([]triad.VulnerableCode, error) {
	var out []triad.VulnerableCode
	n := 0
	for _, h := range hits {
		if !h.affected {
			continue
		}
		named, err := h.Functions()
		if err != nil {
			return nil, err
		}
		if len(named) == 0 && strings.HasPrefix(h.rec.ID, "GO-") {
			return nil, nil
		}
		for _, f := range named {
			n += 1 + len(f.Symbols)
			out = append(out, triad.VulnerableCode(f))
		}
	}
	if n > maxFunctions {
		return nil, nil
	}
	slices.SortStableFunc(out, func(a, b triad.VulnerableCode) int { return cmp.Compare(a.Path, b.Path) })
	return out, nil
}
