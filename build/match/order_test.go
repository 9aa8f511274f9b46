package match

import (
	"archive/zip"
	"encoding/json"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/osv-scalibr/semantic"
	"pgregory.net/rapid"
)

// Our orders of Debian's and rpm's versions are those of the library, for whatever text.

// agree holds our order of two texts against the library's.
func agree(tb rapid.TB, ecosystem, a, b string) {
	tb.Helper()
	o := newOrder(ecosystem)
	x, errX := o.parse(a)
	y, errY := o.parse(b)
	if errX != nil || errY != nil {
		for text, err := range map[string]error{a: errX, b: errY} {
			if _, want := semantic.Parse(text, o.ecosystem); o.comparable(text) && (err == nil) != (want == nil) {
				tb.Fatalf("%s %q: %v, the library says %v", ecosystem, text, err, want)
			}
		}
		return
	}
	got, err := compare(&x, &y)
	if err != nil {
		tb.Fatal(err)
	}
	want, err := semantic.MustParse(a, o.ecosystem).Compare(semantic.MustParse(b, o.ecosystem))
	if err != nil {
		tb.Fatal(err)
	}
	if got != want {
		tb.Fatalf("%s: %q against %q is %d, the library says %d", ecosystem, a, b, got, want)
	}
	if back, _ := compare(&y, &x); back != -got {
		tb.Fatalf("%s: %q against %q is %d, and %d the other way round", ecosystem, a, b, got, back)
	}
}

func TestOurOrdersAreTheLibrarys(t *testing.T) {
	for _, ecosystem := range []string{"Debian", "Red Hat"} {
		t.Run(ecosystem, rapid.MakeCheck(func(t *rapid.T) {
			piece := rapid.OneOf(
				rapid.SampledFrom([]string{"", "0", "00", "1", "01", "10", "99999999999999999999999", "~", "^", "+", "-", ".", ":", "a", "Z", "rc", "deb", "el9", "_", "é", "\xff", "\x00", "\r"}),
				rapid.StringMatching(`[0-9a-zA-Z.+~:^-]{0,4}`), rapid.String(),
			)
			text := rapid.Custom(func(t *rapid.T) string {
				return "1" + strings.Join(rapid.SliceOfN(piece, 0, 6).Draw(t, "pieces"), "")
			})
			a := text.Draw(t, "a")
			b := text.Draw(t, "b")
			if rapid.Bool().Draw(t, "alike") { // texts that share a beginning meet more of the rules
				b = a[:rapid.IntRange(0, len(a)).Draw(t, "shared")] + piece.Draw(t, "tail")
			}
			agree(t, ecosystem, a, b)
		}))
	}
}

func FuzzOurOrdersAreTheLibrarys(f *testing.F) {
	for _, s := range [][2]string{
		{"1:2.5.0-1+deb12u1", "2.5.0-1"},
		{"1.0~rc1-1", "1.0-1"},
		{"1.0-0", "1.0"},
		{"007:1", "7:1"},
		{"1.0-1-2", "1.0-1"},
		{"32:9.11.36-5.el8", "9.11.36-5.el8_10"},
		{"1.0^git1-1", "1.0-1"},
		{"1.0", "1.0-"},
		{"1é", "1ê"},
		{"1\x00", "1z"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		agree(t, "Debian", a, b)
		agree(t, "Red Hat", a, b)
	})
}

// realVersions are the versions that real advisories name of the families of an order.
func realVersions(tb testing.TB, folder string) []string {
	tb.Helper()
	z, err := zip.OpenReader(filepath.Join(shared(tb), "advisories", "osv", folder, "all.zip"))
	must(tb, err)
	defer z.Close()
	seen := map[string]bool{}
	for _, f := range z.File {
		r, err := f.Open()
		must(tb, err)
		var record struct {
			Affected []struct {
				Versions []string
				Ranges   []struct{ Events []map[string]string }
			}
		}
		must(tb, json.NewDecoder(r).Decode(&record))
		r.Close()
		for _, a := range record.Affected {
			for _, v := range a.Versions {
				seen[v] = true
			}
			for _, g := range a.Ranges {
				for _, e := range g.Events {
					for _, v := range e {
						seen[v] = true
					}
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func TestOurOrdersAreTheLibrarysOnEveryRealVersion(t *testing.T) {
	for folder, ecosystem := range map[string]string{"Debian": "Debian", "AlmaLinux": "AlmaLinux"} {
		versions := realVersions(t, folder)
		if len(versions) < 1000 {
			t.Fatalf("only %d versions in %s", len(versions), folder)
		}
		for i, v := range versions {
			// Neighbours in the alphabet share most of their text; others are far away.
			for _, step := range []int{1, 2, 3, 101, 1009} {
				agree(t, ecosystem, v, versions[(i+step)%len(versions)])
			}
			agree(t, ecosystem, v, v+"~")
			agree(t, ecosystem, v, v+"+b1")
		}
		t.Logf("%s: %d versions", folder, len(versions))
	}
}

// dpkg itself is asked for what Debian policy §5.6.12 says of some real and some made versions.
func TestOurDebianOrderIsDpkgs(t *testing.T) {
	dpkg, err := exec.LookPath("dpkg")
	if err != nil {
		t.Skip("needs dpkg")
	}
	pairs := [][2]string{
		{"1.0", "1.0-0"},
		{"1.0~", "1.0"},
		{"1.0~~", "1.0~"},
		{"1.0~~a", "1.0~"},
		{"1.0a", "1.0+"},
		{"1.0+", "1.0."},
		{"1:0.1", "9.9"},
		{"0:1", "1"},
		{"1.007", "1.7"},
		{"1.0-1", "1.0-1.1"},
		{"1.0-1~bpo12+1", "1.0-1"},
		{"1.0-1+deb12u10", "1.0-1+deb12u9"},
		{"1-2-3", "1-2.0-3"},
		{"1:1:2-1", "1:1-1"},
		{"1.99999999999999999999", "1.100000000000000000000"},
		{"1.a", "1.A"},
		{"2.0z", "2.0~z"},
		{"1.0-a", "1.0"},
	}
	o := newOrder("Debian")
	if !testing.Short() {
		versions := realVersions(t, "Debian")
		for i := 0; i < len(versions)-1; i += max(1, len(versions)/150) {
			pairs = append(pairs, [2]string{versions[i], versions[i+1]})
		}
	}
	for _, p := range pairs {
		a, errA := o.parse(p[0])
		b, errB := o.parse(p[1])
		if errA != nil || errB != nil {
			continue
		}
		n := compareDeb(&a, &b)
		operator := map[int]string{-1: "lt", 0: "eq", 1: "gt"}[n]
		if err := exec.CommandContext(t.Context(), dpkg, "--compare-versions", p[0], operator, p[1]).Run(); err != nil {
			t.Errorf("%s %s %s is not what dpkg says", p[0], operator, p[1])
		}
	}
}

func TestComparingDoesNotAllocate(t *testing.T) {
	for ecosystem, p := range map[string][2]string{"Debian": {"1:2.5.0-1+deb12u1", "1:2.5.0-1+deb12u2"}, "AlmaLinux": {"32:9.11.36-5.el8", "32:9.11.36-5.el8_10"}} {
		o := newOrder(ecosystem)
		if n := testing.AllocsPerRun(100, func() {
			a, _ := o.parse(p[0])
			b, _ := o.parse(p[1])
			if n, err := compare(&a, &b); n >= 0 || err != nil {
				t.Fatal(n, err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", ecosystem, n)
		}
	}
}
