package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/image"
	"github.com/triad-security/triad/build/sbom"
)

// Scanner scans artifacts. The same layer is never read twice while the cache has it.
type Scanner struct {
	Cache   *image.Cache
	Options image.Options
	// Parallel is how many layers are read at once; zero is two. Each costs some 10 MiB.
	Parallel int
	// Fresh reads every layer again and writes the cache anew.
	Fresh bool
}

// OpenCache opens the scanner's cache in a directory.
func OpenCache(dir string) (*image.Cache, error) { return image.OpenCache(dir, analyserVersion) }

// Image scans an opened image.
func (s *Scanner) Image(ctx context.Context, img *image.Image) (*Result, error) {
	return s.image(ctx, img, map[string]*record{}, nil)
}

// Stream scans a docker save archive that can only be read front to back.
func (s *Scanner) Stream(ctx context.Context, r io.Reader, ref string) (*Result, error) {
	records := map[string]*record{}
	known := func(diffID string) bool {
		rec := s.cached(diffID)
		if rec != nil {
			records[diffID] = rec
		}
		return rec != nil
	}
	img, failed, err := image.OpenStream(ctx, r, ref, s.Options, known, func(ctx context.Context, r io.Reader) (string, error) {
		rec, err := analyse(ctx, r, s.Cache.Spool(), s.Options.Limits)
		if rec.layer.DiffID != "" && err == nil {
			records[rec.layer.DiffID] = rec
			err = s.keep(rec)
		}
		return rec.layer.DiffID, err
	})
	if err != nil {
		return nil, err
	}
	if err := s.keepMetadata(img.ConfigDigest, img); err != nil {
		return nil, err
	}
	return s.image(ctx, img, records, failed)
}

// Daemon scans an image of a Docker engine. Its content is asked for only when a layer is
// not known yet.
func (s *Scanner) Daemon(ctx context.Context, d *image.Daemon, ref string) (*Result, error) {
	about, err := d.Inspect(ctx, ref)
	if err != nil {
		return nil, err
	}
	result, err := s.daemonCached(ctx, about)
	if err != nil {
		return nil, err
	}
	if result == nil {
		r, err := d.Save(ctx, ref)
		if err != nil {
			return nil, err
		}
		defer func() { _ = r.Close() }()
		if result, err = s.Stream(ctx, r, ""); err != nil {
			return nil, err
		}
	}
	result.Artifact.Name = ref
	result.Artifact.RepoDigests = about.RepoDigests
	result.Artifact.Refs = about.Tags
	if len(about.Tags) == 0 {
		result.Artifact.Refs = []string{ref}
	}
	return result, nil
}

func (s *Scanner) daemonCached(ctx context.Context, about image.DaemonImage) (*Result, error) {
	meta, ok := s.metadata(about.ID)
	if !ok || s.Fresh {
		return nil, nil
	}
	img, err := meta.Image()
	if err != nil {
		return nil, nil //nolint:nilerr // a cache's fault is no fault: read the image
	}
	for _, l := range img.Layers {
		if !s.Cache.Has(l.DiffID) {
			return nil, nil
		}
	}
	return s.image(ctx, img, map[string]*record{}, nil)
}

// image reads the layers that nobody knows yet and merges all. records holds what a stream
// brought, failed why some of it could not be read.
func (s *Scanner) image(ctx context.Context, img *image.Image, records map[string]*record, failed map[string]error) (*Result, error) {
	result := newResult(artifact(img))
	layers := make([]triad.Layer, len(img.Layers))
	for i, l := range img.Layers {
		layers[i] = l.Layer
	}
	if data, ok := s.Cache.Get(mergedKey(layers)); ok && !s.Fresh && len(records) == 0 {
		if m, ok := decodeMerged(data, len(layers)); ok {
			result.Artifact.Cached = len(layers)
			result.assemble(img, layers, m)
			return result, nil
		}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(s.Parallel, 2))
	errs := map[string]error{}
	started := map[string]bool{}
	for _, l := range img.Layers {
		if started[l.DiffID] || records[l.DiffID] != nil {
			continue
		}
		started[l.DiffID] = true
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; wg.Done() }()
			rec, hit, err := s.layer(ctx, l, failed[l.DiffID])
			mu.Lock()
			defer mu.Unlock()
			if rec != nil {
				records[l.DiffID] = rec
			}
			if hit {
				result.Artifact.Cached++
			}
			errs[l.DiffID] = err
		}()
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m, whole := mergeLayers(layers, records, errs)
	if whole {
		if data, err := m.encode(); err == nil {
			_ = s.Cache.Put(mergedKey(layers), data) // only slower without it
		}
	}
	result.assemble(img, layers, m)
	return result, nil
}

