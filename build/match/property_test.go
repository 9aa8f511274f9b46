package match

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/advisory"
)

// version draws a version that the family knows, with the awkward parts of its order.
func version(family string) *rapid.Generator[string] {
	number := rapid.IntRange(0, 12)
	return rapid.Custom(func(t *rapid.T) string {
		var parts []string
		n := rapid.IntRange(1, 4).Draw(t, "parts")
		switch family {
		case "Go", "npm", "crates.io":
			n = 3
		}
		for range n {
			parts = append(parts, strconv.Itoa(number.Draw(t, "n")))
		}
		v := strings.Join(parts, ".")
		var tails []string
		switch family {
		case "Debian", "Ubuntu":
			tails = []string{"", "-1", "-1+deb12u1", "~rc1-1", "-1~bpo12+1", "+dfsg-2"}
			if rapid.Bool().Draw(t, "epoch") {
				v = "1:" + v
			}
		case "AlmaLinux", "Red Hat":
			tails = []string{"-1.el9", "-2.el9_1", "~rc1-1.el9", "^git1-1.el9"}
		case "Alpine":
			tails = []string{"", "-r0", "-r12", "_rc1", "_p1-r1"}
		case "PyPI":
			tails = []string{"", "rc1", ".post1", ".dev3", "a2"}
		case "Maven":
			tails = []string{"", "-SNAPSHOT", "-rc1", ".Final", "-jre"}
		case "RubyGems":
			tails = []string{"", ".pre1", ".rc.2"}
		default:
			tails = []string{"", "-alpha.1", "-rc.1", "-0"}
		}
		return v + rapid.SampledFrom(tails).Draw(t, "tail")
	})
}

var propertyFamilies = []string{"Debian", "Ubuntu", "AlmaLinux", "Alpine", "PyPI", "Maven", "npm", "Go", "crates.io", "RubyGems", "NuGet", "Packagist"}

func TestAVersionAtFixedIsNeverAffected(t *testing.T) {
	for _, family := range propertyFamilies {
		t.Run(family, rapid.MakeCheck(func(t *rapid.T) {
			o := newOrder(family)
			var g advisory.Range
			for range rapid.IntRange(1, 4).Draw(t, "events") {
				kind := rapid.SampledFrom([]advisory.EventKind{advisory.Introduced, advisory.Fixed, advisory.LastAffected}).Draw(t, "kind")
				g.Events = append(g.Events, advisory.Event{Kind: kind, Version: version(family).Draw(t, "bound")})
			}
			fixed := version(family).Draw(t, "fixed")
			g.Events = append(g.Events, advisory.Event{Kind: advisory.Introduced, Version: "0"}, advisory.Event{Kind: advisory.Fixed, Version: fixed})
			v, err := o.installed(fixed)
			if err != nil {
				t.Fatal(err)
			}
			if in, rule, err := v.in(g); in || err != nil {
				t.Fatalf("%s is held by %v: %s %v", fixed, g.Events, rule, err)
			}
		}))
	}
}

func TestTheOrderOfEventsDoesNotMatter(t *testing.T) {
	for _, family := range propertyFamilies {
		t.Run(family, rapid.MakeCheck(func(t *rapid.T) {
			o := newOrder(family)
			a := advisory.Range{Events: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) advisory.Event {
				kind := rapid.SampledFrom([]advisory.EventKind{advisory.Introduced, advisory.Fixed, advisory.LastAffected, advisory.Limit}).Draw(t, "kind")
				return advisory.Event{Kind: kind, Version: version(family).Draw(t, "bound")}
			}), 1, 6).Draw(t, "events")}
			b := advisory.Range{Events: rapid.Permutation(a.Events).Draw(t, "permuted")}
			v, err := o.installed(version(family).Draw(t, "version"))
			if err != nil {
				t.Fatal(err)
			}
			inA, _, errA := v.in(a)
			inB, _, errB := v.in(b)
			if inA != inB || errA != nil || errB != nil {
				t.Fatalf("%s: %v %v in %v, %v %v in %v", v.text, inA, errA, a.Events, inB, errB, b.Events)
			}
		}))
	}
}

// A simple range agrees with the order itself: affected from introduced on, below fixed.
func TestARangeIsWhatLiesBetweenItsEnds(t *testing.T) {
	for _, family := range propertyFamilies {
		t.Run(family, rapid.MakeCheck(func(t *rapid.T) {
			o := newOrder(family)
			from, to := version(family).Draw(t, "introduced"), version(family).Draw(t, "fixed")
			v, err := o.installed(version(family).Draw(t, "version"))
			if err != nil {
				t.Fatal(err)
			}
			a, errA := o.parse(from)
			b, errB := o.parse(to)
			if errA != nil || errB != nil {
				t.Fatal(errA, errB)
			}
			if n, err := compare(&a, &b); err != nil || n >= 0 || from == "0" {
				t.Skip("an empty range, or 0, which is below every version")
			}
			above, _ := compare(&v.parsed, &a)
			below, _ := compare(&v.parsed, &b)
			in, rule, err := v.in(advisory.Range{Events: []advisory.Event{{Kind: advisory.Introduced, Version: from}, {Kind: advisory.Fixed, Version: to}}})
			if err != nil || in != (above >= 0 && below < 0) {
				t.Fatalf("%s in [%s, %s): %v %s %v", v.text, from, to, in, rule, err)
			}
		}))
	}
}

