package advisory

import (
	"crypto/ed25519"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/triad-security/triad"
)

// keys makes a pair of functions as a key's owner and a key's holder have them.
func keys(t *testing.T) (sign func([]byte) ([]byte, error), verify Verify) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(m []byte) ([]byte, error) { return ed25519.Sign(private, m), nil },
		func(m, s []byte) error {
			if !ed25519.Verify(public, m, s) {
				return errors.New("not this key's")
			}
			return nil
		}
}

// vouched publishes the files of a feed with their checksums, signed where sign is given.
func vouched(t *testing.T, f *fakeFeeds, files feed, sign func([]byte) ([]byte, error)) {
	dir := files.write(t)
	if _, err := WriteSums(dir, sign); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		f.set("/"+filepath.ToSlash(strings.TrimPrefix(path, dir+string(filepath.Separator))), data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAMirrorIsHeldAgainstItsChecksumsAndTheirSignature(t *testing.T) {
	sign, verify := keys(t)
	files := feed{"osv/npm/all.zip": {record("A-1", day1, "npm", "a", "1")}, "kev/known_exploited_vulnerabilities.json": kevSample}
	other := archive(t, []entry{record("EVIL-1", day2, "npm", "a", "0.1")})
	tests := map[string]struct {
		spoil   func(f *fakeFeeds)
		refused string
	}{
		"as published":                 {func(*fakeFeeds) {}, ""},
		"a changed file":               {func(f *fakeFeeds) { f.set("/osv/npm/all.zip", other) }, "damaged or changed"},
		"a file that nobody listed":    {func(f *fakeFeeds) { f.set("/osv/PyPI/all.zip", other) }, "not listed"},
		"checksums that another wrote": {func(f *fakeFeeds) { f.set("/SHA256SUMS", []byte(strings.Repeat("0", 64)+"  osv/npm/all.zip\n")) }, "not signed"},
		"checksums that are none":      {func(f *fakeFeeds) { f.set("/SHA256SUMS.sig", []byte("?")) }, "base64"},
		"a signature of another key": {func(f *fakeFeeds) {
			another, _ := keys(t)
			vouched(t, f, files, another)
		}, "not signed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFakeFeeds(t)
			vouched(t, f, files, sign)
			tt.spoil(f)
			dir := t.TempDir()
			opt := UpdateOptions{Mirrors: []string{f.URL}, Verify: verify, Ecosystems: []string{"npm", "PyPI"}, pause: time.Millisecond}
			_, err := Update(t.Context(), dir, opt)
			if tt.refused == "" {
				if err != nil || len(ids(t, open(t, dir), "npm", "a")) != 1 {
					t.Fatalf("%v", err)
				}
				if again, err := Update(t.Context(), dir, opt); err != nil || len(again.Imported) != 0 {
					t.Errorf("again: %+v %v", again, err)
				}
				return
			}
			if triad.ErrorCode(err) != triad.CodeDenied || !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("%v", err)
			}
			if _, err := Open(dir); !errors.Is(err, triad.ErrNotFound) {
				t.Errorf("and yet there are advisories: %v", err)
			}
		})
	}
}

func TestAServerThatSaysUnchangedIsNotBelievedAgainstTheChecksums(t *testing.T) {
	f, dir, opt, _ := stocked(t)
	vouched(t, f, feed{"osv/npm/all.zip": {record("A-2", day2, "npm", "a", "2")}, "osv/Debian/all.zip": {record("D-1", day1, "Debian:12", "a", "1")}, "kev/known_exploited_vulnerabilities.json": kevSample, "osv/ecosystems.txt": {{"", "npm\nDebian\n"}}}, nil)
	if res, err := Update(t.Context(), dir, opt); err != nil || len(ids(t, open(t, dir), "npm", "a")) != 1 || ids(t, open(t, dir), "npm", "a")[0] != "A-2" {
		t.Errorf("%+v %v", res, err)
	}
}

func TestTheNextMirrorServesWhereOneFails(t *testing.T) {
	down := httptest.NewServer(nil)
	down.Close()
	f, _, opt, first := stocked(t)
	said := ""
	opt.Mirrors, opt.Say = []string{down.URL, f.URL}, func(s string) { said += s }
	res, err := Update(t.Context(), t.TempDir(), opt)
	if err != nil || res.Revision != first.Revision || !strings.Contains(said, down.URL) {
		t.Errorf("%+v %v, said %q", res, err, said)
	}
	opt.Mirrors = []string{down.URL, down.URL}
	if _, err := Update(t.Context(), t.TempDir(), opt); err == nil || !strings.Contains(err.Error(), "none of 2 mirrors") {
		t.Errorf("%v", err)
	}
}

func TestAFolderIsHeldAgainstItsChecksums(t *testing.T) {
	sign, verify := keys(t)
	dir := feed{"npm/all.zip": {record("A-1", day1, "npm", "a", "1")}}.write(t)
	if n, err := WriteSums(dir, sign); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if err := VerifyDir(dir, verify); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "more"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := VerifyDir(dir, verify); err == nil {
		t.Error("a file that nobody listed is taken")
	}
}

func FuzzSums(f *testing.F) {
	f.Add([]byte(strings.Repeat("a", 64) + "  osv/npm/all.zip\n"))
	f.Add([]byte(strings.Repeat("a", 64) + " *./x\r\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseSums(data)
		if err == nil && len(s) > len(data)/67+1 {
			t.Errorf("%d sums of %d bytes", len(s), len(data))
		}
	})
}
