package storetest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/triad-security/triad"
)

func testReports(t *testing.T, s triad.Store) {
	first := apply(t, s, report(10, "a:x=1", "a:y=1", "b:z=1", "c"))
	if !first.Complete || first.Added != 3 || first.Changed+first.Removed != 0 || first.First != 1 || first.Last != 6 {
		t.Errorf("the first report gave %+v", first)
	}
	check(t, s, want("a", "a:x=1", "a:y=1", "b", "b:z=1", "c"))

	t.Run("the same again changes nothing", func(t *testing.T) {
		for _, r := range []*triad.Report{report(10, "a:x=1", "a:y=1", "b:z=1", "c"), report(11, "a:x=1", "a:y=1", "b:z=1", "c")} {
			if again := apply(t, s, r); again != (triad.Applied{Complete: true}) {
				t.Errorf("revision %d gave %+v", r.Revision, again)
			}
		}
	})
	t.Run("absence in a complete section deletes, elsewhere not", func(t *testing.T) {
		got := apply(t, s, report(12, "a:x=2"))
		if got.Added != 0 || got.Changed != 1 || got.Removed != 1 {
			t.Errorf("gave %+v", got)
		}
		check(t, s, want("a", "a:x=2", "b", "b:z=1", "c"))
	})
	t.Run("an unread section keeps its last known rows", func(t *testing.T) {
		apply(t, s, report(13, "a!", "b:z=1", "c"))
		check(t, s, want("a!", "a:x=2", "b", "b:z=1", "c"))
	})
	t.Run("an unread section takes in the rows that were read", func(t *testing.T) {
		apply(t, s, report(14, "a!:x=3", "a!:w=1"))
		check(t, s, want("a!", "a:x=3", "a:w=1", "b", "b:z=1", "c"))
	})
	t.Run("a late report does not undo a later one", func(t *testing.T) {
		apply(t, s, report(9, "a:old=1", "b:old=1"))
		check(t, s, want("a!", "a:x=3", "a:w=1", "b", "b:z=1", "c"))
	})
	t.Run("a late report brings what no later one read", func(t *testing.T) {
		apply(t, s, report(8, "d:v=1"))
		check(t, s, want("a!", "a:x=3", "a:w=1", "b", "b:z=1", "c", "d", "d:v=1"))
	})
	scopes, err := s.Scopes(t.Context(), tenant)
	if err != nil || len(scopes) != 1 {
		t.Fatalf("scopes %v, %v", scopes, err)
	}
	got := scopes[0]
	if got.Scope != scope || got.Collector != "aws/1" || got.Revision != 14 || got.Taken.UnixMilli() != 14 || len(got.Sections) != 4 {
		t.Errorf("scope state %+v", got)
	}
	if a := got.Sections["a"]; a.Status != triad.SectionUnread || a.Reason != "access denied" {
		t.Errorf("section a is %+v", a)
	}
	if one, err := s.Scope(t.Context(), tenant, scope); err != nil || encode(one) != encode(got) {
		t.Errorf("the scope alone is %+v, %v", one, err)
	}
	if _, err := s.Scope(t.Context(), tenant, "aws"); triad.ErrorCode(err) != triad.CodeNotFound {
		t.Errorf("a scope that never reported: %v, want not found", err)
	}
}

