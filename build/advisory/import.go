package advisory

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/triad-security/triad"
)

// Result says what an import or update did.
type Result struct {
	Revision string `json:"revision"`
	// Previous is the revision before, empty when there was none.
	Previous string    `json:"previous,omitempty"`
	Imported []Segment `json:"imported"`
	// Kept names the segments of the earlier generation that were carried over.
	Kept  []string `json:"kept,omitempty"`
	Notes []string `json:"notes,omitempty"`
}

// Import reads the feeds under dir and makes a new generation of the database in dbDir: what
// dir brings replaces what was there of the same ecosystem or feed, everything else stays. On
// any error the generation that was there stays current.
func Import(ctx context.Context, dbDir, dir string, progress func(string)) (*Result, error) {
	src, err := discover(dir)
	if err != nil {
		return nil, err
	}
	return importSources(ctx, dbDir, src, progress, nil)
}

func importSources(ctx context.Context, dbDir string, src *sources, progress func(string), beforeRename func()) (_ *Result, err error) {
	if progress == nil {
		progress = func(string) {}
	}
	if err := os.MkdirAll(dbDir, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lock(dbDir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	// Whoever held the lock before is gone; what it left unfinished can go too.
	if stale, _ := filepath.Glob(filepath.Join(escapeGlob(dbDir), tempPrefix+"*")); stale != nil {
		for _, name := range stale {
			os.Remove(name)
		}
	}
	res := &Result{Notes: ignoredNotes(src.ignored)}
	old, err := openGeneration(filepath.Join(dbDir, fileName))
	switch {
	case err == nil:
		defer old.f.Close()
		res.Previous = old.Revision
	case errors.Is(err, os.ErrNotExist):
	case errors.Is(err, errDamaged) || triad.ErrorCode(err) == triad.CodeConflict:
		res.Notes = append(res.Notes, fmt.Sprintf("the earlier advisories cannot be kept: %v", err))
	default:
		return nil, err
	}
	b, err := newBuilder(dbDir)
	if err != nil {
		return nil, err
	}
	b.beforeRename, b.old = beforeRename, old
	if err := b.sources(ctx, src, progress); err != nil {
		b.abort()
		return nil, err
	}
	res.Imported = slices.DeleteFunc(slices.Clone(b.toc.Segments), func(s Segment) bool { return strings.HasPrefix(s.Name, "hints/") })
	if old != nil {
		for _, s := range old.Segments {
			if s.Name == segmentHints || s.Name == segmentDelta || b.replaces(s.Name) {
				continue
			}
			if err := b.keep(old, s); err != nil {
				b.abort()
				return nil, err
			}
			if !strings.HasPrefix(s.Name, "hints/") {
				res.Kept = append(res.Kept, s.Name)
			}
		}
	}
	if err := b.commit(); err != nil {
		return nil, fmt.Errorf("writing the advisory database in %s: %w", dbDir, err)
	}
	res.Revision = b.toc.Revision
	return res, nil
}

func ignoredNotes(ignored []string) []string {
	if len(ignored) == 0 {
		return nil
	}
	shown := ignored[:min(10, len(ignored))]
	return []string{fmt.Sprintf("ignored %d folders without all.zip: %s", len(ignored), clip(strings.Join(shown, ", "), 400))}
}

// replaces reports whether a segment of the earlier generation is replaced by the new ones: by
// one of its own name, or, for one release of an ecosystem, by the whole ecosystem.
func (b *builder) replaces(name string) bool {
	whole, _, _ := strings.Cut(name, ":")
	for _, s := range b.toc.Segments {
		if strings.EqualFold(s.Name, name) || strings.EqualFold(s.Name, whole) {
			return true
		}
	}
	return false
}

func (b *builder) sources(ctx context.Context, src *sources, progress func(string)) error {
	for _, s := range src.osv {
		progress("reading " + s.name)
		err := b.osv(s.name, func(o *osvWriter, seg *Segment) error { return readOSV(ctx, s, o, seg) })
		if err != nil {
			return fmt.Errorf("importing %s: %w", s.name, err)
		}
	}
	feeds := []struct {
		name, path string
		fn         func(context.Context, string, *tableWriter, *Segment) error
	}{{segmentKEV, src.kev, readKEV}, {segmentEPSS, src.epss, readEPSS}, {segmentEnrich, src.enrich, readEnrichment}}
	for _, f := range feeds {
		if f.path == "" {
			continue
		}
		progress("reading " + f.name)
		err := b.segment(Segment{Name: f.name, Imported: now()}, func(w io.Writer, s *Segment) error {
			t := newTableWriter(w)
			if err := f.fn(ctx, f.path, t, s); err != nil {
				return err
			}
			if s.Records == 0 {
				return fmt.Errorf("%s holds nothing that can be used%s", f.path, s.Skipped.example())
			}
			return t.close()
		})
		if err != nil {
			return fmt.Errorf("importing %s: %w", f.name, err)
		}
	}
	return ctx.Err()
}

func (s Skips) example() string {
	if len(s.First) == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d skipped; %s: %s)", s.Count, s.First[0].Name, s.First[0].Reason)
}

// parsed is what became of one file of an OSV folder.
type parsed struct {
	name     string
	record   *Record
	affected []Affected
	err      error
	fatal    error
}

// readOSV reads the records of one folder: decoding runs on all processors, the result is in
// the order of the names, so that equal input makes an equal database.
func readOSV(ctx context.Context, src osvSource, o *osvWriter, seg *Segment) error {
	blobs, left, done, err := src.blobs()
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	const size = 64 // records handed over at once
	batches := make(chan chan []parsed, 2*runtime.GOMAXPROCS(0))
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	go func() {
		defer close(batches)
		for chunk := range slices.Chunk(blobs, size) {
			out := make(chan []parsed, 1)
			select {
			case batches <- out:
			case <-ctx.Done():
				return
			}
			slots <- struct{}{}
			go func() {
				defer func() { <-slots }()
				out <- parseBatch(chunk, left)
			}()
		}
	}()
	for batch := range batches {
		for _, p := range <-batch {
			switch {
			case p.fatal != nil:
				return p.fatal
			case errors.Is(p.err, errNotAdvisory):
				seg.NotAdvisories++
			case p.err != nil:
				seg.Skipped.add(p.name, p.err)
			default:
				added, err := o.add(p.record, p.affected)
				if err != nil {
					return err
				}
				if !added {
					seg.Skipped.add(p.name, fmt.Errorf("%s came before with a date as new", p.record.ID))
				}
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if o.records == 0 && seg.NotAdvisories == 0 {
		return fmt.Errorf("it holds no record that can be used%s", seg.Skipped.example())
	}
	return nil
}

func (s osvSource) blobs() (blobs []blob, left *budget, done func(), err error) {
	if s.zip == "" {
		root, err := os.OpenRoot(s.dir)
		if err != nil {
			return nil, nil, nil, err
		}
		entries, err := os.ReadDir(s.dir)
		if err != nil {
			root.Close()
			return nil, nil, nil, err
		}
		for _, e := range entries {
			if e.Type().IsRegular() && strings.HasSuffix(e.Name(), ".json") {
				blobs = append(blobs, blob{name: e.Name(), size: -1, open: func() (io.ReadCloser, error) { return root.Open(e.Name()) }})
			}
		}
		return blobs, &budget{}, func() { root.Close() }, nil
	}
	info, err := os.Stat(s.zip)
	if err != nil {
		return nil, nil, nil, err
	}
	z, err := zip.OpenReader(s.zip)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%s: %w", s.zip, err)
	}
	if blobs, err = zipBlobs(z); err != nil {
		z.Close()
		return nil, nil, nil, fmt.Errorf("%s: %w", s.zip, err)
	}
	return blobs, &budget{packed: info.Size()}, func() { z.Close() }, nil
}

func parseBatch(blobs []blob, left *budget) []parsed {
	out := make([]parsed, len(blobs))
	for i, b := range blobs {
		p := &out[i]
		p.name = b.name
		if p.err = checkEntryName(b.name); p.err != nil {
			continue
		}
		data, err := b.read(maxRecordBytes, left)
		if err != nil {
			// A single bad entry is skipped and named. An archive that cannot be read on, or that is
			// a bomb, ends the import: the old advisories are better than half of the new.
			if errors.Is(err, errTooLarge) && left.take(0) == nil {
				p.err = err
			} else {
				p.fatal = fmt.Errorf("%s: %w", clip(b.name, 200), err)
			}
			continue
		}
		p.record, p.affected, p.err = ParseRecord(data)
	}
	return out
}

func readKEV(_ context.Context, file string, t *tableWriter, s *Segment) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	entries, version, err := ParseKEV(f, s.Skipped.add)
	if err != nil {
		return err
	}
	s.Version = version
	seen := map[string]bool{}
	for _, e := range entries {
		if seen[e.CVE] {
			s.Skipped.add(e.CVE, errors.New("came before"))
			continue
		}
		seen[e.CVE] = true
		var w writer
		w.string(e.CVE)
		w.string(e.Added)
		ransomware := uint64(0)
		if e.Ransomware {
			ransomware = 1
		}
		w.uint(ransomware)
		if err := t.put(e.CVE, w.b); err != nil {
			return err
		}
	}
	s.Records = len(seen)
	return nil
}

func readEPSS(_ context.Context, file string, t *tableWriter, s *Segment) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	seen := map[string]bool{}
	s.Version, err = ParseEPSS(f, func(e EPSS) error {
		if seen[e.CVE] {
			s.Skipped.add(e.CVE, errors.New("came before"))
			return nil
		}
		seen[e.CVE] = true
		s.Records++
		var w writer
		w.string(e.CVE)
		w.uint(math.Float64bits(e.Score))
		w.uint(math.Float64bits(e.Percentile))
		return t.put(e.CVE, w.b)
	}, s.Skipped.add)
	return err
}

// readEnrichment reads vulnrichment's CVE-….json files below a folder, in folders by year and
// number or in archives of them.
func readEnrichment(ctx context.Context, dir string, t *tableWriter, s *Segment) error {
	seen := map[string]bool{}
	left := &budget{}
	one := func(b blob) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := path.Base(strings.ReplaceAll(b.name, `\`, "/"))
		if !strings.HasPrefix(name, "CVE-") || !strings.HasSuffix(name, ".json") {
			return nil
		}
		data, err := b.read(maxCVERecordBytes, left)
		if errors.Is(err, errTooLarge) {
			s.Skipped.add(b.name, err)
			return left.take(0)
		} else if err != nil {
			return fmt.Errorf("%s: %w", clip(b.name, 200), err)
		}
		e, err := ParseVulnrichment(data)
		if err == nil && seen[e.CVE] {
			err = errors.New("came before")
		}
		if err != nil {
			s.Skipped.add(b.name, err)
			return nil
		}
		seen[e.CVE] = true
		s.Records++
		if date := e.Date; date > s.Version {
			s.Version = date // that of the newest assessment
		}
		var w writer
		for _, v := range []string{e.CVE, e.Exploitation, e.Automatable, e.TechnicalImpact, e.Date, e.Vector} {
			w.string(v)
		}
		return t.put(e.CVE, w.b)
	}
	return walkDir(dir, func(b blob) error {
		if info, err := os.Stat(filepath.Join(dir, b.name)); err == nil {
			left.packed += info.Size()
		}
		if ok, err := walkArchive(filepath.Join(dir, b.name), one); ok || err != nil {
			return err
		}
		return one(b)
	})
}
