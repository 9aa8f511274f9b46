package scan

import (
	"slices"
	"strings"

	"github.com/triad-security/triad"
)

// link says of the vulnerabilities of Go programs whether the functions that their advisories
// name are part of the program.
func (r *Result) link(found []Vulnerability) {
	sets := map[string][]uint64{}
	for i := range found {
		v := &found[i]
		code := r.code[v.Path]
		if code == nil || len(v.Code) == 0 {
			continue
		}
		set, ok := sets[v.Path]
		if !ok {
			set = code.functions()
			sets[v.Path] = set
		}
		v.Linked, v.Symbols = code.linked(v.Code, set)
	}
}

// linked is nil where the absence of a name proves nothing.
func (c *goCode) linked(named []triad.VulnerableCode, set []uint64) (*bool, []string) {
	if len(set) == 0 {
		return nil, nil
	}
	has := func(pkg, symbol string) bool {
		_, ok := slices.BinarySearch(set, codeHash(pkg, symbol))
		return ok
	}
	var symbols []string
	is, sure := false, true
	for _, f := range named {
		if len(f.GOOS) > 0 && c.GOOS != "" && !slices.Contains(f.GOOS, c.GOOS) || len(f.GOARCH) > 0 && c.GOARCH != "" && !slices.Contains(f.GOARCH, c.GOARCH) {
			continue
		}
		pkg := linkerPath(f.Path)
		if f.Path == c.Main {
			pkg = "main"
		}
		if len(f.Symbols) == 0 && has(pkg, "") {
			is = true
			symbols = append(symbols, f.Path)
		}
		for _, s := range f.Symbols {
			if has(pkg, s) {
				is = true
				symbols = append(symbols, f.Path+"."+s)
			}
		}
		sure = sure && !intrinsic(f.Path)
	}
	if !is && !sure {
		return nil, nil
	}
	slices.Sort(symbols)
	return &is, slices.Compact(symbols)
}

// intrinsic: the compiler puts instructions in place of calls of some functions of these
// packages, which leaves no name.
func intrinsic(path string) bool {
	switch path {
	case "runtime", "math", "sync/atomic", "unsafe", "crypto/subtle", "reflect", "sync":
		return true
	}
	return strings.HasPrefix(path, "internal/") || strings.HasPrefix(path, "runtime/") || strings.HasPrefix(path, "math/")
}
