package match

import (
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/advisory"
)

// query is what a package is looked up by.
type query struct {
	family  string // OSV's ecosystem, without the release
	release string
	name    string // as the advisories of the family name it
	other   string // a second name to try; empty for none
	version string
	stream  string // rpm module and stream, "nodejs:14"; empty where unknown
	sourced bool   // name and version are those of the source package
	esm     bool   // Ubuntu: a build of Ubuntu Pro's extended maintenance, with its fixes
}

// purlFamilies are OSV's ecosystems by purl type (https://github.com/package-url/purl-spec);
// those of distributions by type and namespace.
var purlFamilies = map[string]string{
	"npm": "npm", "pypi": "PyPI", "golang": "Go", "maven": "Maven", "nuget": "NuGet", "cargo": "crates.io", "gem": "RubyGems",
	"composer": "Packagist", "hex": "Hex", "pub": "Pub", "hackage": "Hackage", "cran": "CRAN", "bioconductor": "Bioconductor",
	"conan": "ConanCenter", "swift": "SwiftURL", "githubactions": "GitHub Actions", "github": "GitHub Actions", "julia": "Julia",
	"bitnami": "Bitnami", "opam": "opam", "vscode": "VSCode",
	"deb/debian": "Debian", "deb/ubuntu": "Ubuntu", "deb/echo": "Echo",
	"apk/alpine": "Alpine", "apk/wolfi": "Wolfi", "apk/chainguard": "Chainguard", "apk/minimos": "MinimOS", "apk/alpaquita": "Alpaquita",
	"apk/bellsoft-hardened-containers": "BellSoft Hardened Containers",
	"rpm/almalinux":                    "AlmaLinux", "rpm/alma": "AlmaLinux", "rpm/rocky": "Rocky Linux", "rpm/rockylinux": "Rocky Linux", "rpm/rocky-linux": "Rocky Linux",
	"rpm/redhat": "Red Hat", "rpm/rhel": "Red Hat", "rpm/suse": "SUSE", "rpm/sles": "SUSE", "rpm/opensuse": "openSUSE", "rpm/opensuse-leap": "openSUSE",
	"rpm/opensuse.leap": "openSUSE", "rpm/opensuse-tumbleweed": "openSUSE", "rpm/openeuler": "openEuler", "rpm/mageia": "Mageia",
	"rpm/photon": "Photon OS", "rpm/azurelinux": "Azure Linux",
}

// newQuery says how to look a package up, or in a sentence why it cannot be.
func newQuery(p triad.Package) (q query, problem string) {
	var purl packageurl.PackageURL
	if p.PURL != "" {
		var err error
		if purl, err = packageurl.FromString(p.PURL); err != nil {
			if p.Ecosystem == "" {
				return q, "its package URL cannot be read"
			}
			purl = packageurl.PackageURL{}
		}
	}
	qualifiers := purl.Qualifiers.Map()
	distro := strings.ToLower(purl.Type + "/" + purl.Namespace)
	q.family, q.release = advisory.Family(p.Ecosystem), advisory.Release(p.Ecosystem)
	if q.family == "" {
		var ok bool
		if q.family, ok = purlFamilies[purl.Type]; !ok {
			if q.family, ok = purlFamilies[distro]; !ok {
				return q, "no public advisories are known for packages of type " + strings.TrimSuffix(distro, "/")
			}
		}
	}
	if advisory.NeedsRelease(q.family) && q.release == "" {
		if q.release = distroRelease(q.family, qualifiers["distro"]); q.release == "" {
			return q, "the release of " + q.family + " that it belongs to is not known"
		}
	}
	q.name, q.version = p.Name, p.Version
	if purl.Name != "" {
		q.name = purlName(q.family, purl)
	}
	if q.version == "" {
		q.version = purl.Version
	}
	if epoch := qualifiers["epoch"]; epoch != "" && epoch != "0" && !strings.Contains(q.version, ":") {
		q.version = epoch + ":" + q.version
	}
	q.stream = moduleStream(qualifiers["rpmmod"])
	q.source(p, qualifiers)
	q.esm = q.family == "Ubuntu" && strings.Contains(q.version, "esm") && !strings.Contains(q.release, ":")
	if q.family == "Go" {
		q.version = goVersion(q.name, q.version)
	}
	if q.name == "" {
		return q, "it has no name"
	}
	if q.version == "" {
		return q, "it has no version"
	}
	return q, ""
}

