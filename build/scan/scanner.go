package scan

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sort"
	"sync"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/image"
	"github.com/triad-security/triad/build/inspect"
	"github.com/triad-security/triad/build/sbom"
	"github.com/triad-security/triad/build/secret"
)

// Scanner scans artifacts. The same layer is never read twice while the cache has it.
type Scanner struct {
	Cache   *image.Cache
	Options image.Options
	// Parallel is how many layers are read at once; zero is two. Each costs some 10 MiB.
	Parallel int
	// Inspectors look at the content of files besides.
	Inspectors []inspect.Inspector
	// Fresh reads every layer again and writes the cache anew.
	Fresh bool
	// BeforeRead, where set, is called before content is read, and not where all is known.
	BeforeRead func()
}

// OpenCache opens the scanner's cache in a directory.
func OpenCache(dir string) (*image.Cache, error) { return image.OpenCache(dir, analyserVersion) }

// Image scans an opened image.
func (s *Scanner) Image(ctx context.Context, img *image.Image) (*Result, error) {
	return s.image(ctx, img, s.begin(ctx), map[string]*layerRead{}, nil)
}

// Stream scans a docker save archive that can only be read front to back.
func (s *Scanner) Stream(ctx context.Context, r io.Reader, ref string) (*Result, error) {
	j := s.begin(ctx)
	reads := map[string]*layerRead{}
	known := func(diffID string) bool {
		read := s.known(diffID, j)
		if read.whole() {
			reads[diffID] = read
		}
		return read.whole()
	}
	img, failed, err := image.OpenStream(ctx, r, ref, s.Options, known, func(ctx context.Context, r io.Reader) (string, error) {
		read := &layerRead{content: make([]*content, len(j.able))}
		diffID, err := s.read(ctx, r, read, j)
		if diffID != "" && err == nil {
			reads[diffID] = read
			err = s.keep(diffID, read, j)
		}
		return diffID, err
	})
	if err != nil {
		return nil, err
	}
	if err := s.keepMetadata(img.ConfigDigest, img); err != nil {
		return nil, err
	}
	return s.image(ctx, img, j, reads, failed)
}

// Daemon scans an image of a Docker engine. Its content is asked for only when a layer is
// not known yet.
func (s *Scanner) Daemon(ctx context.Context, d *image.Daemon, ref string) (*Result, error) {
	about, err := d.Inspect(ctx, ref)
	if err != nil {
		return nil, err
	}
	result, err := s.Known(ctx, about.ID)
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

// image reads of the layers what nobody knows yet and merges all. reads holds what a stream
// brought, failed why some of it could not be read.
func (s *Scanner) image(ctx context.Context, img *image.Image, j *job, reads map[string]*layerRead, failed map[string]error) (*Result, error) {
	result := newResult(artifact(img))
	result.looked(j.able)
	result.Unread = append(result.Unread, j.unread...)
	result.configure(ctx, img, j.able)
	layers := make([]triad.Layer, len(img.Layers))
	for i, l := range img.Layers {
		layers[i] = l.Layer
	}
	if data, ok := s.Cache.Get(mergedKey(layers, j.able)); ok && !s.Fresh && len(reads) == 0 {
		if m, ok := decodeMerged(data, len(layers)); ok {
			result.Artifact.Cached = len(layers)
			result.assemble(img, layers, m)
			return result, nil
		}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(s.Parallel, 2))
	started := map[string]bool{}
	for id := range reads {
		started[id] = true
	}
	for _, l := range img.Layers {
		if started[l.DiffID] {
			continue
		}
		started[l.DiffID] = true
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; wg.Done() }()
			read, hit := s.layer(ctx, l, failed[l.DiffID], j)
			mu.Lock()
			defer mu.Unlock()
			reads[l.DiffID] = read
			if hit {
				result.Artifact.Cached++
			}
		}()
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m, whole := mergeLayers(layers, reads, j.able)
	if whole {
		if data, err := m.encode(); err == nil {
			_ = s.Cache.Put(mergedKey(layers, j.able), data) // only slower without it
		}
	}
	result.assemble(img, layers, m)
	return result, nil
}

// mergeLayers lays what is known of the layers over each other and collects what was not
// read. whole: every layer was, to its end.
func mergeLayers(layers []triad.Layer, byID map[string]*layerRead, able []inspect.Inspector) (m *merged, whole bool) {
	whole = true
	records, contents := make([]*record, len(layers)), make([][]*content, len(layers))
	reads, names := make([]*layerRead, len(layers)), make([]string, len(layers))
	var unread []triad.Unread
	for i, l := range layers {
		r := byID[l.DiffID]
		reads[i], names[i] = r, "layer "+l.DiffID+": "
		records[i], contents[i] = r.record, r.content
		if r.record != nil {
			for _, u := range r.record.Unread {
				unread = append(unread, triad.Unread{Section: u.Section, Reason: names[i] + u.Reason})
			}
		}
		if r.err != nil && !r.hadRecord || r.record == nil {
			whole = false
			unread = append(unread, triad.Unread{Section: sectionPackages, Reason: fmt.Sprintf("%s%v", names[i], r.err)})
		}
	}
	more, contentWhole := unreadContent(able, reads, names)
	m = mergeContent(records, contents, able, "/")
	m.Unread = slices.Concat(unread, more, m.Unread)
	return m, whole && contentWhole
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
	for i, f := range m.Findings {
		l := layers[m.FindingLayers[i]]
		f.Layer, f.Step = l.DiffID, l.Step
		r.place(f)
	}
	r.setPackages(m.Packages, m.Distro)
	r.code = m.Code
	r.Unread = append(r.Unread, m.Unread...)
	r.Artifact.Layers = layers
	r.about = img
	r.own()
	c := img.Config.Config
	r.image = triad.ImageProps{OS: m.Distro.PrettyName, Architecture: img.Config.Architecture, Entrypoint: secret.MaskArguments(c.Entrypoint), Cmd: secret.MaskArguments(c.Cmd), User: c.User, Exposed: exposed(c.ExposedPorts)}
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

// Match looks the packages up in the advisories. One that has an Owner is fixed with that,
// and the matcher leaves it out.
func (r *Result) Match(ctx context.Context, m triad.Matcher) error {
	asked := make([]triad.Package, 0, len(r.Packages))
	for _, p := range r.Packages {
		asked = append(asked, p.Package)
	}
	found, err := m.Match(ctx, asked)
	if err != nil {
		return fmt.Errorf("looking up advisories: %w", err)
	}
	r.Scanned = slices.Insert(r.Scanned, 1, sectionVulnerabilities)
	for _, v := range found {
		r.Vulnerabilities = append(r.Vulnerabilities, Vulnerability{v})
	}
	r.link(r.Vulnerabilities)
	return nil
}
