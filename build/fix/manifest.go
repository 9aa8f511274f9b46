package fix

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/triad-security/triad/build/advisory"
)

// manifests are the files in which a person says what a project needs, by how they are named,
// and what changes them.
var manifests = []struct {
	family string
	is     func(base string) bool
	edit   func(p *Patch, bump Bump) (found bool, left *Left)
}{
	{"PyPI", func(base string) bool {
		return strings.HasPrefix(base, "requirements") && strings.HasSuffix(base, ".txt")
	}, requirements},
	{"Go", func(base string) bool { return base == "go.mod" }, goMod},
	{"npm", func(base string) bool { return base == "package.json" }, packageJSON},
	{"Maven", func(base string) bool { return base == "pom.xml" }, pom},
}

// HasManifest reports whether an ecosystem has a manifest that is changed.
func HasManifest(ecosystem string) bool {
	for _, m := range manifests {
		if m.family == advisory.Family(ecosystem) {
			return true
		}
	}
	return false
}

// locks are files that a tool writes with checksums: they are not made up, the tool is named.
var locks = map[string]func(b Bump) string{
	"package-lock.json":   func(Bump) string { return "npm install --package-lock-only" },
	"npm-shrinkwrap.json": func(Bump) string { return "npm install --package-lock-only" },
	"yarn.lock":           func(b Bump) string { return "yarn upgrade " + b.Package + "@" + b.To },
	"pnpm-lock.yaml":      func(b Bump) string { return "pnpm update " + b.Package + "@" + b.To },
	"Cargo.lock":          func(b Bump) string { return "cargo update -p " + b.Package + " --precise " + b.To },
	"Gemfile.lock":        func(b Bump) string { return "bundle update --conservative " + b.Package },
	"composer.lock":       func(b Bump) string { return "composer update " + b.Package },
	"poetry.lock":         func(b Bump) string { return "poetry update " + b.Package },
	"uv.lock":             func(b Bump) string { return "uv lock --upgrade-package " + b.Package + "==" + b.To },
	"Pipfile.lock":        func(b Bump) string { return "pipenv upgrade " + b.Package + "==" + b.To },
	"mix.lock":            func(b Bump) string { return "mix deps.update " + b.Package },
	"pubspec.lock":        func(b Bump) string { return "dart pub upgrade " + b.Package },
	"go.sum":              func(b Bump) string { return "go get " + b.Package + "@v" + b.To },
	"packages.lock.json":  func(b Bump) string { return "dotnet add package " + b.Package + " --version " + b.To },
}

// safeWord keeps what an artifact says out of commands that people paste.
var safeWord = regexp.MustCompile(`^[A-Za-z0-9@][A-Za-z0-9@/._:+~-]*$`)

// Manifests changes the manifests below a folder for packages that they name. patches holds
// the files that are changed already, by path; path says of a bump in which file it was
// found, below the folder, empty where it is of an image.
func Manifests(root string, patches map[string]*Patch, bumps []Bump, file func(Bump) string) (left []Left, err error) {
	var all []string
	for _, bump := range bumps {
		l, err := manifest(root, patches, bump, file(bump), &all)
		if err != nil {
			return nil, err
		}
		if l != nil {
			left = append(left, *l)
		}
	}
	return left, nil
}

