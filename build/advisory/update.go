package advisory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/triad-security/triad"
)

// The public addresses of the feeds.
const (
	publicOSV    = "https://osv-vulnerabilities.storage.googleapis.com/"
	publicKEV    = "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"
	publicEPSS   = "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz"
	publicEnrich = "https://codeload.github.com/cisagov/vulnrichment/tar.gz/refs/heads/develop"
)

// Limits on downloads, in bytes. The largest all.zip (npm, with its malware records) is near 200 MB.
const (
	maxZipDownload    = 4 << 30
	maxFeedDownload   = 512 << 20
	maxEnrichDownload = 4 << 30
	maxListDownload   = 1 << 20
	parallelDownloads = 3
)

// UpdateOptions say from where to fetch.
type UpdateOptions struct {
	// Mirrors are URLs of folders with the layout that Import reads: osv/ecosystems.txt,
	// osv/NAME/all.zip, kev/, epss/, vulnrichment/vulnrichment.tar.gz, and SHA256SUMS over
	// them. The first that serves is used. Empty: the public addresses.
	Mirrors []string
	// Verify, where given, checks the signature of a mirror's SHA256SUMS, which must then be there.
	Verify Verify
	// Ecosystems to fetch; empty means all that packages are matched in.
	Ecosystems []string
	// Client to fetch with; nil makes one.
	Client   *http.Client
	Progress func(Progress)
	Say      func(string)

	pause        time.Duration // tests
	beforeRename func()
}

// target is one file to fetch.
type target struct {
	name string // of the segment
	url  string
	file string // below the download folder
	size int64  // limit
}

// state remembers what each segment was made of, so that an unchanged file is not fetched again.
type state struct {
	Files map[string]stateFile `json:"files"`
}

type stateFile struct {
	meta
	// SHA256 of the segment that was made of it: another import in between makes it stale.
	SHA256 string `json:"sha256"`
}

// Update fetches the feeds that changed and makes a new generation of the database in dbDir.
// Whatever fails, the generation that was there stays current; files already fetched are
// taken up by the next try.
func Update(ctx context.Context, dbDir string, opt UpdateOptions) (*Result, error) {
	if opt.Verify != nil && len(opt.Mirrors) == 0 {
		return nil, triad.Errorf(triad.CodeInvalid, "the public feeds are not signed by one key: a key needs a mirror")
	}
	for _, mirror := range opt.Mirrors {
		if err := checkMirror(mirror); err != nil {
			return nil, err
		}
	}
	if len(opt.Mirrors) < 2 {
		mirror := ""
		if len(opt.Mirrors) == 1 {
			mirror = opt.Mirrors[0]
		}
		return opt.from(ctx, dbDir, mirror)
	}
	var failed []error
	for _, mirror := range opt.Mirrors {
		res, err := opt.from(ctx, dbDir, mirror)
		if err == nil || ctx.Err() != nil {
			return res, err
		}
		if opt.Say != nil {
			opt.Say(err.Error())
		}
		failed = append(failed, fmt.Errorf("%s: %w", mirror, err))
	}
	return nil, fmt.Errorf("none of %d mirrors served: %w", len(failed), errors.Join(failed...))
}

