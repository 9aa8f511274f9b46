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
type order struct {
	ecosystem string
	kind      orderKind
}

// orderKind says who compares.
type orderKind byte

const (
	orderLibrary orderKind = iota // osv-scalibr's semantic
	orderDeb
	orderRPM
)

// parsed is a version that has been read; the zero value is none.
type parsed struct {
	kind                    orderKind
	epoch, version, release string           // orderDeb, orderRPM
	library                 semantic.Version // orderLibrary
}

// semanticNames are families whose versions are compared in the order of another one.
var semanticNames = map[string]string{
	"Photon OS": "Red Hat", "Azure Linux": "Red Hat", "CleanStart": "Alpine", // package formats rpm and apk
	"Echo": "Debian", "opam": "Debian", // https://opam.ocaml.org/doc/Manual.html#Version-ordering
	"GitHub Actions": "npm", "Kubernetes": "npm", "VSCode": "npm",
}

func newOrder(family string) order {
	o := order{ecosystem: family}
	if name, ok := semanticNames[family]; ok {
		o.ecosystem = name
	}
	switch o.ecosystem {
	case "Debian", "Ubuntu":
		o.kind = orderDeb
	case "AlmaLinux", "Rocky Linux", "Red Hat", "SUSE", "openSUSE", "openEuler", "Mageia":
		o.kind = orderRPM
	}
	return o
}

// errNoVersion marks what is no version in the family's sense.
var errNoVersion = errors.New("is no version that can be compared")

// parse reads a version. The orders take nearly any text for a version; what can be no
// version at all ("latest", "${revision}", "(devel)") is refused here, because it would
// compare below everything and be called vulnerable.
func (o order) parse(version string) (parsed, error) {
	if !o.comparable(version) {
		return parsed{}, fmt.Errorf("%q %w", clip(version), errNoVersion)
	}
	switch o.kind {
	case orderDeb:
		if v, ok := parseDeb(version); ok {
			return v, nil
		}
		// The library says why not.
	case orderRPM:
		return parseRPM(version), nil
	}
	return o.parseLibrary(version)
}

func (o order) parseLibrary(version string) (v parsed, err error) {
	defer func() {
		if recover() != nil {
			v, err = parsed{}, fmt.Errorf("%q %w", clip(version), errNoVersion)
		}
	}()
	v.library, err = semantic.Parse(version, o.ecosystem)
	if err != nil {
		return parsed{}, fmt.Errorf("%q %w: %w", clip(version), errNoVersion, err)
	}
	return v, nil
}

// unversioned are the bytes that no version has.
var unversioned = func() (t [256]bool) {
	for _, c := range "${}()<>=* \t\n\"'|/\\" {
		t[c] = true
	}
	return t
}()

func (o order) comparable(version string) bool {
	if version == "" || len(version) > 512 {
		return false
	}
	digit := false
	for i := range len(version) {
		if unversioned[version[i]] {
			return false
		}
		digit = digit || isDigit(version[i])
	}
	if o.kind == orderRPM {
		return digit
	}
	switch o.ecosystem {
	case "Maven", "Packagist", "RubyGems", "Hackage":
		// These begin with a letter at times, such as Guava's r09; "latest" and dev-main have no digit.
		return digit
	}
	for version != "" && (version[0] == 'v' || version[0] == 'V') {
		version = version[1:]
	}
	return version != "" && isDigit(version[0])
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

// compare orders two versions of one order. An error or a panic of the library means that
// the two cannot be compared.
func compare(a, b *parsed) (int, error) {
	if a.kind == b.kind {
		switch a.kind {
		case orderDeb:
			return compareDeb(a, b), nil
		case orderRPM:
			return compareRPM(a, b), nil
		}
	}
	return compareLibrary(a.library, b.library)
}

func compareLibrary(a, b semantic.Version) (n int, err error) {
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
	parsed parsed
	semver *parsed // in the order of SEMVER ranges, once one was met; unused where that is the family's
}

func (o order) installed(version string) (installed, error) {
	v, err := o.parse(version)
	return installed{text: version, order: o, parsed: v}, err
}

// orderOf is the order that a range is written in, and the version in it.
func (v *installed) orderOf(g advisory.Range) (order, *parsed, error) {
	o := v.order
	if g.Type != advisory.RangeSemver || o.ecosystem == "Go" || o.ecosystem == "npm" || o.ecosystem == "crates.io" {
		return o, &v.parsed, nil
	}
	o = order{ecosystem: "npm"}
	if v.semver == nil {
		p, err := o.parse(v.text)
		if err != nil {
			return o, nil, err
		}
		v.semver = &p
	}
	return o, v.semver, nil
}

// in reports whether a range holds the version, and by which of its events
// (https://ossf.github.io/osv-schema/#evaluation).
func (v *installed) in(g advisory.Range) (ok bool, rule string, err error) {
	o, mine, err := v.orderOf(g)
	if err != nil {
		return false, "", err
	}
	if len(g.Events) == 2 && g.Events[0] == (advisory.Event{Kind: advisory.Introduced, Version: "0"}) {
		if end := &g.Events[1]; end.Kind == advisory.Fixed || end.Kind == advisory.LastAffected {
			return v.below(o, mine, g.Type, end) // nearly every range is of this form
		}
	}
	type bound struct {
		advisory.Event
		n int // of the version against the bound: -1 it is below, 0 at, 1 above
		v *parsed
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
			n, p, err := v.against(o, mine, e)
			if err != nil {
				return false, "", err
			}
			b.n, b.v = n, &p
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

// below is in for a range from the first version of all to end.
func (v *installed) below(o order, mine *parsed, kind advisory.RangeType, end *advisory.Event) (bool, string, error) {
	n := 0
	if end.Version != v.text {
		var err error
		if n, _, err = v.against(o, mine, *end); err != nil {
			return false, "", err
		}
	}
	if n > 0 || n == 0 && end.Kind == advisory.Fixed {
		return false, "", nil
	}
	return true, kind.String() + " introduced 0, " + end.Kind.String() + " " + end.Version, nil
}

// against compares the version with that of an event.
func (v *installed) against(o order, mine *parsed, e advisory.Event) (n int, b parsed, err error) {
	if b, err = o.parse(e.Version); err == nil {
		n, err = compare(mine, &b)
	}
	if err != nil {
		return 0, parsed{}, fmt.Errorf("%v %w", e.Kind, err)
	}
	return n, b, nil
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
			if n, err := compare(&v.parsed, &w); err == nil && n == 0 {
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

// compared says which version was held against a range, whose it is, and in which order, so
// that a person can do it again.
func (v *installed) compared(q query, rule string) string {
	what := v.text
	if q.sourced {
		what += " of source package " + q.name
	}
	order := v.order.ecosystem
	switch {
	case strings.HasPrefix(rule, "versions"):
		return what + " is listed"
	case strings.Contains(rule, "SEMVER"):
		order = "SemVer 2.0"
	case v.order.kind == orderDeb:
		order = "deb-version(7)"
	case v.order.kind == orderRPM:
		order = "rpm-version(7)"
	}
	return what + " compared in the order of " + order
}
