package scan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/google/osv-scalibr/extractor"
	"github.com/google/osv-scalibr/extractor/filesystem"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dotnet/depsjson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/requirements"
	scalibrfs "github.com/google/osv-scalibr/fs"

	"github.com/triad-security/triad/build/image"
)

// lockNames are lock files and manifests that are known by their whole name.
var lockNames = map[string]kind{
	"Cargo.lock": kindCargoLock, "Gemfile.lock": kindGemLock, "gems.locked": kindGemLock, "composer.lock": kindComposerLock,
	"packages.lock.json": kindNuGetLock, "packages.config": kindNuGetConfig, "mix.lock": kindMixLock, "pubspec.lock": kindPubLock,
	"cabal.project.freeze": kindCabalFreeze, "stack.yaml.lock": kindStackLock, "renv.lock": kindRenvLock,
	"Package.resolved": kindSwiftLock, "conan.lock": kindConanLock,
	"package-lock.json": kindNPMLock, "npm-shrinkwrap.json": kindNPMLock, "yarn.lock": kindYarnLock, "pnpm-lock.yaml": kindPnpmLock, "bun.lock": kindBunLock,
	"poetry.lock": kindPoetryLock, "Pipfile.lock": kindPipfileLock, "uv.lock": kindUVLock, "pdm.lock": kindPDMLock, "pylock.toml": kindPylock,
	"go.mod": kindGoMod, "pom.xml": kindPom, "gradle.lockfile": kindGradleLock, "buildscript-gradle.lockfile": kindGradleBuildsc,
}

// installedFolders hold what a package manager put there: a lock file in one belongs to a
// package and was never followed.
var installedFolders = []string{"node_modules", "bower_components", "site-packages", "dist-packages", "vendor", ".cargo", ".gradle", ".m2", ".venv", ".tox", ".bundle", "Pods"}

// lockKind says by a file's name which lock file or manifest it is; none below a folder of
// installed packages.
func lockKind(name, base string) kind {
	k := lockNames[base]
	switch {
	case k != "":
	case strings.HasSuffix(base, ".txt") && strings.Contains(base, "requirements"):
		k = kindRequirements
	case base == "verification-metadata.xml" && path.Base(path.Dir(name)) == "gradle":
		k = kindGradleVerify
	case strings.HasPrefix(base, "pylock.") && strings.HasSuffix(base, ".toml"):
		k = kindPylock
	default:
		return ""
	}
	for dir := range strings.SplitSeq(path.Dir(name), "/") {
		if slices.Contains(installedFolders, dir) {
			return ""
		}
	}
	if strings.Contains("/"+name, "/pkg/mod/") { // Go's module cache
		return ""
	}
	return k
}

// file reads a file of the formats that need no more than its content.
func (a *analyser) formatted(k kind, fm *format, f *image.File) (*evidence, error) {
	e := &evidence{Kind: k}
	r := &body{r: f}
	var err error
	var in io.Reader = r
	if fm.marks != nil {
		var data []byte
		if data, err = a.read(r); r.err != nil {
			return e, &streamError{r.err}
		}
		if err != nil {
			return e, err
		}
		if !slices.ContainsFunc(fm.marks, func(m string) bool { return bytes.Contains(data, []byte(m)) }) {
			return e, fmt.Errorf("it is no %s", k)
		}
		in = bytes.NewReader(data)
	}
	if fm.parse != nil {
		e.Packages, err = fm.parse(in)
	} else {
		var tree scalibrfs.FS = emptyFS{}
		if a.tree != nil && fm.lock {
			tree = a.tree
		}
		e.Packages, err = a.run(fm.extractor, &filesystem.ScanInput{FS: tree, Path: f.Name, Info: info{f.Name, f.Size, f.Mode}, Reader: in})
	}
	if r.err != nil {
		return e, &streamError{r.err}
	}
	e.Packages = slices.DeleteFunc(e.Packages, func(p found) bool { return p.Name == "" })
	if k == kindGoMod {
		goVersions(e.Packages)
	}
	if err == nil && k == kindRequirements {
		err = unpinned(e.Packages)
	}
	return e, err
}

