package advisory

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeFeeds stands for the public feeds, or a mirror of them, on loopback.
type fakeFeeds struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string][]byte
	// hook, where set, answers a request itself by returning true.
	hook func(w http.ResponseWriter, r *http.Request) bool
	log  []string // method, path and status
}

func newFakeFeeds(t *testing.T) *fakeFeeds {
	f := &fakeFeeds{files: map[string][]byte{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fakeFeeds) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, r.URL.Path+" "+r.Header.Get("Range"))
	if f.hook != nil && f.hook(w, r) {
		return
	}
	data, ok := f.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", fmt.Sprintf(`"%08x"`, checksum(data)))
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(data)))
}

func (f *fakeFeeds) set(path string, data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files[path] = data
}

func (f *fakeFeeds) setHook(fn func(w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook, f.log = fn, nil
}

func (f *fakeFeeds) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.log)
}

// stocked is a mirror with two ecosystems and a KEV catalogue, and a database updated from it.
func stocked(t *testing.T) (*fakeFeeds, string, UpdateOptions, *Result) {
	f := newFakeFeeds(t)
	f.set("/osv/ecosystems.txt", []byte("npm\nDebian\nDebian:12\nOSS-Fuzz\n"))
	f.set("/osv/npm/all.zip", archive(t, []entry{record("A-1", day1, "npm", "a", "1")}))
	f.set("/osv/Debian/all.zip", archive(t, []entry{record("D-1", day1, "Debian:12", "a", "1")}))
	f.set("/kev/known_exploited_vulnerabilities.json", []byte(kevSample[0].data))
	opt := UpdateOptions{Mirrors: []string{f.URL}, pause: time.Millisecond}
	dir := t.TempDir()
	res, err := Update(t.Context(), dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	return f, dir, opt, res
}

func TestUpdateFetchesWhatChangedAndNothingElse(t *testing.T) {
	f, dir, opt, first := stocked(t)
	if len(first.Imported) != 3 || !slices.Equal(ids(t, open(t, dir), "npm", "a"), []string{"A-1"}) {
		t.Fatalf("first update %+v", first)
	}
	again, err := Update(t.Context(), dir, opt)
	if err != nil || again.Revision != first.Revision || len(again.Imported) != 0 {
		t.Fatalf("nothing changed, yet %+v %v", again, err)
	}
	f.set("/osv/npm/all.zip", archive(t, []entry{record("A-2", day2, "npm", "a", "2")}))
	third, err := Update(t.Context(), dir, opt)
	if err != nil || len(third.Imported) != 1 || third.Imported[0].Name != "osv/npm" || len(third.Kept) != 2 {
		t.Fatalf("one file changed, yet %+v %v", third, err)
	}
	// An import in between makes what is remembered of a file worthless.
	mustImport(t, dir, feed{"npm/all.zip": {record("A-9", day1, "npm", "a", "1")}})
	fourth, err := Update(t.Context(), dir, opt)
	if err != nil || fourth.Revision != third.Revision {
		t.Fatalf("after another import: %+v %v", fourth, err)
	}
	if fileExists(filepath.Join(dir, "download")) {
		t.Error("downloads are left")
	}
}

func TestAFailedUpdateKeepsTheOldAdvisories(t *testing.T) {
	cut := archive(t, []entry{record("A-2", day2, "npm", "a", "2")})
	cut = cut[:len(cut)-10]
	tests := map[string]func(*fakeFeeds){
		"a server error": func(f *fakeFeeds) {
			f.setHook(func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/osv/npm/all.zip" {
					http.Error(w, "broken", http.StatusBadGateway)
					return true
				}
				return false
			})
		},
		"a refusal": func(f *fakeFeeds) {
			f.setHook(func(w http.ResponseWriter, r *http.Request) bool {
				http.Error(w, "no", http.StatusForbidden)
				return true
			})
		},
		"a connection that breaks every time": func(f *fakeFeeds) {
			f.set("/osv/npm/all.zip", archive(t, []entry{record("A-2", day2, "npm", "a", "2")}))
			f.setHook(func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/osv/npm/all.zip" {
					return false
				}
				w.Header().Set("Content-Length", "5000")
				_, _ = w.Write([]byte("PK"))
				return true
			})
		},
		"an archive that is cut":   func(f *fakeFeeds) { f.set("/osv/npm/all.zip", cut) },
		"a KEV that is a web page": func(f *fakeFeeds) { f.set("/kev/known_exploited_vulnerabilities.json", []byte("<html>")) },
		"a mirror that is gone":    func(f *fakeFeeds) { f.Close() },
		"a file larger than is read": func(f *fakeFeeds) {
			f.setHook(func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/kev/known_exploited_vulnerabilities.json" {
					w.Header().Set("Content-Length", fmt.Sprint(maxFeedDownload+1))
					return true
				}
				return false
			})
		},
	}
	for name, fail := range tests {
		t.Run(name, func(t *testing.T) {
			f, dir, opt, first := stocked(t)
			fail(f)
			if _, err := Update(t.Context(), dir, opt); err == nil {
				t.Fatal("no error")
			} else {
				t.Log(err)
			}
			db := open(t, dir)
			if db.Revision() != first.Revision || !slices.Equal(ids(t, db, "npm", "a"), []string{"A-1"}) {
				t.Errorf("holds %v at %s", ids(t, db, "npm", "a"), db.Revision())
			}
		})
	}
}