func testDeltas(t *testing.T, s triad.Store) {
	refused := func(t *testing.T, r *triad.Report) {
		t.Helper()
		if got, err := s.Apply(t.Context(), r); !errors.Is(err, triad.ErrWrongBase) || got != (triad.Applied{}) {
			t.Errorf("%+v, %v, want ErrWrongBase", got, err)
		}
	}
	t.Run("on nothing is refused", func(t *testing.T) { refused(t, delta(1, 2, "a:x=1")) })
	apply(t, s, report(10, "a:x=1", "a:y=1", "b!"))
	t.Run("on another revision is refused", func(t *testing.T) { refused(t, delta(9, 11, "a:x=2")) })
	t.Run("of an unread section is refused", func(t *testing.T) { refused(t, delta(10, 11, "b:z=1")) })
	t.Run("of an unknown section is refused", func(t *testing.T) { refused(t, delta(10, 11, "n:z=1")) })
	check(t, s, want("a", "a:x=1", "a:y=1", "b!"))

	t.Run("writes, adds and removes, and nothing else", func(t *testing.T) {
		got := apply(t, s, delta(10, 11, "a:x=2", "a:w=1", "a:-y"))
		if got.Added != 1 || got.Changed != 1 || got.Removed != 1 {
			t.Errorf("gave %+v", got)
		}
		check(t, s, want("a", "a:x=2", "a:w=1", "b!"))
	})
	t.Run("the same again changes nothing", func(t *testing.T) {
		if got := apply(t, s, delta(10, 11, "a:x=2", "a:w=1", "a:-y")); got != (triad.Applied{Complete: true}) {
			t.Errorf("gave %+v", got)
		}
	})
	t.Run("removing what is not there changes nothing", func(t *testing.T) {
		if got := apply(t, s, delta(11, 12, "a:-gone")); got.Removed != 0 || got.Last != 0 {
			t.Errorf("gave %+v", got)
		}
	})
	t.Run("a full report older than the delta does not undo it", func(t *testing.T) {
		apply(t, s, report(9, "a:x=0"))
		check(t, s, want("a", "a:x=2", "a:w=1", "b!"))
	})
	t.Run("of parts is refused whole, and a full report follows", func(t *testing.T) {
		if got := apply(t, s, part(delta(15, 20, "a:x=9"), 1, 2)); got.Complete {
			t.Errorf("gave %+v", got)
		}
		refused(t, part(delta(15, 20, "a:q=9"), 2, 2))
		apply(t, s, report(21, "a:x=5", "b:z=1"))
		check(t, s, want("a", "a:x=5", "b", "b:z=1"))
	})
}

func testParts(t *testing.T, s triad.Store) {
	apply(t, s, report(10, "a:x=1", "b:z=1"))
	before := want("a", "a:x=1", "b", "b:z=1")
	piece := func(n int, rows ...string) *triad.Report { return part(report(20, rows...), n, 3) }
	t.Run("take effect together with the last missing one, in any order", func(t *testing.T) {
		for _, r := range []*triad.Report{piece(3, "a:x=2", "b"), piece(1, "a:y=2", "b:v=2"), piece(3, "a:x=2", "b")} {
			if got := apply(t, s, r); got != (triad.Applied{}) {
				t.Errorf("part %d gave %+v", r.Part, got)
			}
			check(t, s, before)
		}
		got := apply(t, s, piece(2, "b", "a:w=2"))
		if !got.Complete || got.Added != 3 || got.Changed != 1 || got.Removed != 1 {
			t.Errorf("the last part gave %+v", got)
		}
		check(t, s, want("a", "a:x=2", "a:y=2", "a:w=2", "b", "b:v=2"))
	})
	t.Run("repeated afterwards change nothing", func(t *testing.T) {
		if got := apply(t, s, piece(1, "a:y=2", "b:v=2")); got != (triad.Applied{Complete: true}) {
			t.Errorf("gave %+v", got)
		}
	})
	t.Run("that differ in their sections are refused", func(t *testing.T) {
		apply(t, s, part(report(30, "a:x=3"), 1, 2))
		if _, err := s.Apply(t.Context(), part(report(30, "b:z=3"), 2, 2)); triad.ErrorCode(err) != triad.CodeInvalid {
			t.Errorf("%v, want an error with code invalid", err)
		}
	})
	t.Run("of a superseded revision are dropped and have no effect", func(t *testing.T) {
		apply(t, s, report(31, "a:x=4", "b"))
		if got := apply(t, s, part(report(30, "a:q=3"), 2, 2)); got != (triad.Applied{Complete: true}) {
			t.Errorf("gave %+v", got)
		}
		check(t, s, want("a", "a:x=4", "b"))
	})
	t.Run("of many revisions are bounded", func(t *testing.T) {
		for revision := int64(100); revision < 140; revision++ {
			apply(t, s, part(report(revision, "a:x=5"), 1, 2))
		}
		apply(t, s, part(report(139, "a:y=5"), 2, 2))
		check(t, s, want("a", "a:x=5", "a:y=5", "b"))
		if got := apply(t, s, part(report(100, "a:y=6"), 2, 2)); !got.Complete {
			t.Errorf("an old revision gave %+v", got)
		}
	})
}

