package aws

import (
	"os"
	"path/filepath"
	"testing"
)

// shared finds the folder of shared test data: TRIAD_SHARED, or "shared" beside the repository.
func shared(t testing.TB, elem ...string) string {
	t.Helper()
	dir := os.Getenv("TRIAD_SHARED")
	if dir == "" {
		wd, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for d := wd; ; d = filepath.Dir(d) {
			if _, err := os.Stat(filepath.Join(d, "shared", "DESIGN.md")); err == nil {
				dir = filepath.Join(d, "shared")
				break
			}
			if d == filepath.Dir(d) {
				t.Skip("no shared test data: set TRIAD_SHARED")
			}
		}
	}
	path := filepath.Join(append([]string{dir}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	return path
}

func TestEveryDumpInSharedIsReadWithoutShapeErrors(t *testing.T) {
	dirs, _ := filepath.Glob(filepath.Join(shared(t, "ground-truth", "aws"), "*", "aws", "*", "*"))
	shop, _ := filepath.Glob(filepath.Join(shared(t, "scenarios"), "shop", "aws", "*", "*"))
	for _, dir := range append(dirs, shop...) {
		r, err := FromDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range r.Sections {
			if s.Reason != "" {
				t.Log(r.Scope, s.Name, s.Status, s.Reason)
			}
		}
		t.Log(dir, len(r.Assets), r.Notes)
	}
}
