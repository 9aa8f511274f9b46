package scan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/inspect"
)

// words is an inspector that finds files that contain a word.
type words struct {
	section, word, key string
	unlessOwned        bool
	only               string // suffix of the names that are wanted
	panics             string // open, write or close
	notReady           error

	mu     sync.Mutex
	opened []string
	sizes  map[string]int
}

func (w *words) Section() string { return w.section }
func (w *words) Key() string     { return w.key + w.word }

func (w *words) Ready(context.Context) error { return w.notReady }

func (w *words) Open(_ context.Context, f inspect.File) inspect.Sink {
	if !strings.HasSuffix(f.Name, w.only) {
		return nil
	}
	if w.panics == "open" {
		panic("at " + f.Name)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opened = append(w.opened, f.Name)
	return &wordSink{w: w, f: f}
}

func (w *words) Config(_ context.Context, c *v1.ConfigFile) ([]triad.Finding, error) {
	if c.Config.User == "1000" && w.word == "user" {
		return []triad.Finding{{Kind: triad.FindingMisconfiguration, ID: "user"}}, errors.New("half of it")
	}
	return nil, nil
}

type wordSink struct {
	w    *words
	f    inspect.File
	seen bytes.Buffer
}

func (s *wordSink) Write(p []byte) (int, error) {
	if s.w.panics == "write" {
		panic("in " + s.f.Name)
	}
	return s.seen.Write(p)
}

func (s *wordSink) Close() ([]inspect.Found, error) {
	if s.w.panics == "close" {
		panic("after " + s.f.Name)
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if s.w.sizes == nil {
		s.w.sizes = map[string]int{}
	}
	s.w.sizes[s.f.Name] = s.seen.Len()
	if !bytes.Contains(s.seen.Bytes(), []byte(s.w.word)) {
		return nil, nil
	}
	return []inspect.Found{{Finding: triad.Finding{Kind: triad.FindingSecret, ID: s.w.word, Line: 1, Detail: fmt.Sprint(s.f.UID)}, UnlessOwned: s.w.unlessOwned}}, nil
}

func paths(findings []triad.Finding) string {
	var all []string
	for _, f := range findings {
		all = append(all, f.Path)
	}
	return strings.Join(all, " ")
}

func TestInspectorsSeeEveryFileWholeAlsoWhatPackagesAreReadOf(t *testing.T) {
	files := map[string]string{
		"app/package.json":                     `{"name":"a","version":"1.0.0"}` + strings.Repeat(" ", 100_000),
		"app/package-lock.txt":                 strings.Repeat("x", 300_000),
		"lib/apk/db/installed":                 alpineDB,
		"usr/bin/tool":                         "\x7fELF" + strings.Repeat("y", 200_000),
		"app/lib-1.0.jar":                      zipOf(t, map[string]string{"META-INF/maven/g/lib/pom.properties": "groupId=g\nartifactId=lib\nversion=1\n"}),
		"app/broken.jar":                       "no zip" + strings.Repeat("z", 9000),
		"var/lib/rpm/rpmdb.sqlite":             "not a database",
		"app/empty":                            "",
		"usr/lib/python3/a.dist-info/METADATA": "Name: a\nVersion: 1\n\n" + strings.Repeat("b", 70_000),
	}
	var list []file
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := file{name: name, body: files[name]}
		if name == "usr/bin/tool" {
			f.mode = 0o755
		}
		list = append(list, f)
	}
	path := save(t, layerTar(t, list...))
	check := func(t *testing.T, w *words, packages int) {
		t.Helper()
		for name, body := range files {
			if got, ok := w.sizes[name]; !ok || got != len(body) {
				t.Errorf("%s: %d bytes seen of %d", name, got, len(body))
			}
		}
		if packages != 5 {
			t.Errorf("%d packages", packages)
		}
	}
	t.Run("image", func(t *testing.T) {
		w, s := &words{section: inspect.SectionSecrets, word: "!"}, scanner(t)
		s.Inspectors = []inspect.Inspector{w}
		check(t, w, len(scanFile(t, s, path).Packages))
	})
	t.Run("stream", func(t *testing.T) {
		w, s := &words{section: inspect.SectionSecrets, word: "!"}, scanner(t)
		s.Inspectors = []inspect.Inspector{w}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		r, err := s.Stream(context.Background(), f, "")
		if err != nil {
			t.Fatal(err)
		}
		check(t, w, len(r.Packages))
	})
	t.Run("folder", func(t *testing.T) {
		w, s := &words{section: inspect.SectionSecrets, word: "no zip"}, scanner(t)
		s.Inspectors = []inspect.Inspector{w}
		dir := t.TempDir()
		for name, body := range files {
			writeFile(t, filepath.Join(dir, name), body)
		}
		r, err := s.Dir(context.Background(), dir)
		if err != nil {
			t.Fatal(err)
		}
		check(t, w, len(r.Packages))
		if len(r.Secrets) != 1 || r.Secrets[0].Path != "app/broken.jar" || r.Secrets[0].Layer != "" || r.Secrets[0].Asset != r.Report().Assets[0].ID {
			t.Errorf("findings %v", r.Secrets)
		}
	})
}

func writeFile(t *testing.T, path, body string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(body), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
}

func TestWhatInspectorsSayIsKeptByLayerAndInspector(t *testing.T) {
	base := debianBase(t)
	path := save(t, base, layerTar(t, file{name: "app/key", body: "secret"}))
	s := scanner(t)
	if r := scanFile(t, s, path); len(r.Secrets) != 0 || !slices.Equal(r.Scanned, []string{"packages"}) {
		t.Fatalf("packages alone: %v %v", r.Secrets, r.Scanned)
	}
	secrets := &words{section: inspect.SectionSecrets, word: "secret", key: "1"}
	malware := &words{section: inspect.SectionMalware, word: "elf", key: "1"}
	s.Inspectors = []inspect.Inspector{secrets, malware}
	first := scanFile(t, s, path)
	if len(secrets.opened) != 5 || paths(first.Secrets) != "/app/key" || paths(first.Malware) != "/usr/lib/libssl.so.3" {
		t.Fatalf("opened %v, secrets %v, malware %v", secrets.opened, first.Secrets, first.Malware)
	}
	if !slices.Equal(first.Scanned, []string{"packages", "secrets", "malware"}) {
		t.Errorf("scanned %v", first.Scanned)
	}
	f := first.Secrets[0]
	if f.Asset != first.Artifact.Digest || f.Section != "secrets" || f.Layer != first.Artifact.Layers[1].DiffID || f.Step != "RUN step 1" {
		t.Errorf("finding %+v", f)
	}
	for _, test := range []struct {
		name   string
		change func()
		path   string
		opened [2]int // by secrets, by malware
		cached int
	}{
		{"the same image opens no file", func() {}, path, [2]int{}, 2},
		{"another image on the same base opens only its own files", func() {}, save(t, base, layerTar(t, file{name: "a", body: "b"})), [2]int{1, 1}, 1},
		{"other signatures read again, for themselves", func() { malware.key = "2" }, path, [2]int{0, 5}, 0},
		{"packages alone share the cache", func() { s.Inspectors = nil }, path, [2]int{}, 2},
		{"one inspector of two shares it", func() { s.Inspectors = []inspect.Inspector{malware} }, path, [2]int{}, 2},
		{"reading afresh opens everything", func() { s.Fresh = true; s.Inspectors = []inspect.Inspector{secrets, malware} }, path, [2]int{5, 5}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.change()
			secrets.opened, malware.opened = nil, nil
			r := scanFile(t, s, test.path)
			if got := [2]int{len(secrets.opened), len(malware.opened)}; got != test.opened || r.Artifact.Cached != test.cached {
				t.Errorf("opened %v, want %v; %d layers cached, want %d", got, test.opened, r.Artifact.Cached, test.cached)
			}
			if len(r.Unread) > 0 || find(t, r, "libssl3").Version != "3.0.11-1" {
				t.Errorf("unread %v", r.Unread)
			}
		})
	}
	s.Fresh = false
	again := scanFile(t, s, path)
	again.Artifact.Cached = 0
	a, _ := json.Marshal(first)
	b, _ := json.Marshal(again)
	if !bytes.Equal(a, b) {
		t.Errorf("from the cache:\n%s\nread:\n%s", b, a)
	}
}