func TestTheLowestFixIsAboveTheInstalledVersionAndNotAffected(t *testing.T) {
	for _, family := range propertyFamilies {
		t.Run(family, rapid.MakeCheck(func(t *rapid.T) {
			var hits []*hit
			for range rapid.IntRange(1, 4).Draw(t, "records") {
				h := &hit{}
				h.Ranges = []advisory.Range{{Events: []advisory.Event{
					{Kind: advisory.Introduced, Version: version(family).Draw(t, "introduced")},
					{Kind: advisory.Fixed, Version: version(family).Draw(t, "fixed")},
				}}}
				hits = append(hits, h)
			}
			o := newOrder(family)
			v, err := o.installed(version(family).Draw(t, "version"))
			if err != nil {
				t.Fatal(err)
			}
			fix := lowestFix(&v, hits)
			if fix == "" {
				return
			}
			f, err := o.installed(fix)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := compare(&f.parsed, &v.parsed); err != nil || n <= 0 {
				t.Fatalf("the fix %s is not above %s", fix, v.text)
			}
			for _, h := range hits {
				if in, _, _ := h.evaluate(&f); in {
					t.Fatalf("the fix %s is affected by %v", fix, h.Ranges)
				}
			}
		}))
	}
}

func TestFoldingDoesNotDependOnTheOrderOfRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.Custom(func(t *rapid.T) string {
			kind := rapid.SampledFrom([]string{"CVE-2024-%04d", "GHSA-%04d", "PYSEC-%04d", "ALSA-%04d", "DSA-%04d"}).Draw(t, "kind")
			return fmt.Sprintf(kind, rapid.IntRange(0, 6).Draw(t, "number"))
		})
		some := rapid.SliceOfN(id, 0, 3)
		var hits []*hit
		for range rapid.IntRange(0, 8).Draw(t, "records") {
			hits = append(hits, &hit{affected: true, rec: &advisory.Record{ID: id.Draw(t, "id"), Aliases: some.Draw(t, "aliases"), Upstream: some.Draw(t, "upstream"), Related: some.Draw(t, "related")}})
		}
		show := func(groups []*group) (out []string) {
			for _, g := range groups {
				var records []string
				for _, h := range g.hits {
					records = append(records, fmt.Sprintf("%p", h))
				}
				slices.Sort(records)
				out = append(out, fmt.Sprint(g.ids, records))
			}
			return out
		}
		a, b := show(fold(hits)), show(fold(rapid.Permutation(hits).Draw(t, "permuted")))
		// Groups of equal first ids may trade places.
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Fatalf("%v\n%v", a, b)
		}
		seen := map[string]bool{}
		for _, g := range fold(hits) {
			if advisory.IsCVE(g.ids[0]) {
				if seen[g.ids[0]] {
					t.Fatalf("%s is two findings", g.ids[0])
				}
				seen[g.ids[0]] = true
			}
		}
	})
}

// FuzzPackage: no package URL or version, however made, stops the matcher.
func FuzzPackage(f *testing.F) {
	m := database(f, nil,
		osv("GHSA-1", `"aliases":["CVE-2024-0001"]`, "npm", "x", ranges("SEMVER", "introduced", "0", "fixed", "1.0.0")),
		osv("D-1", `"upstream":["CVE-2024-0002"]`, "Debian:12", "x", ranges("ECOSYSTEM", "introduced", "0", "fixed", "1.0-1")),
		osv("P-1", `"aliases":["CVE-2024-0003"]`, "PyPI", "x", ranges("ECOSYSTEM", "introduced", "1.0", "last_affected", "2.0")),
	)
	f.Add("pkg:npm/x@0.9.0", "", "", "")
	f.Add("pkg:deb/debian/y@0.9-1?distro=debian-12&upstream=x", "", "", "")
	f.Add("", "x", "1.5.post1", "PyPI")
	f.Add("pkg:rpm/almalinux/x@1?epoch=1&rpmmod=a:b&distro=almalinux-9", "x", "1", "")
	f.Add("pkg:apk/alpine/x@1?distro=-", "", "", "Alpine:")
	f.Fuzz(func(t *testing.T, purl, name, v, ecosystem string) {
		if _, err := m.Check(t.Context(), []triad.Package{{PURL: purl, Name: name, Version: v, Ecosystem: ecosystem}}); err != nil {
			t.Fatal(err)
		}
	})
}