// from updates from one mirror, or from the public addresses.
func (opt UpdateOptions) from(ctx context.Context, dbDir, mirror string) (*Result, error) {
	if opt.Say == nil {
		opt.Say = func(string) {}
	}
	if opt.Progress == nil {
		opt.Progress = func(Progress) {}
	}
	if opt.Client == nil {
		opt.Client = newClient()
	}
	f := &fetcher{client: opt.Client, attempt: 4, pause: max(opt.pause, time.Millisecond), idle: time.Minute, report: opt.Progress}
	if opt.pause == 0 {
		f.pause = time.Second
	}
	dir := filepath.Join(dbDir, "download")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lockNamed(dbDir, "update.lock")
	if err != nil {
		return nil, err
	}
	defer unlock()
	var listed sums
	if mirror != "" {
		if listed, err = f.fetchSums(ctx, mirror, dir, opt.Verify); err != nil {
			return nil, fmt.Errorf("%w; the advisories that were there are unchanged", err)
		}
	}
	targets, err := opt.targets(ctx, f, mirror, dir)
	if err != nil {
		return nil, fmt.Errorf("%w; the advisories that were there are unchanged", err)
	}
	have := knownFiles(dbDir)
	fetched, absent, err := fetchAll(ctx, f, dir, targets, have, listed)
	if err != nil {
		return nil, fmt.Errorf("%w; the advisories that were there are unchanged", err)
	}
	if mirror == "" && len(absent) > 0 {
		return nil, fmt.Errorf("fetching advisories: %s %w; the advisories that were there are unchanged", strings.Join(absent, ", "), errAbsent)
	}
	if len(absent) == len(targets) {
		return nil, triad.Errorf(triad.CodeUnavailable, "%s holds no advisories: it needs the layout osv/<ecosystem>/all.zip, kev/, epss/, vulnrichment/", mirror)
	}
	var notes []string
	if len(absent) > 0 {
		notes = append(notes, "the mirror does not have "+strings.Join(absent, ", "))
	}
	if len(fetched) == 0 {
		opt.Say("nothing has changed since the last update")
		return unchanged(dbDir, notes)
	}
	src := &sources{}
	for _, t := range targets {
		if _, ok := fetched[t.name]; ok {
			src.add(t.name, filepath.Join(dir, t.file))
		}
	}
	res, err := importSources(ctx, dbDir, src, opt.Say, opt.beforeRename)
	if err != nil {
		if ctx.Err() == nil {
			// A file that cannot be imported now cannot be later.
			os.RemoveAll(dir)
		}
		return nil, fmt.Errorf("%w; the advisories that were there are unchanged", err)
	}
	res.Notes = append(res.Notes, notes...)
	if err := rememberFiles(dbDir, fetched, res.Imported); err != nil {
		res.Notes = append(res.Notes, fmt.Sprintf("the next update will fetch everything again: %v", err))
	}
	return res, os.RemoveAll(dir)
}

func newClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = time.Minute
	return &http.Client{Transport: t, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if len(via) >= 10 {
			return errors.New("stopped after 10 redirects")
		}
		if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
			return fmt.Errorf("redirected from https to %s", req.URL)
		}
		return nil
	}}
}

func checkMirror(mirror string) error {
	u, err := url.Parse(mirror)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return triad.Errorf(triad.CodeInvalid, "mirror %q is not an http or https URL; a folder is read by `triad db import DIR`", mirror)
	}
	return nil
}

