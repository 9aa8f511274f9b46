package advisory

import (
	"os"
	"path/filepath"
	"testing"
)

// shared finds the real advisories that tests may read, beside the repository; "" where they are not.
func shared(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("TRIAD_SHARED")
	for at, _ := os.Getwd(); dir == "" && at != filepath.Dir(at); at = filepath.Dir(at) {
		if fileExists(filepath.Join(at, "shared", "advisories", "osv")) {
			dir = filepath.Join(at, "shared")
		}
	}
	if dir == "" {
		tb.Skip("needs the real advisories: set TRIAD_SHARED to the folder that holds advisories/")
	}
	return filepath.Join(dir, "advisories")
}

func TestTheRealFeedsAreReadWhole(t *testing.T) {
	src, dir := shared(t), t.TempDir()
	res, err := Import(t.Context(), dir, src, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Counts of the data set's own description.
	want := map[string]Segment{
		"osv/AlmaLinux": {Records: 4437, NotAdvisories: 978 + 222}, "osv/Debian": {Records: 17663}, "osv/Go": {Records: 4291, Withdrawn: 17},
		"osv/crates.io": {Records: 1206, Withdrawn: 13}, "osv/PyPI": {Records: 2663, Withdrawn: 10}, "osv/Maven": {Records: 383},
		"kev": {Records: 1404}, "epss": {Records: 1556}, "vulnrichment": {Records: 339},
	}
	for _, s := range res.Imported {
		if s.Skipped.Count > 0 {
			t.Errorf("%s: skipped %+v", s.Name, s.Skipped)
		}
		w, ok := want[s.Name]
		delete(want, s.Name)
		if ok && (w.Records != s.Records || w.Withdrawn != s.Withdrawn || w.NotAdvisories != s.NotAdvisories) {
			t.Errorf("%s: %d records, %d withdrawn, %d no advisories; want %+v", s.Name, s.Records, s.Withdrawn, s.NotAdvisories, w)
		}
	}
	for name := range want {
		t.Errorf("%s is missing", name)
	}
	if err := open(t, dir).Verify(); err != nil {
		t.Error(err)
	}
}

func BenchmarkImport(b *testing.B) {
	src := shared(b)
	for b.Loop() {
		if _, err := Import(b.Context(), b.TempDir(), src, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	if _, err := Import(b.Context(), dir, shared(b), nil); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		db, err := Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		db.Close()
	}
}