// purlName is the package's name as OSV writes it in the family.
func purlName(family string, purl packageurl.PackageURL) string {
	if purl.Namespace == "" {
		return purl.Name
	}
	switch family {
	case "Maven":
		return purl.Namespace + ":" + purl.Name
	case "npm", "Go", "Packagist", "SwiftURL", "GitHub Actions", "Hex", "VSCode":
		return purl.Namespace + "/" + purl.Name
	}
	return purl.Name // a distribution's namespace is its own name
}

// source puts the source package's name in place of the binary's where the family's
// advisories name sources: Debian's and Ubuntu's trackers, the secdb of Alpine and its kin
// (origin), SUSE, openEuler, Mageia. AlmaLinux and Red Hat name binary packages.
func (q *query) source(p triad.Package, qualifiers map[string]string) {
	source, version := p.Source, p.SourceVersion
	for _, name := range []string{"upstream", "source", "origin", "sourcerpm"} {
		if source == "" {
			source, version = splitSource(qualifiers[name])
			if v := qualifiers["sourceversion"]; name == "source" && v != "" {
				version = v
			}
		}
	}
	if source == "" {
		return
	}
	switch q.family {
	case "Debian", "Ubuntu", "Echo", "Alpine", "Wolfi", "Chainguard", "MinimOS", "Alpaquita", "BellSoft Hardened Containers", "SUSE", "openSUSE", "openEuler", "Mageia":
		q.name = source
		if version != "" {
			q.version = version
		}
		q.sourced = source != p.Name
	case "Rocky Linux":
		// Its records name source packages; only a binary of the source's own version can be held
		// against those. The source's epoch is not in its file name, and is the binary's.
		if _, bare, _ := strings.Cut(":"+strings.TrimPrefix(q.version, "0:"), ":"); source != q.name && (version == "" || strings.HasSuffix(q.version, version) || bare == version) {
			q.other = source
		}
	case "Photon OS", "Azure Linux", "CleanStart":
		q.other = source
	}
}

// splitSource reads the forms in which tools write a source package: "expat",
// "expat@2.5.0-1", "expat-2.5.0-1.el9.src.rpm".
func splitSource(s string) (name, version string) {
	if base, ok := strings.CutSuffix(s, ".rpm"); ok {
		base = base[:max(0, strings.LastIndexByte(base, '.'))] // .src, .nosrc
		for range 2 {
			base = base[:max(0, strings.LastIndexByte(base, '-'))]
		}
		return base, "" // without its epoch the version would compare wrongly
	}
	name, version, _ = strings.Cut(s, "@")
	return name, version
}

// distroRelease reads the purl qualifier `distro`: "debian-12", "bookworm", "alpine-3.20.3",
// "3.20.3", "rhel-9.4", "opensuse-leap-15.5".
func distroRelease(family, distro string) string {
	distro = strings.TrimSpace(distro)
	if distro == "" {
		return ""
	}
	number := distro
	if i := strings.IndexByte(distro, '-'); i >= 0 && (distro[0] < '0' || distro[0] > '9') {
		number = distro[i+1:]
	}
	lower := strings.ToLower(distro)
	switch {
	case family == "openSUSE" && strings.Contains(lower, "leap"):
		number = "Leap " + number[strings.LastIndexByte(number, '-')+1:]
	case family == "openSUSE" && strings.Contains(lower, "tumbleweed"):
		number = "Tumbleweed"
	case family == "Debian", family == "Ubuntu":
		// A codename or a number; anything else is no release.
		if r := advisory.Release(family + ":" + number); r == "" || r[0] < '0' || r[0] > '9' {
			return ""
		}
	}
	return advisory.Release(family + ":" + number)
}

// goVersion writes versions of the standard library and toolchain, "go1.21rc2", in the form
// of the Go vulnerability database, "1.21.0-rc.2" (https://go.dev/doc/security/vuln/database).
func goVersion(name, version string) string {
	if name != "stdlib" && name != "toolchain" && name != "std" {
		return version
	}
	version, _, _ = strings.Cut(version, " ") // "go1.22.1 X:boringcrypto"
	version = strings.TrimPrefix(strings.TrimPrefix(version, "v"), "go")
	for _, pre := range []string{"rc", "beta"} {
		if before, after, ok := strings.Cut(version, pre); ok && before != "" && !strings.Contains(before, "-") {
			for strings.Count(before, ".") < 2 {
				before += ".0"
			}
			return before + "-" + pre + "." + after
		}
	}
	return version
}