func manifest(root string, patches map[string]*Patch, bump Bump, file string, all *[]string) (*Left, error) {
	no := func(reason, run string) *Left {
		if run != "" && (!safeWord.MatchString(bump.Package) || !safeWord.MatchString(bump.To)) {
			run = ""
		}
		return &Left{Package: bump.Package, To: bump.To, Reason: reason, Run: run}
	}
	family := advisory.Family(bump.Ecosystem)
	var candidates []string
	if file == "" {
		if *all == nil {
			found, err := find(root)
			if err != nil {
				return nil, err
			}
			*all = found
		}
		candidates = *all
	} else if dir := filepath.Join(root, filepath.FromSlash(path.Dir(file))); !strings.Contains(file, "node_modules/") {
		candidates = beside(dir)
	}
	run := ""
	if lock := locks[path.Base(file)]; lock != nil {
		run = lock(bump)
	}
	var last *Left
	changed := false
	for _, m := range manifests {
		if m.family != family {
			continue
		}
		for _, name := range candidates {
			if !m.is(filepath.Base(name)) || file != "" && m.is(path.Base(file)) && filepath.Base(name) != path.Base(file) {
				continue
			}
			p := patches[name]
			if p == nil {
				opened, err := OpenPatch(name)
				if err != nil {
					return nil, err
				}
				p = opened
			}
			found, l := m.edit(p, bump)
			if p.Changed() {
				patches[name] = p
			}
			switch {
			case l != nil:
				last = l
			case found:
				changed = true
				if after := afterwards(name); after != "" {
					last = no("the lock file beside "+filepath.Base(name)+" holds checksums that are not made up", after)
				}
			}
		}
	}
	switch {
	case last != nil && (changed || last.Reason != ""):
		return last, nil
	case changed:
		return nil, nil
	case run != "":
		return no("no manifest beside "+path.Base(file)+" names it: another package brings it", run), nil
	case file != "":
		return no("no manifest beside "+file+" names it", ""), nil
	}
	return no("no manifest below "+root+" names it", ""), nil
}

// afterwards is what brings the lock file beside a changed manifest up to date.
func afterwards(name string) string {
	there := func(lock string) bool {
		_, err := os.Lstat(filepath.Join(filepath.Dir(name), lock))
		return err == nil
	}
	switch filepath.Base(name) {
	case "go.mod":
		return "go mod tidy"
	case "package.json":
		switch {
		case there("package-lock.json"), there("npm-shrinkwrap.json"):
			return "npm install --package-lock-only"
		case there("yarn.lock"):
			return "yarn install"
		case there("pnpm-lock.yaml"):
			return "pnpm install --lockfile-only"
		}
	}
	return ""
}

func beside(dir string) (all []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.Type().IsRegular() {
			all = append(all, filepath.Join(dir, e.Name()))
		}
	}
	return all
}

// Bounds of the search for manifests in a build context.
const (
	maxDepth   = 5
	maxVisited = 50_000
)

// find lists the manifests below a folder; what is installed or kept by tools is not looked
// into, and links are not followed.
func find(root string) (all []string, err error) {
	visited := 0
	err = filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what cannot be read cannot be changed
		}
		if visited++; visited > maxVisited {
			return fs.SkipAll
		}
		if e.IsDir() {
			rel, _ := filepath.Rel(root, name)
			if strings.Count(filepath.ToSlash(rel), "/") >= maxDepth || slices.Contains([]string{".git", "node_modules", "vendor", ".venv", "venv", "testdata", "target"}, e.Name()) && name != root {
				return fs.SkipDir
			}
			return nil
		}
		if e.Type().IsRegular() && slices.ContainsFunc(manifests, func(m struct {
			family string
			is     func(string) bool
			edit   func(*Patch, Bump) (bool, *Left)
		},
		) bool {
			return m.is(e.Name())
		}) {
			all = append(all, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for manifests: %w", err)
	}
	return all, nil
}