// mergeLayers lays the records over each other and collects what was not read. whole: every
// layer was, to its end.
func mergeLayers(layers []triad.Layer, records map[string]*record, errs map[string]error) (m *merged, whole bool) {
	whole = true
	recs := make([]*record, len(layers))
	var unread []triad.Unread
	for i, l := range layers {
		if recs[i] = records[l.DiffID]; recs[i] != nil {
			for _, u := range recs[i].Unread {
				unread = append(unread, triad.Unread{Section: u.Section, Reason: "layer " + l.DiffID + ": " + u.Reason})
			}
		}
		if err := errs[l.DiffID]; err != nil || recs[i] == nil {
			whole = false
			unread = append(unread, triad.Unread{Section: sectionPackages, Reason: fmt.Sprintf("layer %s: %v", l.DiffID, err)})
		}
	}
	m = merge(recs, "/")
	m.Unread = append(unread, m.Unread...)
	return m, whole
}

// layer returns a layer's record, from the cache or by reading it.
func (s *Scanner) layer(ctx context.Context, l image.Layerer, failed error) (rec *record, hit bool, err error) {
	if rec := s.cached(l.DiffID); rec != nil {
		return rec, true, nil
	}
	if failed != nil {
		return nil, false, failed
	}
	if l.Open == nil {
		return nil, false, errors.New("it is not in the archive")
	}
	r, err := l.Open(ctx)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = r.Close() }()
	rec, err = analyse(ctx, r, s.Cache.Spool(), s.Options.Limits)
	if err != nil {
		return rec, false, err
	}
	if got := rec.layer.DiffID; got != l.DiffID {
		// Kept under neither name: the one is not known to be wanted, the other is a lie.
		return rec, false, fmt.Errorf("its content has the digest %s: the image is damaged or was changed", got)
	}
	return rec, false, s.keep(rec)
}

func (s *Scanner) cached(diffID string) *record {
	if s.Fresh {
		return nil
	}
	data, ok := s.Cache.Get(diffID)
	if !ok {
		return nil
	}
	rec, err := decodeRecord(data)
	if err != nil || rec.layer.DiffID != diffID {
		return nil
	}
	return rec
}

func (s *Scanner) keep(rec *record) error {
	data, err := rec.encode()
	if err != nil {
		return err
	}
	return s.Cache.Put(rec.layer.DiffID, data)
}

func artifact(img *image.Image) Artifact {
	a := Artifact{
		Type: ArtifactImage, Name: img.Ref, Refs: img.Refs, Digest: img.ID(),
		ConfigDigest: img.ConfigDigest, ManifestDigest: img.ManifestDigest, IndexDigest: img.IndexDigest, RepoDigests: img.RepoDigests,
		Architecture: img.Config.Architecture,
	}
	return a
}

// assemble fills the result from the merged layers and the image's config.
func (r *Result) assemble(img *image.Image, layers []triad.Layer, m *merged) {
	for i := range m.Packages {
		l := layers[m.Layers[i]]
		m.Packages[i].Layer, m.Packages[i].Step = l.DiffID, l.Step
	}
	for i, size := range m.Sizes {
		layers[i].Size = size
	}
	r.setPackages(m.Packages, m.Distro)
	r.Unread = append(r.Unread, m.Unread...)
	r.Artifact.Layers = layers
	c := img.Config.Config
	r.image = triad.ImageProps{OS: m.Distro.PrettyName, Architecture: img.Config.Architecture, Entrypoint: c.Entrypoint, Cmd: c.Cmd, User: c.User, Exposed: exposed(c.ExposedPorts)}
	if r.Artifact.OS == "" {
		r.Artifact.OS = img.Config.OS
	}
}

func exposed(ports map[string]struct{}) []string {
	var all []string
	for p := range ports {
		all = append(all, p)
	}
	sort.Strings(all)
	return all
}

func (r *Result) setPackages(packages []Package, distro sbom.Distro) {
	if packages != nil {
		r.Packages = packages
	}
	r.distro = distro
	if distro.PrettyName != "" {
		r.Artifact.OS = distro.PrettyName
	}
}

// Match looks the packages up in the advisories. A package that belongs to one of the
// distribution's is fixed with that one, and only that one is looked up.
func (r *Result) Match(ctx context.Context, m triad.Matcher) error {
	asked := make([]triad.Package, 0, len(r.Packages))
	for _, p := range r.Packages {
		if p.Owner == "" || r.distro.Ecosystem() == "" {
			asked = append(asked, p.Package)
		}
	}
	found, err := m.Match(ctx, asked)
	if err != nil {
		return fmt.Errorf("looking up advisories: %w", err)
	}
	for _, v := range found {
		r.Vulnerabilities = append(r.Vulnerabilities, Vulnerability{v})
	}
	return nil
}
