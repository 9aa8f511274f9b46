package scan

import (
	"io"
	"path"
	"strings"

	cpb "github.com/google/osv-scalibr/binary/proto/config_go_proto"
	"github.com/google/osv-scalibr/extractor/filesystem"
	"github.com/google/osv-scalibr/extractor/filesystem/language/cpp/conanlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dart/pubspec"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dotnet/depsjson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dotnet/packagesconfig"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dotnet/packageslockjson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/elixir/mixlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/golang/gomod"
	"github.com/google/osv-scalibr/extractor/filesystem/language/haskell/cabal"
	"github.com/google/osv-scalibr/extractor/filesystem/language/haskell/stacklock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/java/gradlelockfile"
	"github.com/google/osv-scalibr/extractor/filesystem/language/java/gradleverificationmetadataxml"
	"github.com/google/osv-scalibr/extractor/filesystem/language/java/pomxml"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/bunlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/packagelockjson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/pnpmlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/yarnlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/php/composerlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/pdmlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/pipfilelock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/poetrylock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/pylock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/requirements"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/uvlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/r/renvlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/ruby/gemfilelock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/ruby/gemspec"
	"github.com/google/osv-scalibr/extractor/filesystem/language/rust/cargolock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/swift/packageresolved"
	"github.com/google/osv-scalibr/extractor/filesystem/os/pacman"
	"github.com/google/osv-scalibr/extractor/filesystem/os/portage"

	"github.com/triad-security/triad/build/sbom"
)

// format is how a kind of evidence is read, and what its packages are to OSV.
type format struct {
	purl string // package URL type
	osv  string // OSV's ecosystem; empty for distributions, whose release names it
	// read by an extractor of osv-scalibr, or by parse; neither for those that look knows.
	extractor filesystem.Extractor
	parse     func(io.Reader) ([]found, error)
	limit     int64
	// marks: one of them stands in every file of a format whose reader skips lines that it does
	// not know.
	marks []string
	// lock: it says what a build would install, not what is installed. Read of source trees only.
	lock bool
	// system: of a distribution.
	system bool
}

// Kinds of evidence beyond those of record.go: what is installed, then lock files and manifests.
const (
	kindOpkg     kind = "opkg"
	kindPacman   kind = "alpm"
	kindPortage  kind = "portage"
	kindCargo    kind = "cargo" // a program that cargo-auditable built
	kindGem      kind = "gem"
	kindComposer kind = "composer"
	kindNuGet    kind = "nuget"

	kindCargoLock     kind = "Cargo.lock"
	kindGemLock       kind = "Gemfile.lock"
	kindComposerLock  kind = "composer.lock"
	kindNuGetLock     kind = "packages.lock.json"
	kindNuGetConfig   kind = "packages.config"
	kindMixLock       kind = "mix.lock"
	kindPubLock       kind = "pubspec.lock"
	kindCabalFreeze   kind = "cabal.project.freeze"
	kindStackLock     kind = "stack.yaml.lock"
	kindRenvLock      kind = "renv.lock"
	kindSwiftLock     kind = "Package.resolved"
	kindConanLock     kind = "conan.lock"
	kindNPMLock       kind = "package-lock.json"
	kindYarnLock      kind = "yarn.lock"
	kindPnpmLock      kind = "pnpm-lock.yaml"
	kindBunLock       kind = "bun.lock"
	kindRequirements  kind = "requirements.txt"
	kindPoetryLock    kind = "poetry.lock"
	kindPipfileLock   kind = "Pipfile.lock"
	kindUVLock        kind = "uv.lock"
	kindPDMLock       kind = "pdm.lock"
	kindPylock        kind = "pylock.toml"
	kindGoMod         kind = "go.mod"
	kindPom           kind = "pom.xml"
	kindGradleLock    kind = "gradle.lockfile"
	kindGradleVerify  kind = "verification-metadata.xml"
	kindGradleBuildsc kind = "buildscript-gradle.lockfile"
)

