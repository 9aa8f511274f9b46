package match

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/osv-scalibr/semantic"

	"github.com/triad-security/triad/build/advisory"
)

// order compares versions of one family.
type order struct{ ecosystem string }

// semanticNames are families whose versions are compared in the order of another one.
var semanticNames = map[string]string{
	"Photon OS": "Red Hat", "Azure Linux": "Red Hat", "CleanStart": "Alpine", // package formats rpm and apk
	"Echo": "Debian", "opam": "Debian", // https://opam.ocaml.org/doc/Manual.html#Version-ordering
	"GitHub Actions": "npm", "Kubernetes": "npm", "VSCode": "npm",
}

func newOrder(family string) order {
	if name, ok := semanticNames[family]; ok {
		return order{name}
	}
	return order{family}
}

// errNoVersion marks what is no version in the family's sense.
var errNoVersion = errors.New("is no version that can be compared")

// parse reads a version. The library takes nearly any text for a version; what can be no
// version at all ("latest", "${revision}", "(devel)") is refused here, because it would
// compare below everything and be called vulnerable.
func (o order) parse(version string) (v semantic.Version, err error) {
	if !comparable(o.ecosystem, version) {
		return nil, fmt.Errorf("%q %w", clip(version), errNoVersion)
	}
	defer func() {
		if recover() != nil {
			v, err = nil, fmt.Errorf("%q %w", clip(version), errNoVersion)
		}
	}()
	v, err = semantic.Parse(version, o.ecosystem)
	if err != nil {
		return nil, fmt.Errorf("%q %w: %w", clip(version), errNoVersion, err)
	}
	return v, nil
}

func comparable(ecosystem, version string) bool {
	if version == "" || len(version) > 512 || strings.ContainsAny(version, "${}()<>=* \t\n\"'|/\\") {
		return false
	}
	first := strings.TrimLeft(version, "vV=")
	switch ecosystem {
	case "Maven", "Packagist", "RubyGems", "Hackage", "AlmaLinux", "Rocky Linux", "Red Hat", "SUSE", "openSUSE", "openEuler", "Mageia":
		// These begin with a letter at times, such as Guava's r09; "latest" and dev-main have no digit.
		return strings.ContainsAny(version, "0123456789")
	}
	return first != "" && first[0] >= '0' && first[0] <= '9'
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

// compare is a Compare whose error and panic both mean that the two cannot be compared.
func compare(a, b semantic.Version) (n int, err error) {
	defer func() {
		if recover() != nil {
			err = errNoVersion
		}
	}()
	return a.Compare(b)
}

// installed is a version that ranges are held against.
type installed struct {
	text   string
	order  order
	parsed semantic.Version
	semver semantic.Version // in the order of SEMVER ranges; nil where that is the family's
}

func (o order) installed(version string) (installed, error) {
	v, err := o.parse(version)
	return installed{text: version, order: o, parsed: v}, err
}

// in reports whether a range holds the version, and by which of its events
// (https://ossf.github.io/osv-schema/#evaluation).
func (v *installed) in(g advisory.Range) (ok bool, rule string, err error) {
	type bound struct {
		advisory.Event
		n int // of the version against the bound: -1 it is below, 0 at, 1 above
		v semantic.Version
	}
	mine, o := v.parsed, v.order
	if g.Type == advisory.RangeSemver && o.ecosystem != "Go" && o.ecosystem != "npm" && o.ecosystem != "crates.io" {
		o = order{"npm"}
		if v.semver == nil {
			if v.semver, err = o.parse(v.text); err != nil {
				return false, "", err
			}
		}
		mine = v.semver
	}
	var space [4]bound
	bounds := space[:0]
	limited, inLimit := false, false
	for _, e := range g.Events {
		b := bound{Event: e, n: 1}
		switch {
		case e.Kind == advisory.Introduced && e.Version == "0":
			// Before every version, whatever the order.
		case e.Version == v.text:
			b.n, b.v = 0, mine
		case e.Kind == advisory.Limit && e.Version == "*":
			b.n = -1
		default:
			if b.v, err = o.parse(e.Version); err == nil {
				b.n, err = compare(mine, b.v)
			}
			if err != nil {
				return false, "", fmt.Errorf("%v %w", e.Kind, err)
			}
		}
		if e.Kind == advisory.Limit {
			limited, inLimit = true, inLimit || b.n < 0
			continue
		}
		bounds = append(bounds, b)
	}
	if limited && !inLimit {
		return false, "", nil
	}
	slices.SortStableFunc(bounds, func(a, b bound) int {
		if a.v == nil || b.v == nil {
			return cmp.Or(cmp.Compare(btoi(a.v != nil), btoi(b.v != nil)), cmp.Compare(a.Kind, b.Kind))
		}
		n, e := compare(a.v, b.v)
		if e != nil {
			err = e
		}
		return cmp.Or(n, cmp.Compare(a.Kind, b.Kind))
	})
	if err != nil {
		return false, "", err
	}
	var from, to string
	for _, b := range bounds {
		switch {
		case b.Kind == advisory.Introduced && b.n >= 0:
			ok, from, to = true, b.Version, ""
		case b.Kind == advisory.Fixed && b.n >= 0, b.Kind == advisory.LastAffected && b.n > 0:
			ok = false
		case b.Kind != advisory.Introduced && ok && to == "":
			to = ", " + b.Kind.String() + " " + b.Version
		}
	}
	if !ok {
		return false, "", nil
	}
	return true, g.Type.String() + " introduced " + from + to, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// listed reports whether the version is one of a list: the same text, or an equal version
// such as 1.0 for 1.0.0 where the family says so.
func (v *installed) listed(versions []string) bool {
	short := shorten(v.text)
	for _, s := range versions {
		if s == v.text {
			return true
		}
		if shorten(s) != short {
			continue
		}
		if w, err := v.order.parse(s); err == nil {
			if n, err := compare(v.parsed, w); err == nil && n == 0 {
				return true
			}
		}
	}
	return false
}

// shorten is a text that equal versions share; unequal ones may share it too.
func shorten(s string) string {
	s = strings.TrimLeft(s, "vV")
	for strings.HasSuffix(s, ".0") {
		s = s[:len(s)-2]
	}
	return strings.ToLower(s)
}