func TestABrokenDownloadIsTakenUpWhereItEnded(t *testing.T) {
	f, dir, opt, _ := stocked(t)
	var many []entry
	for i := range 2000 {
		many = append(many, record(fmt.Sprintf("A-%d", i), day2, "npm", fmt.Sprintf("p%d", i), "1"))
	}
	data := archive(t, many)
	f.set("/osv/npm/all.zip", data)
	broken := false
	f.setHook(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/osv/npm/all.zip" || broken {
			return false
		}
		broken = true
		w.Header().Set("ETag", fmt.Sprintf(`"%08x"`, checksum(data)))
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		_, _ = w.Write(data[:len(data)/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	// What was imported before is known by its ETag; only without it is there a part to take up.
	if err := os.Remove(filepath.Join(dir, "state.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := Update(t.Context(), dir, opt); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, open(t, dir), "npm", "p1999"); len(got) != 1 {
		t.Errorf("holds %v", got)
	}
	if !slices.ContainsFunc(f.requests(), func(s string) bool {
		return strings.HasPrefix(s, "/osv/npm/all.zip bytes=") && !strings.HasPrefix(s, "/osv/npm/all.zip bytes=0-")
	}) {
		t.Errorf("no part was asked for: %q", f.requests())
	}
}

func TestFilesOfAFailedUpdateAreNotFetchedAgain(t *testing.T) {
	f := newFakeFeeds(t)
	f.set("/osv/npm/all.zip", archive(t, []entry{record("A-1", day1, "npm", "a", "1")}))
	dir := t.TempDir()
	opt := UpdateOptions{Mirrors: []string{f.URL}, Ecosystems: []string{"npm"}, pause: time.Millisecond}
	f.setHook(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/kev") {
			http.Error(w, "broken", http.StatusForbidden)
			return true
		}
		return false
	})
	if _, err := Update(t.Context(), dir, opt); err == nil {
		t.Fatal("no error")
	}
	sizes := 0
	f.setHook(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/osv") && r.Header.Get("If-None-Match") == "" {
			sizes++
		}
		return false
	})
	done := fileExists(filepath.Join(dir, "download", "osv", "npm", "all.zip"))
	if _, err := Update(t.Context(), dir, opt); err != nil {
		t.Fatal(err)
	}
	if done && sizes != 0 {
		t.Error("a finished file was fetched again")
	}
	if got := ids(t, open(t, dir), "npm", "a"); len(got) != 1 {
		t.Errorf("holds %v", got)
	}
}

func TestAnUpdateThatIsStoppedChangesNothing(t *testing.T) {
	f, dir, opt, first := stocked(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.set("/osv/npm/all.zip", archive(t, []entry{record("A-2", day2, "npm", "a", "2")}))
	f.setHook(func(http.ResponseWriter, *http.Request) bool { cancel(); return false })
	if _, err := Update(ctx, dir, opt); err == nil {
		t.Fatal("no error")
	}
	if db := open(t, dir); db.Revision() != first.Revision {
		t.Errorf("revision %s", db.Revision())
	}
}

func TestAddressesThatAreNoMirrorAreRefused(t *testing.T) {
	for _, mirror := range []string{"ftp://example.com", "/some/folder", "example.com", "http://"} {
		if _, err := Update(t.Context(), t.TempDir(), UpdateOptions{Mirrors: []string{mirror}}); err == nil {
			t.Errorf("%s is taken", mirror)
		}
	}
	f := newFakeFeeds(t)
	if _, err := Update(t.Context(), t.TempDir(), UpdateOptions{Mirrors: []string{f.URL}, Ecosystems: []string{"../x"}}); err == nil {
		t.Error("an ecosystem with a path is taken")
	}
}
