package secret

import (
	"path"
	"strings"
)

// class says what kind of file it is; it decides which rules look at it.
type class uint8

const (
	config    class = 1 << iota // settings: what stands there unquoted is a value
	code                        // a program's source: only quoted text is a value
	plain                       // text of another kind
	third                       // by somebody else: a distribution's file, or one of a package of a language
	published                   // of a package of a language: everybody can read it there
	opaque                      // has a NUL among its first bytes

	text = config | code | plain
)

// extensions of the files that are settings or source.
var extensions = map[string]class{
	"env": config, "ini": config, "cfg": config, "conf": config, "cnf": config, "config": config, "properties": config, "toml": config,
	"yaml": config, "yml": config, "json": config, "xml": config, "tfvars": config, "tfstate": config, "hcl": config, "tf": config,
	"plist": config, "service": config, "envrc": config, "credentials": config, "dockercfg": config, "backup": config, "kubeconfig": config, "ovpn": config,
	"py": code, "js": code, "mjs": code, "cjs": code, "ts": code, "tsx": code, "jsx": code, "go": code, "java": code, "kt": code, "scala": code,
	"rb": code, "php": code, "cs": code, "c": code, "cc": code, "cpp": code, "h": code, "hpp": code, "rs": code, "swift": code, "pl": code, "pm": code,
	"lua": code, "ex": code, "exs": code, "dart": code, "groovy": code, "gradle": code, "vue": code, "sql": code, "r": code, "m": code, "html": code, "css": code,
	"sh": code, "bash": code, "zsh": code, "ps1": code, "bat": code, "cmd": code, "ipynb": code,
}

// skipped are extensions of files in which nothing stands in clear: compressed, or sound,
// picture, type.
var skipped = map[string]bool{
	"gz": true, "tgz": true, "xz": true, "bz2": true, "zst": true, "lz4": true, "lzma": true, "br": true, "zip": true, "7z": true, "rar": true,
	"jar": true, "war": true, "ear": true, "whl": true, "egg": true, "deb": true, "rpm": true, "apk": true, "crx": true, "nupkg": true,
	"png": true, "jpg": true, "jpeg": true, "gif": true, "webp": true, "ico": true, "bmp": true, "tif": true, "tiff": true, "svgz": true, "avif": true,
	"mp3": true, "mp4": true, "ogg": true, "wav": true, "flac": true, "webm": true, "avi": true, "mov": true, "mkv": true,
	"ttf": true, "otf": true, "woff": true, "woff2": true, "eot": true, "pfb": true, "pcf": true,
	"mo": true, "gmo": true, "pack": true, "idx": true, "pdf": true, "elc": true, "gresource": true, "rmeta": true, "rlib": true,
}

// roots of trees that hold documentation, translations, databases of the package managers
// and the like: everybody has the same, and examples of secrets in them are no secrets.
var skippedRoots = []string{
	"usr/share/doc/", "usr/share/man/", "usr/share/info/", "usr/share/locale/", "usr/share/i18n/", "usr/share/zoneinfo/", "usr/share/help/",
	"usr/share/icons/", "usr/share/fonts/", "usr/share/mime/", "usr/share/gtk-doc/", "usr/share/bash-completion/", "usr/share/zsh/", "usr/share/vim/",
	"usr/share/perl/", "usr/share/perl5/", "usr/share/hunspell/", "usr/share/dict/", "usr/share/terminfo/", "usr/share/X11/", "usr/share/unicode/",
	"usr/share/emacs/", "usr/share/licenses/", "usr/share/common-licenses/", "usr/share/lintian/", "usr/share/keyrings/",
	"var/lib/dpkg/", "var/lib/apt/", "var/cache/apt/", "var/lib/apk/", "lib/apk/", "var/lib/rpm/", "usr/lib/sysimage/rpm/", "var/lib/dnf/", "var/cache/dnf/", "var/lib/pacman/",
	"usr/lib/locale/", "usr/lib/firmware/", "lib/firmware/", "usr/lib/modules/", "lib/modules/", "usr/include/", "usr/lib/gcc/", "usr/lib/debug/",
	"proc/", "sys/", "dev/",
}

// thirdRoots hold what a distribution installed.
var thirdRoots = []string{"usr/lib/", "usr/share/", "usr/libexec/", "lib/", "lib64/", "usr/lib64/", "usr/bin/", "usr/sbin/", "bin/", "sbin/"}

// thirdFolders hold the packages of a language, wherever they are.
var thirdFolders = []string{
	"/node_modules/", "/site-packages/", "/dist-packages/", "/vendor/", "/bower_components/", "/gems/", "/go/pkg/mod/", "/.cargo/registry/",
	"/.m2/repository/", "/.nuget/packages/", "/usr/local/go/", "/usr/local/lib/python", "/usr/local/lib/ruby/", "/usr/local/lib/php/", "/usr/local/include/", "/jvm/",
}

// testFolders hold examples: in somebody else's package they are never looked at for keys.
var testFolders = []string{
	"/test/", "/tests/", "/testing/", "/testdata/", "/test_data/", "/__tests__/", "/spec/", "/specs/", "/fixtures/", "/fixture/",
	"/example/", "/examples/", "/sample/", "/samples/", "/demo/", "/demos/", "/doc/", "/docs/", "/benchmark/", "/benchmarks/", "/mock/", "/mocks/",
}

// classify says what a file is by its name, and whether it is looked at.
func classify(name string) (class, bool) {
	base := strings.ToLower(path.Base(name))
	ext := strings.TrimPrefix(path.Ext(base), ".")
	if skipped[ext] {
		return 0, false
	}
	for _, root := range skippedRoots {
		if strings.HasPrefix(name, root) {
			return 0, false
		}
	}
	c, known := extensions[ext]
	switch {
	case known:
	case strings.HasPrefix(base, ".env") || strings.HasSuffix(base, "rc") && strings.HasPrefix(base, ".") ||
		base == "credentials" || base == "config" || strings.HasPrefix(base, "dockerfile") || strings.HasPrefix(base, "containerfile") ||
		base == ".git-credentials" || base == "environment" || strings.HasPrefix(name, "etc/") && ext == "":
		c = config
	default:
		c = plain
	}
	slashed := "/" + strings.ToLower(name)
	if hasAny(slashed, thirdFolders) {
		c |= third | published
	} else if hasPrefix(name, thirdRoots) {
		c |= third
	}
	if c&third != 0 && (hasAny(slashed, testFolders) || testFile(base)) {
		return 0, false
	}
	return c, true
}

// testFile says whether a file's name is one of a test's.
func testFile(base string) bool {
	stem := strings.TrimSuffix(base, path.Ext(base))
	return strings.HasSuffix(stem, "_test") || strings.HasSuffix(stem, ".test") || strings.HasSuffix(stem, ".spec") || strings.HasPrefix(stem, "test_") || strings.HasPrefix(stem, "readme") ||
		stem == "pkg-info" || stem == "metadata" || stem == "changelog"
}

// programs says whether programs of the folder may be one's own: of a distribution's
// libraries, and of what a language compiled from text that is looked at, nothing is looked at.
func programs(name string) bool {
	return hasPrefix(name, []string{"usr/bin/", "usr/sbin/", "bin/", "sbin/"})
}

func hasAny(s string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

func hasPrefix(s string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}
