package sbom

import (
	"fmt"
	"strings"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/triad-security/triad"
)

// ecosystems of OSV by package URL type, for those that have no release.
var ecosystems = map[string]string{
	"golang": "Go", "npm": "npm", "pypi": "PyPI", "maven": "Maven", "nuget": "NuGet", "gem": "RubyGems", "cargo": "crates.io",
	"composer": "Packagist", "hex": "Hex", "pub": "Pub", "cran": "CRAN", "conan": "ConanCenter", "swift": "SwiftURL",
	"hackage": "Hackage", "githubactions": "GitHub Actions", "bitnami": "Bitnami", "julia": "Julia", "opam": "opam",
}

// FromPURL makes a package of a package URL: its name and ecosystem as OSV's records carry
// them, and the source package that qualifiers name. distro is used for a distribution's
// package whose URL does not say the release.
func FromPURL(text string, distro Distro) (triad.Package, error) {
	u, err := packageurl.FromString(text)
	if err != nil {
		return triad.Package{}, fmt.Errorf("package URL %q: %w", text, err)
	}
	q := u.Qualifiers.Map()
	p := triad.Package{Name: u.Name, Version: u.Version, PURL: text, Ecosystem: ecosystems[u.Type]}
	switch u.Type {
	case "deb", "apk", "rpm":
		p.Ecosystem = purlDistro(u.Namespace, q["distro"], distro).Ecosystem()
		if epoch := q["epoch"]; epoch != "" && epoch != "0" && !strings.Contains(p.Version, ":") {
			p.Version = epoch + ":" + p.Version
		}
		p.Source, p.SourceVersion = purlSource(u.Type, q)
		if p.Source == "" {
			p.Source = p.Name
		}
		if p.SourceVersion == "" {
			p.SourceVersion = p.Version
		}
	case "maven":
		if u.Namespace != "" {
			p.Name = u.Namespace + ":" + u.Name
		}
	default:
		if u.Namespace != "" {
			p.Name = u.Namespace + "/" + u.Name
		}
	}
	return p, nil
}

// purlDistro reads the qualifier "distro", which tools write as 12, debian-12, bookworm, or
// 3.20.1.
func purlDistro(namespace, qualifier string, fallback Distro) Distro {
	d := Distro{ID: namespace, Version: qualifier}
	if id, version, ok := cutLast(qualifier, "-"); ok && version != "" && version[0] >= '0' && version[0] <= '9' {
		d.ID, d.Version = id, version
	}
	if codenames[d.Version] != "" {
		d.Codename, d.Version = d.Version, ""
	}
	if d.ID == "" {
		d.ID = fallback.ID
	}
	same := strings.EqualFold(d.ID, fallback.ID) || d.ID == "opensuse" && strings.HasPrefix(fallback.ID, "opensuse")
	if qualifier == "" && same {
		return fallback
	}
	if same {
		d.CPE, d.PrettyName = fallback.CPE, fallback.PrettyName
	}
	if d.ID == "opensuse" {
		d.ID = "opensuse-leap"
	}
	return d
}

// purlSource finds the source package: "source" and "sourceversion" of scalibr, "upstream"
// of syft (name or name@version, or the source rpm's file name), "origin" of apk tools.
func purlSource(kind string, q map[string]string) (name, version string) {
	if q["source"] != "" {
		return q["source"], q["sourceversion"]
	}
	if kind == "apk" && q["origin"] != "" {
		return q["origin"], ""
	}
	upstream := q["upstream"]
	if rpm := q["sourcerpm"]; rpm != "" {
		upstream = rpm
	}
	if name, version, ok := SourceRPM(upstream); ok {
		return name, version
	}
	name, version, _ = strings.Cut(upstream, "@")
	return name, version
}

// SourceRPM splits the file name of a source package: openssl-3.0.7-24.el9.src.rpm.
func SourceRPM(file string) (name, version string, ok bool) {
	base, ok := strings.CutSuffix(file, ".src.rpm")
	if !ok {
		return "", "", false
	}
	rest, rel, ok := cutLast(base, "-")
	if !ok {
		return "", "", false
	}
	name, ver, ok := cutLast(rest, "-")
	return name, ver + "-" + rel, ok
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// PURL writes a package URL. Qualifiers with an empty value are left out.
func PURL(kind, namespace, name, version string, qualifiers map[string]string) string {
	q := map[string]string{}
	for k, v := range qualifiers {
		if v != "" {
			q[k] = v
		}
	}
	return packageurl.NewPackageURL(kind, namespace, name, version, packageurl.QualifiersFromMap(q), "").ToString()
}