var requirement = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*(===|==|~=|>=)?\s*([A-Za-z0-9.!+*-]+)?\s*((?:;|#|\\|--hash).*)?$`)

// requirements changes a line of a requirements file (pip's format): name==version.
func requirements(p *Patch, bump Bump) (found bool, left *Left) {
	at := 0
	for l := range bytes.Lines(p.data) {
		start := at
		at += len(l)
		text := strings.TrimRight(string(l), "\r\n")
		trimmed := strings.TrimLeft(text, " \t")
		start += len(text) - len(trimmed)
		m := requirement.FindStringSubmatchIndex(strings.TrimRight(trimmed, " \t"))
		if m == nil || pythonName(trimmed[m[2]:m[3]]) != pythonName(bump.Package) {
			continue
		}
		found = true
		if m[10] >= 0 && (strings.Contains(trimmed[m[10]:m[11]], "--hash") || strings.HasPrefix(trimmed[m[10]:m[11]], `\`)) {
			return true, &Left{bump.Package, bump.To, filepath.Base(p.Path) + " pins it by checksum, which is not made up", "pip-compile --generate-hashes --upgrade-package " + bump.Package + "==" + bump.To}
		}
		if m[6] >= 0 && m[8] >= 0 {
			if trimmed[m[8]:m[9]] == bump.To {
				continue
			}
			p.Add(Edit{start + m[8], start + m[9], bump.To}, bump.Package+" "+bump.To)
			continue
		}
		end := m[3]
		if m[4] >= 0 {
			end = m[5]
		}
		p.Add(Edit{start + end, start + end, ">=" + bump.To}, bump.Package+" "+bump.To)
	}
	return found, nil
}

var goRequire = regexp.MustCompile(`(?m)^(\s*(?:require\s+)?)(\S+)(\s+)(v[^\s/]+)`)

// goMod changes the version in a require of go.mod.
func goMod(p *Patch, bump Bump) (found bool, left *Left) {
	if bump.Package == "stdlib" || bump.Package == "toolchain" {
		return true, &Left{bump.Package, bump.To, "it comes with the Go that builds: build with " + bump.To + " or later", "go get go@" + bump.To}
	}
	for _, m := range goRequire.FindAllSubmatchIndex(p.data, -1) {
		if name := strings.Trim(string(p.data[m[4]:m[5]]), `"`); name != bump.Package {
			continue
		}
		line := p.data[m[0]:]
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i]
		}
		if bytes.Contains(line, []byte("=>")) {
			return true, &Left{bump.Package, bump.To, "go.mod replaces it: change the replacement", ""}
		}
		found = true
		p.Add(Edit{m[8], m[9], "v" + strings.TrimPrefix(bump.To, "v")}, bump.Package+" v"+bump.To)
	}
	return found, nil
}

var npmRange = regexp.MustCompile(`^([\^~=]|>=)?\s*v?(\d+(?:\.\d+){0,2}(?:-[0-9A-Za-z.-]+)?)$`)

// packageJSON changes the range of a dependency that package.json names itself.
func packageJSON(p *Patch, bump Bump) (found bool, left *Left) {
	for _, d := range npmDependencies(p.data) {
		if d.name != bump.Package {
			continue
		}
		found = true
		m := npmRange.FindStringSubmatch(d.value)
		if m == nil {
			return true, &Left{bump.Package, bump.To, "package.json asks for " + d.value + ": set it to " + bump.To, ""}
		}
		text, _ := json.Marshal(m[1] + bump.To)
		p.Add(Edit{d.start, d.end, string(text)}, bump.Package+" "+bump.To)
	}
	return found, nil
}

type dependency struct {
	name, value string
	start, end  int // of the value with its quotes
}

// npmDependencies reads the dependencies of a package.json with their places.
func npmDependencies(data []byte) (all []dependency) {
	dec := json.NewDecoder(bytes.NewReader(data))
	depth := 0
	section, key := "", ""
	isKey := false
	var kinds []json.Delim
	for {
		before := int(dec.InputOffset())
		t, err := dec.Token()
		if err != nil {
			return all
		}
		switch v := t.(type) {
		case json.Delim:
			if v == '{' || v == '[' {
				if depth == 1 {
					section = key
				}
				kinds = append(kinds, v)
				depth++
			} else {
				kinds = kinds[:len(kinds)-1]
				if depth--; depth == 1 {
					section = ""
				}
			}
			isKey = len(kinds) > 0 && kinds[len(kinds)-1] == '{'
			continue
		case string:
			if isKey {
				key, isKey = v, false
				continue
			}
			if depth == 2 && slices.Contains([]string{"dependencies", "devDependencies", "optionalDependencies"}, section) && kinds[1] == '{' {
				end := int(dec.InputOffset())
				if n := bytes.IndexByte(data[before:end], '"'); n >= 0 {
					all = append(all, dependency{key, v, before + n, end})
				}
			}
		}
		isKey = len(kinds) > 0 && kinds[len(kinds)-1] == '{'
	}
}