func TestFindingsOfALayerStayWhereALaterOneHidesTheFile(t *testing.T) {
	s := scanner(t)
	s.Inspectors = []inspect.Inspector{&words{section: inspect.SectionSecrets, word: "secret"}}
	r := scanFile(t, s, save(t,
		layerTar(t, file{name: "app/removed", body: "secret"}, file{name: "app/copied", body: "secret"}, file{name: "app/replaced", body: "secret"}, file{name: "app/shows", body: "secret"}, file{name: "old/below", body: "secret"}),
		layerTar(t, file{name: "app/.wh.removed"}, file{name: "app/copied", body: "secret", mode: 0o600}, file{name: "app/replaced", body: "none"}, file{name: ".wh.old"})))
	got := map[string]string{}
	for _, f := range r.Secrets {
		hidden := "shows"
		if len(f.Evidence) > 0 {
			hidden = f.Evidence[0].Detail
		}
		if f.Layer != r.Artifact.Layers[0].DiffID {
			t.Errorf("%s: of layer %s", f.Path, f.Layer)
		}
		got[f.Path], _, _ = strings.Cut(hidden, ";")
	}
	want := map[string]string{"/app/removed": "hidden by a later layer", "/app/copied": "shows", "/app/replaced": "hidden by a later layer", "/app/shows": "shows", "/old/below": "hidden by a later layer"}
	if fmt.Sprint(got) != fmt.Sprint(want) || len(r.Secrets) != len(want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	if report := r.Report(); len(report.Findings) != 5 || len(report.Sections) != 2 || report.Sections[1] != (triad.Section{Name: "secrets", Status: triad.SectionComplete}) {
		t.Errorf("report: %d findings, sections %v", len(report.Findings), report.Sections)
	}
}

func TestWhatAPackageBroughtIsOwned(t *testing.T) {
	s := scanner(t)
	s.Inspectors = []inspect.Inspector{&words{section: inspect.SectionMalware, word: "elf", unlessOwned: true}}
	t.Run("dpkg, languages", func(t *testing.T) {
		r := scanFile(t, s, save(t, debianBase(t), layerTar(t,
			file{name: "var/lib/dpkg/info/tool.list", body: "/.\n/usr/lib/x/y/z/tool\n/usr/share/tool/run.sh\n"},
			file{name: "usr/lib/x/y/z/tool", body: "elf"}, file{name: "usr/share/tool/run.sh", body: "elf"}, file{name: "usr/share/tool/other.sh", body: "elf"},
			file{name: "app/node_modules/a/package.json", body: `{"name":"a","version":"1.0.0"}`}, file{name: "app/node_modules/a/bin/a", body: "elf"},
			file{name: "app/node_modules/b/bin/b", body: "elf"},
			file{name: "usr/lib/python3/p-1.dist-info/METADATA", body: "Name: p\nVersion: 1\n"},
			file{name: "usr/lib/python3/p-1.dist-info/RECORD", body: "p/m.so,sha256=x,3\n../../bin/p,,\n"},
			file{name: "usr/lib/python3/p/m.so", body: "elf"}, file{name: "usr/bin/p", body: "elf"},
			file{name: "tmp/x", body: "elf"})))
		if got := paths(r.Malware); got != "/app/node_modules/b/bin/b /tmp/x /usr/share/tool/other.sh" {
			t.Errorf("unowned: %s", got)
		}
	})
	t.Run("apk", func(t *testing.T) {
		r := scanFile(t, s, save(t, layerTar(t, file{name: "lib/apk/db/installed", body: alpineDB},
			file{name: "usr/share/readme", body: "elf"}, file{name: "usr/bin/ssl_client", body: "elf"}, file{name: "usr/bin/added", body: "elf"})))
		if got := paths(r.Malware); got != "/usr/bin/added" {
			t.Errorf("unowned: %s", got)
		}
	})
}

func TestAnInspectorThatFailsLeavesItsSectionUnreadAndNoOther(t *testing.T) {
	path := save(t, debianBase(t), layerTar(t, file{name: "app/key", body: "secret"}))
	sections := func(r *Result) string {
		var all []string
		for _, u := range r.Unread {
			all = append(all, u.Section)
		}
		slices.Sort(all)
		return strings.Join(slices.Compact(all), " ")
	}
	t.Run("not ready: nothing is opened or kept", func(t *testing.T) {
		s := scanner(t)
		bad := &words{section: inspect.SectionMalware, word: "secret", notReady: errors.New("clamd does not answer")}
		good := &words{section: inspect.SectionSecrets, word: "secret"}
		s.Inspectors = []inspect.Inspector{bad, good}
		r := scanFile(t, s, path)
		if sections(r) != "malware" || r.Unread[0].Reason != "clamd does not answer" || len(bad.opened) > 0 || len(r.Secrets) != 1 || slices.Contains(r.Scanned, "malware") {
			t.Errorf("unread %v, opened %v, secrets %v, scanned %v", r.Unread, bad.opened, r.Secrets, r.Scanned)
		}
		for _, section := range r.Report().Sections {
			if want := section.Name == "malware"; want != (section.Status == triad.SectionUnread) {
				t.Errorf("section %+v", section)
			}
		}
		bad.notReady = nil
		if r := scanFile(t, s, path); len(r.Unread) > 0 || len(r.Malware) != 1 {
			t.Errorf("ready again: unread %v, malware %v", r.Unread, r.Malware)
		}
	})
	for _, where := range []string{"open", "write", "close"} {
		t.Run("a panic on "+where+" is that file's", func(t *testing.T) {
			s := scanner(t)
			bad := &words{section: inspect.SectionMalware, word: "secret", only: "key", panics: where}
			good := &words{section: inspect.SectionSecrets, word: "secret"}
			s.Inspectors = []inspect.Inspector{bad, good}
			r := scanFile(t, s, path)
			if sections(r) != "malware" || len(r.Unread) != 1 || !strings.Contains(r.Unread[0].Reason, "app/key: the inspector failed") || len(r.Secrets) != 1 {
				t.Errorf("unread %v, secrets %v", r.Unread, r.Secrets)
			}
			if again := scanFile(t, s, path); len(again.Unread) != 1 {
				t.Errorf("from the cache: unread %v", again.Unread)
			}
		})
	}
	t.Run("of the config", func(t *testing.T) {
		s := scanner(t)
		s.Inspectors = []inspect.Inspector{&words{section: inspect.SectionMisconfigurations, word: "user"}}
		r := scanFile(t, s, path)
		if sections(r) != "misconfigurations" || len(r.Misconfigurations) != 1 || r.Misconfigurations[0].Asset != r.Artifact.Digest {
			t.Errorf("unread %v, found %+v", r.Unread, r.Misconfigurations)
		}
	})
	t.Run("a layer that breaks off is unread for all", func(t *testing.T) {
		s := scanner(t)
		s.Inspectors = []inspect.Inspector{&words{section: inspect.SectionSecrets, word: "secret"}}
		whole := layerTar(t, file{name: "a", body: "secret"}, file{name: "b", body: strings.Repeat("secret", 10_000)})
		read := &layerRead{content: make([]*content, 1)}
		if _, err := s.read(context.Background(), bytes.NewReader(whole[:20_000]), read, s.begin(context.Background())); err == nil {
			t.Fatal("no error")
		}
		if c := read.content[0]; len(c.Findings) != 2 || len(c.Unread) != 1 || !strings.HasPrefix(c.Unread[0], "b: ") {
			t.Errorf("content %+v", c)
		}
	})
}

// enough is an inspector that needs the first byte of a file.
type enough struct{ words }

func (e *enough) Open(context.Context, inspect.File) inspect.Sink { return &enoughSink{} }

type enoughSink struct{ n int }

func (s *enoughSink) Write(p []byte) (int, error) { s.n += len(p); return len(p), inspect.ErrEnough }

func (s *enoughSink) Close() ([]inspect.Found, error) {
	return []inspect.Found{{Finding: triad.Finding{ID: "read", Detail: fmt.Sprint(s.n > 0 && s.n <= 64<<10)}}}, nil
}

func TestASinkThatHasSeenEnoughIsGivenNoMore(t *testing.T) {
	s := scanner(t)
	s.Inspectors = []inspect.Inspector{&enough{words{section: inspect.SectionCode}}}
	r := scanFile(t, s, save(t, layerTar(t, file{name: "big", body: strings.Repeat("x", 1<<20)})))
	if len(r.Code) != 1 || r.Code[0].Detail != "true" || len(r.Unread) > 0 {
		t.Errorf("found %+v, unread %v", r.Code, r.Unread)
	}
}