// unpinned says which requirements leave the version open: a lower bound is not what will
// be installed, and is compared with nothing.
func unpinned(packages []found) error {
	var names []string
	for _, p := range packages {
		if p.Version == "" {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	shown := strings.Join(names[:min(3, len(names))], ", ")
	if len(names) > 3 {
		shown += fmt.Sprintf(" and %d more", len(names)-3)
	}
	return fmt.Errorf("it does not fix the version of %s: what gets installed is not known (pin with ==, or scan the lock file or what is installed)", shown)
}

// details takes over what an extractor says beyond name and version. keep is false for
// what is no package.
func details(f *found, p *extractor.Package) (keep bool) {
	switch m := p.Metadata.(type) {
	case *depsjson.Metadata:
		if m.Type == "project" {
			return false // the application itself
		}
		f.Name = strings.TrimPrefix(f.Name, "runtimepack.")
	case *requirements.Metadata:
		if m.VersionComparator != "==" && m.VersionComparator != "===" {
			f.Version = ""
		}
	}
	if g, ok := p.Metadata.(interface{ DepGroups() []string }); ok {
		f.Dev = onlyDev(g.DepGroups())
	}
	return true
}

// onlyDev reports whether all groups that want a dependency are for development: npm's,
// Composer's, Pub's, PyPI's dev, Maven's test, Conan's build requirements.
func onlyDev(groups []string) bool {
	for _, g := range groups {
		if g != "dev" && g != "test" && g != "build-requires" {
			return false
		}
	}
	return len(groups) > 0
}

// goVersions writes versions as the module system does.
func goVersions(packages []found) {
	for i := range packages {
		p := &packages[i]
		if p.Name != "stdlib" && p.Version != "" && p.Version[0] >= '0' && p.Version[0] <= '9' {
			p.Version = "v" + p.Version
		}
	}
}

// tree is a source tree as lock files' readers may look into it (go.sum beside go.mod, a
// parent's pom.xml, requirements -r): regular files up to maxText, inside the folder.
type tree struct{ root *os.Root }

func (t tree) Open(name string) (fs.File, error) {
	name = path.Clean(strings.ReplaceAll(name, `\`, "/"))
	if err := t.regular(name); err != nil {
		return nil, err
	}
	f, err := t.root.Open(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (t tree) regular(name string) error {
	info, err := t.root.Lstat(name)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular() || info.Size() > maxText:
		return &fs.PathError{Op: "open", Path: name, Err: errors.ErrUnsupported}
	}
	return nil
}

func (t tree) ReadDir(name string) ([]fs.DirEntry, error) { return emptyFS{}.ReadDir(name) }

func (t tree) Stat(name string) (fs.FileInfo, error) { return t.root.Lstat(path.Clean(name)) }

var _ scalibrfs.FS = tree{}

// composerInstalled reads vendor/composer/installed.json: since Composer 2 an object with
// packages, before it a list of them.
func composerInstalled(r io.Reader) ([]found, error) {
	type entry struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	var doc struct {
		Packages []entry  `json:"packages"`
		Dev      []string `json:"dev-package-names"`
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if list := &doc.Packages; strings.HasPrefix(strings.TrimSpace(string(data[:min(len(data), 64)])), "[") {
		err = json.Unmarshal(data, list)
	} else {
		err = json.Unmarshal(data, &doc)
	}
	if err != nil {
		return nil, fmt.Errorf("Composer's list of installed packages: %w", err)
	}
	out := make([]found, 0, len(doc.Packages))
	for _, p := range doc.Packages {
		out = append(out, found{Name: p.Name, Version: p.Version, Dev: slices.Contains(doc.Dev, p.Name)})
	}
	return out, nil
}

// systemRoot reports whether a folder is the root of a machine or of an unpacked image: what
// counts there is what is installed, not what lock files lie around.
func systemRoot(root *os.Root) bool {
	for _, name := range []string{"etc/os-release", "usr/lib/os-release"} {
		if _, err := root.Lstat(name); err == nil {
			return true
		}
	}
	return false
}

// locked leaves out what a folder of installed packages holds where the lock file of the same
// source tree names that very version: it is one dependency, not two.
func (m *merger) locked(packages []brought, all []shown) []brought {
	named := map[string]bool{} // folder, package URL
	for _, s := range all {
		if !s.Kind.isLock() {
			continue
		}
		for _, f := range s.Packages {
			p := Package{}
			p.Name, p.Version = f.Name, f.Version
			language(&p, s.Kind)
			named[path.Dir(s.name)+"\x00"+p.PURL] = true
		}
	}
	if len(named) == 0 {
		return packages
	}
	return slices.DeleteFunc(packages, func(p brought) bool {
		file, _, _ := strings.Cut(strings.TrimPrefix(p.Path, m.root), "!")
		folder := installedFolder(file)
		if folder == "" || p.system {
			return false
		}
		for dir := path.Dir(folder); ; dir = path.Dir(dir) {
			if named[dir+"\x00"+p.PURL] {
				return true
			}
			if dir == "." || dir == "/" {
				return false
			}
		}
	})
}

// installedFolder is the outermost folder of installed packages that a file lies in.
func installedFolder(file string) string {
	at := 0
	for part := range strings.SplitSeq(path.Dir(file), "/") {
		at += len(part)
		if slices.Contains(installedFolders, part) {
			return file[:at]
		}
		at++
	}
	return ""
}