// formats by kind. A new one is one line here and one in classify or lockKind.
var formats = map[kind]*format{
	kindDpkg: {purl: "deb", system: true}, kindApk: {purl: "apk", system: true}, kindRPM: {purl: "rpm", system: true},
	kindOpkg:    {purl: "opkg", system: true, extractor: dpkgExtractor, limit: maxDatabase},
	kindPacman:  {purl: "alpm", system: true, extractor: scalibr(pacman.New), limit: maxText},
	kindPortage: {purl: "portage", system: true, extractor: scalibr(portage.New), limit: maxText},

	kindGo: {purl: "golang", osv: "Go"}, kindNPM: {purl: "npm", osv: "npm"}, kindPython: {purl: "pypi", osv: "PyPI"}, kindJava: {purl: "maven", osv: "Maven"},
	kindCargo:    {purl: "cargo", osv: "crates.io"},
	kindGem:      {purl: "gem", osv: "RubyGems", extractor: scalibr(gemspec.New), limit: maxText},
	kindComposer: {purl: "composer", osv: "Packagist", parse: composerInstalled, limit: maxText},
	kindNuGet:    {purl: "nuget", osv: "NuGet", extractor: scalibr(depsjson.New), limit: maxText},

	kindCargoLock:     lock("cargo", "crates.io", cargolock.New),
	kindGemLock:       lock("gem", "RubyGems", gemfilelock.New, "GEM\n", "GIT\n", "PATH\n", "DEPENDENCIES\n", "GEM\r\n"),
	kindComposerLock:  lock("composer", "Packagist", composerlock.New),
	kindNuGetLock:     lock("nuget", "NuGet", packageslockjson.New),
	kindNuGetConfig:   lock("nuget", "NuGet", packagesconfig.New),
	kindMixLock:       lock("hex", "Hex", mixlock.New, "%{"),
	kindPubLock:       lock("pub", "Pub", pubspec.New),
	kindCabalFreeze:   lock("hackage", "Hackage", cabal.New, "constraints:"),
	kindStackLock:     lock("hackage", "Hackage", stacklock.New),
	kindRenvLock:      lock("cran", "CRAN", renvlock.New),
	kindSwiftLock:     lock("swift", "SwiftURL", packageresolved.New),
	kindConanLock:     lock("conan", "ConanCenter", conanlock.New),
	kindNPMLock:       lock("npm", "npm", packagelockjson.New),
	kindYarnLock:      lock("npm", "npm", yarnlock.New, "# yarn lockfile v1", "__metadata:"),
	kindPnpmLock:      lock("npm", "npm", pnpmlock.New),
	kindBunLock:       lock("npm", "npm", bunlock.New),
	kindRequirements:  lock("pypi", "PyPI", requirements.New),
	kindPoetryLock:    lock("pypi", "PyPI", poetrylock.New),
	kindPipfileLock:   lock("pypi", "PyPI", pipfilelock.New),
	kindUVLock:        lock("pypi", "PyPI", uvlock.New),
	kindPDMLock:       lock("pypi", "PyPI", pdmlock.New),
	kindPylock:        lock("pypi", "PyPI", pylock.New),
	kindGoMod:         lock("golang", "Go", gomod.New),
	kindPom:           lock("maven", "Maven", pomxml.New),
	kindGradleLock:    lock("maven", "Maven", gradlelockfile.New),
	kindGradleBuildsc: lock("maven", "Maven", gradlelockfile.New),
	kindGradleVerify:  lock("maven", "Maven", gradleverificationmetadataxml.New),
}

func scalibr(make func(*cpb.PluginConfig) (filesystem.Extractor, error)) filesystem.Extractor {
	return must(make(&cpb.PluginConfig{}))
}

func lock(purl, osv string, make func(*cpb.PluginConfig) (filesystem.Extractor, error), marks ...string) *format {
	return &format{purl: purl, osv: osv, lock: true, extractor: scalibr(make), limit: maxLock, marks: marks}
}

// isLock reports whether the kind is a lock file or manifest.
func (k kind) isLock() bool { f := formats[k]; return f != nil && f.lock }

// language fills in what a language's package has, named as OSV's records name it.
func language(p *Package, k kind) {
	f := formats[k]
	p.Ecosystem = f.osv
	if f.osv == "PyPI" {
		p.Name = pypiSeparators.ReplaceAllString(strings.ToLower(p.Name), "-") // PEP 503
	}
	namespace, name := "", p.Name
	switch f.osv {
	case "Maven":
		namespace, name, _ = strings.Cut(p.Name, ":")
	case "npm", "Go", "Packagist", "SwiftURL":
		if i := strings.LastIndexByte(name, '/'); i >= 0 {
			namespace, name = name[:i], name[i+1:]
		}
	}
	p.PURL = sbom.PURL(f.purl, namespace, name, p.Version, nil)
}

// installedKind says by a file's name of which installed packages it tells, for formats that
// classify does not know itself.
func installedKind(name, base string) kind {
	switch {
	case name == "usr/lib/opkg/status", name == "var/lib/opkg/status":
		return kindOpkg
	case base == "desc" && strings.HasPrefix(name, "var/lib/pacman/local/"):
		return kindPacman
	case base == "PF" && strings.HasPrefix(name, "var/db/pkg/"):
		return kindPortage
	case strings.HasSuffix(base, ".gemspec") && (strings.HasSuffix(name, "specifications/"+base) || strings.HasSuffix(name, "specifications/default/"+base)):
		return kindGem // a gem's own folder has another one, which nobody evaluated
	case base == "installed.json" && strings.HasSuffix(name, "vendor/composer/installed.json"):
		return kindComposer
	case strings.HasSuffix(base, ".deps.json"):
		return kindNuGet
	}
	return ""
}

// inNodeModules: npm put the folder of this package.json there.
func inNodeModules(name string) bool {
	parent := path.Dir(path.Dir(name))
	if strings.HasPrefix(path.Base(parent), "@") {
		parent = path.Dir(parent)
	}
	return path.Base(parent) == "node_modules"
}
