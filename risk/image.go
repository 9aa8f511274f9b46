package risk

import (
	"context"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/risk/graph"
)

// matched are the vulnerabilities of one scanned asset: an image, host or function. Its
// packages stay in the store; only the files of vulnerable ones are kept, as hashes, to
// join them with what processes load.
type matched struct {
	asset string
	vulns []vulnerable
}

type vulnerable struct {
	*triad.Vulnerability
	files []uint64 // sorted hashes of the package's files; empty when not known
}

// packagesKey is the key that a computation notes when it reads an asset's vulnerabilities.
func packagesKey(asset string) string { return "packages|" + asset }

// seed makes file hashes; they never leave the process.
var seed = maphash.MakeSeed()

func hashFile(path string) uint64 { return maphash.String(seed, merged(path)) }

// merged writes a path as distributions with a merged /usr do, where /lib is a link to
// /usr/lib: a package may list one and the kernel show the other.
func merged(path string) string {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	for _, dir := range []string{"/lib/", "/lib64/", "/bin/", "/sbin/"} {
		if strings.HasPrefix(path, dir) {
			return "/usr" + path
		}
	}
	return path
}

// match reads an asset's packages and finds their vulnerabilities.
func (e *Engine) match(ctx context.Context, asset string) (*matched, error) {
	var packages []triad.Package
	err := e.packages(ctx, asset, func(p triad.Package) error {
		packages = append(packages, p)
		return nil
	})
	if err != nil || len(packages) == 0 || e.options.Matcher == nil {
		return nil, err
	}
	found, err := e.options.Matcher.Match(ctx, packages)
	if err != nil {
		return nil, err
	}
	files := map[string][]uint64{}
	for i := range packages {
		p := &packages[i]
		files[p.PURL+"|"+p.Path] = packageFiles(p)
	}
	m := &matched{asset: asset}
	for i := range found {
		v := &found[i]
		if v.Asset == "" {
			v.Asset = asset
		}
		m.vulns = append(m.vulns, vulnerable{v, files[v.PURL+"|"+v.Path]})
	}
	slices.SortFunc(m.vulns, func(a, b vulnerable) int { return compareVulnerabilities(a.Vulnerability, b.Vulnerability) })
	return m, nil
}

func compareVulnerabilities(a, b *triad.Vulnerability) int {
	for _, c := range []int{
		strings.Compare(a.ID, b.ID), strings.Compare(a.PURL, b.PURL), strings.Compare(a.Package, b.Package),
		strings.Compare(a.Path, b.Path), strings.Compare(a.Advisory, b.Advisory),
	} {
		if c != 0 {
			return c
		}
	}
	return 0
}

// packageFiles lists the files by which a running process shows that it has loaded the
// package: its own loadable files, or the file that it was found in where that is one that
// a process maps or holds open: a binary or an archive. A manifest such as package.json
// shows nothing: interpreters read their sources and close them.
func packageFiles(p *triad.Package) []uint64 {
	files := p.Files
	outer, _, _ := strings.Cut(p.Path, "!")
	binary := p.Ecosystem == "Go" && !strings.HasSuffix(outer, "go.mod") && !strings.HasSuffix(outer, "go.sum")
	archive := strings.HasSuffix(outer, ".jar") || strings.HasSuffix(outer, ".war") || strings.HasSuffix(outer, ".ear")
	if outer != "" && (binary || archive) {
		files = append(slices.Clip(files), outer)
	}
	if len(files) == 0 {
		return nil
	}
	hashes := make([]uint64, 0, len(files))
	for _, f := range files {
		hashes = append(hashes, hashFile(f))
	}
	slices.Sort(hashes)
	return slices.Compact(hashes)
}

// scanned is what one container runs: the scans that speak of its image.
type scanned struct {
	Assets []string // assets whose packages are known, sorted
	// ByReference: no digest joined, only the image's name and tag did.
	ByReference bool
}

// image finds the scans of an image by any of its digests, and as a last resort by the
// reference that the container was started with.
func (e *Engine) image(c *graph.Context, image, reference string) scanned {
	return graph.Get(c, graph.ID{Kind: "image", Of: image + "|" + reference}, func(c *graph.Context) scanned {
		ids, _ := closure(c, image)
		s := scanned{Assets: e.scans(c, ids)}
		if len(s.Assets) > 0 || reference == "" {
			return s
		}
		for _, spelling := range spellings(strings.TrimPrefix(reference, "imageref:")) {
			alias := "imageref:" + spelling
			ids = append(ids, alias)
			for _, r := range c.Rows(alias) {
				if r.Asset != nil {
					more, _ := closure(c, r.Asset.ID)
					ids = append(ids, more...)
				}
			}
		}
		slices.Sort(ids)
		s.Assets = e.scans(c, slices.Compact(ids))
		s.ByReference = len(s.Assets) > 0
		return s
	})
}

// spellings are the ways in which people and engines write one image reference: nginx is
// docker.io/library/nginx:latest.
func spellings(reference string) []string {
	name, _, _ := strings.Cut(reference, "@")
	if i := strings.LastIndexByte(name, '/'); !strings.Contains(name[i+1:], ":") {
		name += ":latest"
	}
	list := []string{reference, name}
	host, rest, ok := strings.Cut(name, "/")
	switch {
	case !ok:
		list = append(list, "docker.io/library/"+name, "index.docker.io/library/"+name)
	case host == "docker.io" || host == "index.docker.io":
		short := strings.TrimPrefix(rest, "library/")
		list = append(list, rest, short, "docker.io/"+rest, "index.docker.io/"+rest)
	case !strings.ContainsAny(host, ".:") && host != "localhost":
		list = append(list, "docker.io/"+name, "index.docker.io/"+name)
	}
	return sorted(list)
}

// scans returns those of the assets that have packages or findings: somebody looked at them.
func (e *Engine) scans(c *graph.Context, ids []string) []string {
	var known []string
	for _, id := range ids {
		c.Note(packagesKey(id))
		c.Note(findingsKey(id))
		if _, ok := e.matched[id]; ok || len(e.findings[id]) > 0 {
			known = append(known, id)
		}
	}
	return known
}

// functionScans finds the scans of a function: of its ARN, of the image it runs, of its code's digest.
func (e *Engine) functionScans(c *graph.Context, id string, p triad.FunctionProps) []string {
	ids, _ := closure(c, id)
	for _, r := range c.Rows(reach.RelationsFrom(id, triad.RelRuns)) {
		more, _ := closure(c, r.Relation.To)
		ids = append(ids, more...)
	}
	if found := e.scans(c, ids); len(found) > 0 || p.CodeDigest == "" {
		return found
	}
	code := "CodeSha256:" + p.CodeDigest
	ids = []string{code}
	for _, r := range c.Rows(code) {
		if r.Asset != nil {
			ids = append(ids, r.Asset.ID)
		}
	}
	slices.Sort(ids)
	return e.scans(c, slices.Compact(ids))
}
