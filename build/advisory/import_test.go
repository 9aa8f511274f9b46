package advisory

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/triad-security/triad"
)

// feed writes a folder in the bucket's layout: file names to contents; a name with all.zip in
// it becomes an archive of the contents' records.
type feed map[string][]entry

type entry struct{ name, data string }

func (f feed) write(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	for name, entries := range f {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		data := []byte(entries[0].data)
		if strings.HasSuffix(name, ".zip") {
			data = archive(tb, entries)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

func archive(tb testing.TB, entries []entry) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.Create(e.name)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write([]byte(e.data)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// record makes an entry of one record of one package.
func record(id, modified, ecosystem, name, fixed string) entry {
	return entry{id + ".json", fmt.Sprintf(`{"id":%q,"modified":%q,"affected":[{"package":{"ecosystem":%q,"name":%q},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":%q}]}]}]}`,
		id, modified, ecosystem, name, fixed)}
}

const day1, day2 = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"

var kevSample = []entry{{"", `{"catalogVersion":"1","vulnerabilities":[{"cveID":"CVE-2021-44228","dateAdded":"2021-12-10"}]}`}}

func mustImport(tb testing.TB, db string, f feed) *Result {
	tb.Helper()
	res, err := Import(tb.Context(), db, f.write(tb), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return res
}

// ids lists the records that name a package.
func ids(tb testing.TB, db *DB, family, name string) []string {
	tb.Helper()
	g, done, err := db.Use()
	if err != nil {
		tb.Fatal(err)
	}
	defer done()
	hits, err := g.Lookup(family, name, func(string) bool { return true })
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	for _, h := range hits {
		r, err := h.Record()
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, r.ID)
	}
	return out
}

func open(tb testing.TB, dir string) *DB {
	tb.Helper()
	db, err := Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { db.Close() })
	return db
}

func TestAnImportReplacesWhatItBringsAndKeepsTheRest(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir); !errors.Is(err, triad.ErrNotFound) {
		t.Fatalf("opening nothing: %v", err)
	}
	first := mustImport(t, dir, feed{
		"osv/npm/all.zip":    {record("GHSA-1", day1, "npm", "a", "1.0.0")},
		"osv/Debian/all.zip": {record("DSA-1", day1, "Debian:12", "a", "1.0-1")},
		"kev/kev.json":       kevSample,
	})
	db := open(t, dir)
	if first.Revision == "" || db.Revision() != first.Revision {
		t.Errorf("revision %q, open database %q", first.Revision, db.Revision())
	}
	// The ecosystem's folder may be spelled otherwise, and lie at the top.
	second := mustImport(t, dir, feed{"NPM/all.zip": {record("GHSA-2", day2, "npm", "a", "2.0.0")}})
	if got := ids(t, db, "npm", "a"); len(got) != 1 || got[0] != "GHSA-2" {
		t.Errorf("npm holds %v, want the new record only", got)
	}
	if got := ids(t, db, "Debian", "a"); len(got) != 1 {
		t.Errorf("Debian holds %v, want what was there", got)
	}
	g, done, _ := db.Use()
	defer done()
	if _, ok, err := g.KEV("CVE-2021-44228"); !ok || err != nil {
		t.Errorf("KEV is gone: %v", err)
	}
	if second.Previous != first.Revision || len(second.Kept) != 2 || db.Revision() == first.Revision {
		t.Errorf("result %+v", second)
	}
	if err := db.Verify(); err != nil {
		t.Error(err)
	}
}

func TestTheWholeOfAnEcosystemReplacesItsReleases(t *testing.T) {
	dir := t.TempDir()
	mustImport(t, dir, feed{"Debian:11/all.zip": {record("DSA-1", day1, "Debian:11", "a", "1")}})
	mustImport(t, dir, feed{"Debian/all.zip": {record("DSA-2", day2, "Debian:12", "a", "1")}})
	if got := ids(t, open(t, dir), "Debian", "a"); len(got) != 1 || got[0] != "DSA-2" {
		t.Errorf("holds %v", got)
	}
}

func TestEqualAdvisoriesHaveOneRevision(t *testing.T) {
	npm, pypi := []entry{record("A-1", day1, "npm", "a", "1"), record("A-2", day1, "npm", "b", "1")}, []entry{record("P-1", day1, "PyPI", "a", "1")}
	once, twice := t.TempDir(), t.TempDir()
	a := mustImport(t, once, feed{"npm/all.zip": npm, "PyPI/all.zip": pypi})
	mustImport(t, twice, feed{"PyPI/all.zip": pypi})
	b := mustImport(t, twice, feed{"npm/all.zip": {npm[1], npm[0]}})
	if a.Revision != b.Revision {
		t.Errorf("%s in one import, %s in two", a.Revision, b.Revision)
	}
}

func TestANewGenerationSaysWhatItChanged(t *testing.T) {
	dir := t.TempDir()
	npm := []entry{record("A-1", day1, "npm", "a", "1"), record("A-2", day1, "npm", "b", "1"), record("A-3", day1, "npm", "gone", "1")}
	first := mustImport(t, dir, feed{"npm/all.zip": npm, "PyPI/all.zip": {record("P-1", day1, "PyPI", "p", "1")}, "kev/kev.json": kevSample})
	db := open(t, dir)
	if c, ok := db.Changed(first.Revision); !ok || len(c.Packages)+len(c.IDs) > 0 {
		t.Errorf("nothing changed, and it says %v %v", c, ok)
	}
	if _, ok := db.Changed("before"); ok {
		t.Error("the first generation knows what was before it")
	}
	// The order of records and where they lie is no change; a new fix, a new record, one that
	// is gone, a record's own text and a catalogue are.
	second := mustImport(t, dir, feed{
		"npm/all.zip":  {record("A-9", day2, "npm", "New", "3"), npm[1], record("A-1", day2, "npm", "a", "2")},
		"kev/kev.json": {{"", `{"catalogVersion":"2","vulnerabilities":[{"cveID":"CVE-2021-44228","dateAdded":"2021-12-10"},{"cveID":"CVE-2026-7000","dateAdded":"2026-01-02"}]}`}},
	})
	c, ok := db.Changed(first.Revision)
	if !ok || strings.Join(c.Packages, " ") != "a gone new" || strings.Join(c.IDs, " ") != "CVE-2026-7000" {
		t.Errorf("changed %+v %v", c, ok)
	}
	if _, ok := db.Changed("before"); ok {
		t.Error("it speaks of a revision that it did not replace")
	}
	third := mustImport(t, dir, feed{"PyPI/all.zip": {record("P-1", day1, "PyPI", "p", "1")}})
	if c, ok := db.Changed(second.Revision); third.Revision != second.Revision || !ok || len(c.Packages) > 0 {
		t.Errorf("the same again changed %v %v", c, ok)
	}
}

func TestWhatCannotBeUsedIsSkippedByName(t *testing.T) {
	tests := []struct {
		name   string
		entry  entry
		reason string
	}{
		{"a record that is no JSON", entry{"x.json", "<xml/>"}, "invalid character"},
		{"a record of a wrong type", entry{"x.json", `{"id":["a"]}`}, "unmarshal"},
		{"a name that climbs out", entry{"../../etc/x.json", `{"id":"X"}`}, "path"},
		{"an absolute name", entry{"/etc/x.json", `{"id":"X"}`}, "path"},
		{"a name with a backslash", entry{`..\x.json`, `{"id":"X"}`}, "path"},
		{"a file that is no record", entry{"README.md", "text"}, "not a .json"},
		{"an older copy of a record", record("OK-1", "2020-01-01T00:00:00Z", "npm", "other", "1"), "came before"},
		{"a record of many megabytes", entry{"big.json", `{"id":"BIG","details":"` + strings.Repeat("x", maxRecordBytes) + `"}`}, "too large"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			res := mustImport(t, dir, feed{"npm/all.zip": {record("OK-1", day1, "npm", "a", "1"), tt.entry}})
			s := res.Imported[0]
			if s.Records != 1 || s.Skipped.Count != 1 || !strings.Contains(s.Skipped.First[0].Reason, tt.reason) {
				t.Errorf("got %+v", s)
			}
		})
	}
}

func TestANewerCopyOfARecordReplacesTheOlder(t *testing.T) {
	dir := t.TempDir()
	old, fresh := record("A-1", day1, "npm", "old-name", "1"), record("A-1", day2, "npm", "new-name", "1")
	old.name, fresh.name = "1.json", "2.json"
	mustImport(t, dir, feed{"npm/all.zip": {old, fresh}})
	db := open(t, dir)
	if got := ids(t, db, "npm", "old-name"); len(got) != 0 {
		t.Errorf("the older copy still names its package: %v", got)
	}
	if got := ids(t, db, "npm", "new-name"); len(got) != 1 {
		t.Errorf("the newer copy is not found: %v", got)
	}
}

func TestAFailedImportKeepsTheOldAdvisories(t *testing.T) {
	good := archive(t, []entry{record("A-2", day2, "npm", "a", "2")})
	flipped := bytes.Clone(good)
	flipped[45] ^= 0xff // in the compressed data
	bomb := archiveBomb(t)
	tests := map[string]feed{
		"a cut archive":                  {"npm/all.zip.raw": {{"", string(good[:len(good)/2])}}},
		"an archive with flipped bits":   {"npm/all.zip.raw": {{"", string(flipped)}}},
		"an archive bomb":                {"npm/all.zip.raw": {{"", string(bomb)}}},
		"an archive without any record":  {"npm/all.zip": {{"README.md", "x"}}},
		"a KEV catalogue that is cut":    {"npm/all.zip": {record("A-2", day2, "npm", "a", "2")}, "kev/kev.json": {{"", `{"vulnerabilities":[`}}},
		"an EPSS file that is something": {"npm/all.zip": {record("A-2", day2, "npm", "a", "2")}, "epss/epss.csv.gz": {{"", "else"}}},
		"vulnrichment without a record":  {"npm/all.zip": {record("A-2", day2, "npm", "a", "2")}, "vulnrichment/x": {{"", "x"}}},
	}
	for name, f := range tests {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name == "an archive bomb" {
				t.Skip("unpacks 300 MB")
			}
			dir := t.TempDir()
			res := mustImport(t, dir, feed{"npm/all.zip": {record("A-1", day1, "npm", "a", "1")}})
			src := f.write(t)
			if raw := filepath.Join(src, "npm", "all.zip.raw"); fileExists(raw) {
				os.Rename(raw, filepath.Join(src, "npm", "all.zip"))
			}
			if _, err := Import(t.Context(), dir, src, nil); err == nil {
				t.Fatal("no error")
			} else {
				t.Log(err)
			}
			db := open(t, dir)
			if got := ids(t, db, "npm", "a"); db.Revision() != res.Revision || len(got) != 1 || got[0] != "A-1" {
				t.Errorf("holds %v at %s", got, db.Revision())
			}
			if left, _ := filepath.Glob(filepath.Join(dir, tempPrefix+"*")); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// archiveBomb has one compressed record of 15 MiB under twenty names.
func archiveBomb(tb testing.TB) []byte {
	tb.Helper()
	one := archive(tb, []entry{{"0.json", `{"id":"Z","details":"` + strings.Repeat("0", 15<<20) + `"}`}})
	r, err := zip.NewReader(bytes.NewReader(one), int64(len(one)))
	if err != nil {
		tb.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := range 20 {
		header := r.File[0].FileHeader
		header.Name = fmt.Sprintf("%d.json", i)
		w, err := z.CreateRaw(&header)
		if err != nil {
			tb.Fatal(err)
		}
		raw, err := r.File[0].OpenRaw()
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := io.Copy(w, raw); err != nil {
			tb.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// A child process is killed with SIGKILL after the new file is written and before it is put
// in the old one's place.
func TestACrashBeforeTheSwapKeepsTheOldAdvisories(t *testing.T) {
	if dir := os.Getenv("TRIAD_TEST_CRASH"); dir != "" {
		src, err := discover(os.Getenv("TRIAD_TEST_CRASH_FROM"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = importSources(context.Background(), dir, src, nil, func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) })
		t.Fatal("still alive", err)
	}
	dir := t.TempDir()
	res := mustImport(t, dir, feed{"npm/all.zip": {record("A-1", day1, "npm", "a", "1")}})
	from := feed{"npm/all.zip": {record("A-2", day2, "npm", "a", "2")}}.write(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestACrashBeforeTheSwapKeepsTheOldAdvisories$")
	cmd.Env = append(os.Environ(), "TRIAD_TEST_CRASH="+dir, "TRIAD_TEST_CRASH_FROM="+from)
	out, err := cmd.CombinedOutput()
	var status *exec.ExitError
	if !errors.As(err, &status) || status.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended with %v: %s", err, out)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, tempPrefix+"*")); len(left) != 1 {
		t.Fatalf("the child left %v, want its finished file", left)
	}
	db := open(t, dir)
	if got := ids(t, db, "npm", "a"); db.Revision() != res.Revision || len(got) != 1 || got[0] != "A-1" {
		t.Errorf("holds %v at %s", got, db.Revision())
	}
	// The lock of the dead is free, and the next import clears up.
	if _, err := Import(t.Context(), dir, from, nil); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, tempPrefix+"*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if got := ids(t, db, "npm", "a"); got[0] != "A-2" {
		t.Errorf("holds %v", got)
	}
}

func TestTwoImportsAtOnceAreRefused(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	_, err = Import(t.Context(), dir, feed{"npm/all.zip": {record("A-1", day1, "npm", "a", "1")}}.write(t), nil)
	if triad.ErrorCode(err) != triad.CodeUnavailable {
		t.Errorf("got %v", err)
	}
}

func TestReadersKeepTheirGenerationWhileANewOneComes(t *testing.T) {
	dir := t.TempDir()
	mustImport(t, dir, feed{"npm/all.zip": {record("A-0", day1, "npm", "a", "1")}})
	db := open(t, dir)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got := ids(t, db, "npm", "a"); len(got) != 1 {
					t.Errorf("a reader sees %v", got)
					return
				}
			}
		})
	}
	for i := range 10 {
		mustImport(t, dir, feed{"npm/all.zip": {record(fmt.Sprintf("A-%d", i+1), day1, "npm", "a", "1")}})
	}
	close(stop)
	readers.Wait()
	if got := ids(t, db, "npm", "a"); got[0] != "A-10" {
		t.Errorf("holds %v at the end", got)
	}
}

func TestADamagedDatabaseIsAnErrorAndNeverAWrongAnswer(t *testing.T) {
	dir := t.TempDir()
	mustImport(t, dir, feed{"npm/all.zip": {record("A-1", day1, "npm", "a", "1")}, "kev/kev.json": kevSample})
	path := filepath.Join(dir, fileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		bad := bytes.Clone(whole)
		bad[i] ^= 0x55
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		db, err := Open(dir)
		if err != nil {
			continue
		}
		if db.Verify() == nil && i >= headerSize {
			t.Fatalf("byte %d of %d is wrong and Verify does not see it", i, len(whole))
		}
		g, done, _ := db.Use()
		hits, err := g.Lookup("npm", "a", func(string) bool { return true })
		for _, h := range hits {
			if r, e := h.Record(); e == nil && err == nil && r.ID != "A-1" {
				t.Fatalf("byte %d: record %q", i, r.ID)
			}
		}
		if k, ok, err := g.KEV("CVE-2021-44228"); err == nil && ok && k.Added != "2021-12-10" {
			t.Fatalf("byte %d: KEV %+v", i, k)
		}
		done()
		db.Close()
	}
	// The next import says that it cannot keep what was there, and goes on.
	if err := os.WriteFile(path, whole[:len(whole)-1], 0o644); err != nil {
		t.Fatal(err)
	}
	res := mustImport(t, dir, feed{"npm/all.zip": {record("A-1", day1, "npm", "a", "1")}})
	if len(res.Notes) != 1 || !strings.Contains(res.Notes[0], "cannot be kept") {
		t.Errorf("notes %q", res.Notes)
	}
}

func TestVulnrichmentIsReadFromFoldersAndArchives(t *testing.T) {
	other := strings.Replace(enrichmentSample, "CVE-2024-45492", "CVE-2024-45493", 1)
	dir := t.TempDir()
	res := mustImport(t, dir, feed{
		"vulnrichment/2024/45xxx/CVE-2024-45492.json": {{"", enrichmentSample}},
		"vulnrichment/more.zip":                       {{"vulnrichment-develop/2024/45xxx/CVE-2024-45493.json", other}, {"vulnrichment-develop/README.md", "x"}},
		"vulnrichment/.git/CVE-2024-45494.json":       {{"", "not read"}},
	})
	if s := res.Imported[0]; s.Records != 2 || s.Skipped.Count != 0 {
		t.Errorf("got %+v", s)
	}
	g, done, _ := open(t, dir).Use()
	defer done()
	if e, ok, err := g.Enrichment("CVE-2024-45493"); !ok || err != nil || e.Exploitation != "poc" {
		t.Errorf("got %+v %v %v", e, ok, err)
	}
}