// Two sections may say the same key: a collector renamed a section, or two calls list one thing.
func testMoves(t *testing.T, s triad.Store) {
	apply(t, s, report(10, "a:x=1", "a:y=1", "b"))
	t.Run("a row that moves to another section is one change", func(t *testing.T) {
		got := apply(t, s, report(11, "a:y=1", "b:x=1"))
		if got.Changed != 1 || got.Added+got.Removed != 0 {
			t.Errorf("gave %+v", got)
		}
		check(t, s, want("a", "b", "a:y=1", "b:x=1"))
	})
	t.Run("the section read last is shown", func(t *testing.T) {
		apply(t, s, report(12, "a:x=2", "a:y=1"))
		check(t, s, want("a", "b", "a:x=2", "a:y=1"))
		apply(t, s, report(13, "b:x=3"))
		check(t, s, want("a", "b", "b:x=3", "a:y=1"))
		apply(t, s, report(14, "a:x=2", "a:y=1"))
		check(t, s, want("a", "b", "a:x=2", "a:y=1"))
	})
	t.Run("and when it goes, the other is", func(t *testing.T) {
		apply(t, s, report(15, "a:y=1"))
		check(t, s, want("a", "b", "b:x=3", "a:y=1"))
		apply(t, s, report(16, "b"))
		check(t, s, want("a", "b", "a:y=1"))
	})
	t.Run("within one report the first counts", func(t *testing.T) {
		apply(t, s, report(17, "a:x=1", "a:x=2", "a:y=1"))
		check(t, s, want("a", "b", "a:x=1", "a:y=1"))
		if got := apply(t, s, report(18, "a:x=1", "a:x=2", "a:y=1")); got != (triad.Applied{Complete: true}) {
			t.Errorf("again gave %+v", got)
		}
	})
}

func testHostile(t *testing.T, s triad.Store) {
	for name, spoil := range map[string]func(*triad.Report){
		"a row of a section that is not listed": func(r *triad.Report) { r.Assets[0].Section = "other" },
		"an unread section without a reason":    func(r *triad.Report) { r.Sections[0] = triad.Section{Name: "a", Status: triad.SectionUnread} },
		"an unknown section status":             func(r *triad.Report) { r.Sections[0].Status = "fine" },
		"a section listed twice":                func(r *triad.Report) { r.Sections = append(r.Sections, r.Sections[0]) },
		"no tenant":                             func(r *triad.Report) { r.Tenant = "" },
		"a scope with control characters":       func(r *triad.Report) { r.Scope = "a\x00b" },
		"a scope that is too long":              func(r *triad.Report) { r.Scope = strings.Repeat("s", 4096) },
		"revision zero":                         func(r *triad.Report) { r.Revision = 0 },
		"a base that is not below":              func(r *triad.Report) { r.Base = r.Revision },
		"part two of one":                       func(r *triad.Report) { r.Part, r.Parts = 2, 1 },
		"part zero of two":                      func(r *triad.Report) { r.Parts = 2 },
		"an asset without an ID":                func(r *triad.Report) { r.Assets[0].ID = "" },
		"a document that is not JSON":           func(r *triad.Report) { r.Assets[0].Doc = []byte(`{"a":`) },
		"a document that is not UTF-8":          func(r *triad.Report) { r.Assets[0].Doc = []byte("\"\xff\"") },
		"removed rows of a full report": func(r *triad.Report) {
			r.Removed = []triad.RowRef{{Kind: triad.RowAsset, Key: "x", Section: "a"}}
		},
		"a removed row of an unknown kind": func(r *triad.Report) {
			r.Base, r.Removed = 1, []triad.RowRef{{Kind: triad.RowDecision, Key: "x", Section: "a"}}
		},
	} {
		r := report(5, "a:x=1")
		spoil(r)
		if _, err := s.Apply(t.Context(), r); triad.ErrorCode(err) != triad.CodeInvalid {
			t.Errorf("%s: %v, want an error with code invalid", name, err)
		}
	}
	check(t, s, rows{})

	t.Run("long, odd and confusable keys are kept apart", func(t *testing.T) {
		long := "a:" + strings.Repeat("k", 8000)
		r := report(6, long+"1=1", long+"2=2")
		w := want("a", long+"1=1", long+"2=2")
		for _, path := range []string{"/new\nline", "/new\tline", "/nul\x00", "/broken\xff", "/broken\xfe", "/'; drop table estate; --", "/%_\\"} {
			p := triad.Package{Asset: "img", Section: "a", Name: "n", Version: "1", PURL: "pkg:generic/n@1", Path: path}
			r.Packages = append(r.Packages, p)
		}
		apply(t, s, r)
		got := estate(t, s, tenant)
		if len(got) != len(w)+len(r.Packages)-1 { // the two broken ones read alike
			t.Errorf("%d rows", len(got))
		}
		for k := range w {
			if got[k] != w[k] {
				t.Errorf("%.40q… is %.80s", k, got[k])
			}
		}
		history, err := s.History(t.Context(), tenant, triad.RowAsset, long[2:]+"1")
		if err != nil || len(history) != 1 || history[0].Key != long[2:]+"1" {
			t.Errorf("history of a long key: %d entries, %v", len(history), err)
		}
		if got := apply(t, s, delta(6, 7, "a:-"+long[2:]+"1")); got.Removed != 1 {
			t.Errorf("removing a long key gave %+v", got)
		}
	})
}