// targets lists what to fetch.
func (opt *UpdateOptions) targets(ctx context.Context, f *fetcher, mirror, dir string) ([]target, error) {
	osv, kev, epss, enrich := publicOSV, publicKEV, publicEPSS, publicEnrich
	if mirror != "" {
		base := strings.TrimSuffix(mirror, "/")
		osv = base + "/osv/"
		kev = base + "/kev/known_exploited_vulnerabilities.json"
		epss = base + "/epss/epss_scores-current.csv.gz"
		enrich = base + "/vulnrichment/vulnrichment.tar.gz"
	}
	names := opt.Ecosystems
	if len(names) == 0 {
		var err error
		if names, err = opt.ecosystems(ctx, f, mirror, osv, filepath.Join(dir, "ecosystems.txt")); err != nil {
			return nil, err
		}
	}
	var out []target
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, `/\`) || strings.HasPrefix(name, ".") {
			return nil, triad.Errorf(triad.CodeInvalid, "%q is no ecosystem", name)
		}
		out = append(out, target{"osv/" + name, osv + url.PathEscape(name) + "/all.zip", filepath.Join("osv", name, "all.zip"), maxZipDownload})
	}
	return append(out,
		target{segmentKEV, kev, filepath.Join("kev", "known_exploited_vulnerabilities.json"), maxFeedDownload},
		target{segmentEPSS, epss, filepath.Join("epss", "epss_scores-current.csv.gz"), maxFeedDownload},
		target{segmentEnrich, enrich, filepath.Join("vulnrichment", "vulnrichment.tar.gz"), maxEnrichDownload}), nil
}

// ecosystems reads the bucket's own list and keeps those that packages are matched in. A
// mirror without the list is asked for all of them.
func (opt *UpdateOptions) ecosystems(ctx context.Context, f *fetcher, mirror, base, path string) ([]string, error) {
	_, err := f.fetch(ctx, "ecosystems.txt", base+"ecosystems.txt", path, meta{}, maxListDownload)
	var names []string
	switch {
	case errors.Is(err, errAbsent) && mirror != "":
		names = Families()
	case err != nil:
		return nil, err
	default:
		defer os.Remove(path)
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			if name, ok := families[strings.ToLower(strings.TrimSpace(line))]; ok {
				names = append(names, name)
			}
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("%secosystems.txt names no ecosystem that is known", base)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// fetchAll fetches the targets that changed. The first failure ends it.
func fetchAll(ctx context.Context, f *fetcher, dir string, targets []target, have map[string]meta, listed sums) (fetched map[string]meta, absent []string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	fetched = map[string]meta{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallelDownloads)
	for _, t := range targets {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			path := filepath.Join(dir, t.file)
			known := have[t.name]
			// Finished by an earlier update that failed elsewhere?
			done := readMeta(path)
			_, statErr := os.Stat(path)
			ready := statErr == nil && done.usable(t.url)
			if ready {
				known = done
			}
			name := filepath.ToSlash(t.file)
			if want, ok := listed[name]; ok && known.Sum != want {
				known = meta{} // whatever the server says of it, it is another one
			}
			m, e := f.fetch(ctx, t.name, t.url, path, known, t.size)
			if e == nil {
				if e = listed.check(name, path); e != nil {
					_ = os.Remove(path)
				} else if listed != nil {
					m.Sum = listed[name]
				}
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case e == nil:
				fetched[t.name] = m
				if e := m.write(path); e != nil && err == nil {
					err = e
				}
			case errors.Is(e, errUnchanged) && ready:
				fetched[t.name] = m
			case errors.Is(e, errUnchanged):
			case errors.Is(e, errAbsent):
				os.Remove(path)
				absent = append(absent, t.name)
			case err == nil || errors.Is(err, context.Canceled):
				err = e
				cancel()
			}
		})
	}
	wg.Wait()
	slices.Sort(absent)
	return fetched, absent, err
}

// add takes a fetched file as a source.
func (s *sources) add(segment, path string) {
	switch segment {
	case segmentKEV:
		s.kev = path
	case segmentEPSS:
		s.epss = path
	case segmentEnrich:
		s.enrich = filepath.Dir(path)
	default:
		s.osv = append(s.osv, osvSource{name: strings.TrimPrefix(segment, "osv/"), zip: path})
	}
}

// knownFiles is what each segment of the current generation was made of, where that is known.
func knownFiles(dbDir string) map[string]meta {
	out := map[string]meta{}
	var s state
	data, err := os.ReadFile(filepath.Join(dbDir, "state.json"))
	if err != nil || json.Unmarshal(data, &s) != nil {
		return out
	}
	g, err := openGeneration(filepath.Join(dbDir, fileName))
	if err != nil {
		return out
	}
	defer g.f.Close()
	for name, file := range s.Files {
		if seg, ok := g.Feed(name); ok && seg.SHA256 == file.SHA256 {
			out[name] = file.meta
		}
	}
	return out
}

func rememberFiles(dbDir string, fetched map[string]meta, segments []Segment) error {
	path := filepath.Join(dbDir, "state.json")
	s := state{Files: map[string]stateFile{}}
	if data, err := os.ReadFile(path); err == nil {
		_ = json.Unmarshal(data, &s) // a damaged one is written anew
		if s.Files == nil {
			s.Files = map[string]stateFile{}
		}
	}
	for _, seg := range segments {
		if m, ok := fetched[seg.Name]; ok {
			s.Files[seg.Name] = stateFile{m, seg.SHA256}
		}
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", data, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// unchanged is the result of an update that found nothing new.
func unchanged(dbDir string, notes []string) (*Result, error) {
	g, err := openGeneration(filepath.Join(dbDir, fileName))
	if err != nil {
		return nil, err
	}
	defer g.f.Close()
	r := &Result{Revision: g.Revision, Previous: g.Revision, Notes: notes}
	for _, s := range g.Segments {
		if s.Name != segmentHints && s.Name != segmentDelta && !strings.HasPrefix(s.Name, "hints/") {
			r.Kept = append(r.Kept, s.Name)
		}
	}
	return r, nil
}
