package match

import (
	"cmp"
	"slices"
	"strings"
)

// function names vulnerable code of one Go package: of the whole where Symbols is empty.
type function struct {
	Path    string   `json:"path"`
	Symbols []string `json:"symbols,omitempty"`
	GOOS    []string `json:"goos,omitempty"`
	GOARCH  []string `json:"goarch,omitempty"`
}

// maxFunctions of one vulnerability are handed on; the most known is some hundreds.
const maxFunctions = 4096

// functions gathers what the records that hold the version name. Nothing when one of the Go
// vulnerability database does not name any: what the others name is then not all of it.
// Records of other publishers (GHSA) never name functions and speak of the same vulnerability.
func functions(hits []*hit) ([]function, error) {
	var out []function
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
			out = append(out, function(f))
		}
	}
	if n > maxFunctions {
		return nil, nil
	}
	slices.SortStableFunc(out, func(a, b function) int { return cmp.Compare(a.Path, b.Path) })
	return out, nil
}