func testPackages(t *testing.T, s triad.Store) {
	r := report(1, "packages", "findings")
	for _, name := range []string{"b", "a"} {
		r.Packages = append(r.Packages, triad.Package{Asset: "sha256:1", Section: "packages", Name: name, Version: "1", Ecosystem: "npm", PURL: "pkg:npm/" + name + "@1"})
	}
	r.Packages = append(r.Packages, triad.Package{Asset: "sha256:2", Section: "packages", Name: "c", Version: "1", PURL: "pkg:npm/c@1"})
	for _, name := range []string{"libx1", "libx2"} {
		r.Packages = append(r.Packages, triad.Package{Asset: "sha256:3", Section: "packages", Name: name, Version: "1", Source: "lib-x", PURL: "pkg:deb/debian/" + name + "@1"})
	}
	r.Findings = append(r.Findings, triad.Finding{Kind: triad.FindingSecret, ID: "s", Asset: "sha256:1", Section: "findings"})
	r.Relations = append(r.Relations, triad.Relation{From: "f", Type: triad.RelRuns, To: "sha256:1", Section: "packages"})
	if got := apply(t, s, r); got.Added != 7 {
		t.Errorf("gave %+v", got)
	}
	var names []string
	if err := s.Packages(t.Context(), tenant, "sha256:1", func(p triad.Package) error {
		names = append(names, p.Name)
		return nil
	}); err != nil || strings.Join(names, " ") != "a b" {
		t.Errorf("packages %v, %v", names, err)
	}
	stop := errors.New("stop")
	for name, want := range map[string]string{"c": "c", "LIB_x": "libx1 libx2", "libx1": "libx1", "lib.x2": "", "": "", "none": ""} {
		var got []string
		if err := s.PackagesNamed(t.Context(), tenant, name, func(p triad.Package) error {
			got = append(got, p.Name)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		if got = slices.Compact(got); strings.Join(got, " ") != want {
			t.Errorf("packages named %q: %v, want %s", name, got, want)
		}
	}
	if err := s.Packages(t.Context(), tenant, "sha256:1", func(triad.Package) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v, want the callback's error", err)
	}
	if got := len(estate(t, s, tenant)); got != 9 {
		t.Errorf("%d rows, want 7 and two sections", got)
	}
}
