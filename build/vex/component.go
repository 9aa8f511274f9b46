package vex

import (
	"strings"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/triad-security/triad"
)

// component is how a statement names a product or a part of one.
type component struct {
	id      string                  // as written
	purls   []packageurl.PackageURL // one is enough
	digests []string                // sha256:…, lower case
}

// newComponent takes an identifier that may be a package URL, and further ones.
func newComponent(ids ...string) component {
	var c component
	for _, id := range ids {
		if id = strings.TrimSpace(id); id == "" {
			continue
		}
		if strings.HasPrefix(id, "pkg:") {
			if u, err := packageurl.FromString(id); err == nil {
				c.purls = append(c.purls, u)
				continue
			}
		}
		if c.id == "" {
			c.id = id
		}
		if at := strings.LastIndex(id, "sha256:"); at >= 0 && (at == 0 || id[at-1] == '@') {
			c.digests = append(c.digests, strings.ToLower(id[at:]))
		}
	}
	return c
}

func (c *component) hash(algorithm, value string) {
	if a := strings.ToLower(strings.ReplaceAll(algorithm, "-", "")); a == "sha256" && value != "" {
		c.digests = append(c.digests, "sha256:"+strings.ToLower(strings.TrimPrefix(value, "sha256:")))
	}
}

func (c *component) empty() bool { return c.id == "" && len(c.purls) == 0 && len(c.digests) == 0 }

// isArtifact says whether the scanned artifact is meant. A digest that is named must be the
// artifact's: the same name with another one is another image.
func (c *component) isArtifact(p *Product) bool {
	for _, d := range c.digests {
		for _, have := range p.Digests {
			if d == have {
				return true
			}
		}
	}
	if len(c.digests) > 0 {
		return false
	}
	for _, u := range c.purls {
		if u.Type == "oci" || u.Type == "docker" {
			if isImage(u, p) {
				return true
			}
		} else if p.PURL != "" && covers(u, p.PURL) {
			return true
		}
	}
	if c.id == "" {
		return false
	}
	for _, name := range p.Names {
		if name != "" && (c.id == name || familiar(c.id) == familiar(name)) {
			return true
		}
	}
	return false
}

// isImage holds a package URL of type oci or docker against an image. Without a version or
// tag it means every version of the image.
func isImage(u packageurl.PackageURL, p *Product) bool {
	q := u.Qualifiers.Map()
	version, tag := u.Version, q["tag"]
	if version != "" && !strings.HasPrefix(version, "sha256:") {
		version, tag = "", version // docker writes its tag there
	}
	if version != "" {
		for _, d := range p.Digests {
			if d == strings.ToLower(version) {
				return true
			}
		}
		return false
	}
	want := u.Name
	if u.Namespace != "" {
		want = u.Namespace + "/" + u.Name
	}
	if r := q["repository_url"]; r != "" {
		want = r
		if !strings.HasSuffix(strings.ToLower(r), "/"+strings.ToLower(u.Name)) {
			want = strings.TrimSuffix(r, "/") + "/" + u.Name
		}
	}
	for _, name := range p.Names {
		repo, have := split(name)
		if tag != "" && tag != have {
			continue
		}
		// The name alone is of any registry; with a registry or folder it must be the same.
		if strings.Contains(want, "/") && familiar(want) == familiar(repo) || !strings.Contains(want, "/") && strings.EqualFold(want, repo[strings.LastIndexByte(repo, '/')+1:]) {
			return true
		}
	}
	return false
}

// split takes a reference apart: the repository, and its tag.
func split(ref string) (repository, tag string) {
	ref, _, _ = strings.Cut(ref, "@")
	if i := strings.LastIndexByte(ref, ':'); i > strings.LastIndexByte(ref, '/') {
		return ref[:i], ref[i+1:]
	}
	return ref, ""
}

// familiar is a reference without what Docker adds to short names.
func familiar(ref string) string {
	for _, prefix := range []string{"https://", "http://", "docker://", "index.docker.io/", "docker.io/", "library/"} {
		ref = strings.TrimPrefix(ref, prefix)
	}
	return ref
}

// isPackage says whether a package is meant: by its URL, or by its source package's where the
// statement speaks of sources.
func (c *component) isPackage(purl string, p triad.Package) bool {
	if purl == "" {
		return false
	}
	if c.id == purl {
		return true
	}
	for _, u := range c.purls {
		if covers(u, purl) {
			return true
		}
		if arch := u.Qualifiers.Map()["arch"]; (arch == "src" || arch == "source") && p.Source != "" && coversSource(u, p) {
			return true
		}
	}
	return false
}

// covers says whether one package URL means another: what it leaves out (version,
// qualifiers) means any.
func covers(want packageurl.PackageURL, purl string) bool {
	have, err := packageurl.FromString(purl)
	if err != nil || want.Type != have.Type || want.Namespace != have.Namespace || want.Name != have.Name ||
		want.Version != "" && want.Version != have.Version || want.Subpath != "" && want.Subpath != have.Subpath {
		return false
	}
	q := have.Qualifiers.Map()
	for key, value := range want.Qualifiers.Map() {
		if !sameQualifier(key, value, q[key]) {
			return false
		}
	}
	return true
}

// sameQualifier compares values; tools write a distribution as 12, debian-12 or debian-12.5.
// One that the package's URL does not state says nothing against it, but for the
// distribution: that a statement is about another one is the reason to name it.
func sameQualifier(key, want, have string) bool {
	if key == "distro" {
		return want == have || want[strings.LastIndexByte(want, '-')+1:] == have[strings.LastIndexByte(have, '-')+1:]
	}
	return have == "" || want == have
}

func coversSource(want packageurl.PackageURL, p triad.Package) bool {
	have, err := packageurl.FromString(p.PURL)
	if err != nil || want.Type != have.Type || want.Namespace != have.Namespace || want.Name != p.Source {
		return false
	}
	q := have.Qualifiers.Map()
	if d := want.Qualifiers.Map()["distro"]; d != "" && !sameQualifier("distro", d, q["distro"]) {
		return false
	}
	return want.Version == "" || want.Version == p.SourceVersion || want.Version == have.Version
}
