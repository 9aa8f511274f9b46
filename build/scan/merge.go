package scan

import (
	"fmt"
	"path"
	"regexp"
	"sort"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/image"
	"github.com/triad-security/triad/build/inspect"
	"github.com/triad-security/triad/build/sbom"
)

// merger lays the records of an image's layers over each other. What depends on more than
// one layer happens here: what still shows, the distribution's release, links, ownership,
// and which layer brought a package.
type merger struct {
	records []*record // by layer, lowest first; nil could not be read
	tree    *image.Tree
	whole   bool // every layer was read
	distro  sbom.Distro
	root    string // put before paths: "/" in an image
}

// shown is evidence that shows in the merged tree.
type shown struct {
	name  string
	layer int
	*evidence
}

// merge lays records over each other. root is put before every path.
func merge(records []*record, root string) *merged { return mergeContent(records, nil, nil, root) }

// mergeContent also lays over each other what inspectors found, by layer and inspector.
func mergeContent(records []*record, contents [][]*content, inspectors []inspect.Inspector, root string) *merged {
	m := &merger{records: records, whole: true, root: root}
	trees := make([]*image.Layer, len(records))
	for i, r := range records {
		if r == nil {
			m.whole = false
			continue
		}
		trees[i] = r.layer
	}
	m.tree = image.NewTree(trees)
	m.distro = m.release()
	all := m.shown()
	lists := map[string]*evidence{}
	for _, s := range all {
		if s.Kind == kindDpkgList {
			base := path.Base(s.name)
			lists[strings.TrimSuffix(base, path.Ext(base))] = s.evidence
		}
	}
	var packages []brought
	seen := map[string]bool{}
	for _, s := range all {
		for _, p := range m.packages(s, lists) {
			key := p.Key()
			if isDistribution(s.Kind) {
				key = p.PURL // the same database at two places, through a link
			}
			if !seen[key] {
				seen[key] = true
				packages = append(packages, p)
			}
		}
	}
	packages = m.locked(packages, all)
	m.own(packages, all, lists)
	sort.Slice(packages, func(i, j int) bool {
		a, b := &packages[i], &packages[j]
		for _, c := range [][2]string{{a.Ecosystem, b.Ecosystem}, {a.Name, b.Name}, {a.Version, b.Version}, {a.Path, b.Path}} {
			if c[0] != c[1] {
				return c[0] < c[1]
			}
		}
		return a.PURL < b.PURL
	})
	out := &merged{Distro: m.distro, Packages: make([]Package, len(packages)), Layers: make([]int, len(packages)), Sizes: make([]int64, len(records))}
	for i, p := range packages {
		out.Packages[i], out.Layers[i] = p.Package, p.layer
	}
	for i, r := range records {
		if r != nil {
			out.Sizes[i] = r.layer.Size
		}
	}
	for _, s := range all {
		if s.Code != nil {
			if out.Code == nil {
				out.Code = map[string]*goCode{}
			}
			out.Code[root+s.name] = s.Code
		}
	}
	out.Unread = m.unread(out.Packages)
	m.findings(out, contents, inspectors)
	return out
}

// brought is a package and the layer that brought it.
type brought struct {
	Package
	layer  int
	system bool // of a distribution
}

func isDistribution(k kind) bool { f := formats[k]; return f != nil && f.system }

// shown lists the evidence that shows, in order of names.
func (m *merger) shown() []shown {
	var all []shown
	seen := map[string]bool{}
	for _, r := range m.records {
		if r == nil {
			continue
		}
		for name := range r.layer.Evidence() {
			if seen[name] {
				continue
			}
			seen[name] = true
			if got, layer, ok := m.tree.Lookup(name); ok {
				if ev := m.evidence(got, name, layer); ev != nil {
					all = append(all, shown{name, layer, ev})
				}
			}
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].name < all[j].name })
	return all
}

// evidence finds what an entry says. Its number counts in its own layer, or in the one
// below that a hard link leads to.
func (m *merger) evidence(e image.Entry, name string, layer int) *evidence {
	own, _ := m.records[layer].layer.Entry(name)
	if own.Type != image.HardLink {
		return m.records[layer].at(e)
	}
	if _, ok := m.records[layer].layer.Entry(own.Target); ok {
		return m.records[layer].at(e)
	}
	if _, below, ok := m.tree.Below(layer).Lookup(own.Target); ok {
		return m.records[below].at(e)
	}
	return nil
}

// release reads the distribution's release: os-release(5) prefers /etc, where it is mostly
// a link.
func (m *merger) release() sbom.Distro {
	for _, name := range []string{"etc/os-release", "usr/lib/os-release"} {
		name, ok := m.tree.Resolve(name)
		if !ok {
			continue
		}
		if e, layer, ok := m.tree.Lookup(name); ok {
			if ev := m.evidence(e, name, layer); ev != nil && ev.Kind == kindRelease {
				return sbom.ParseDistro(ev.Text)
			}
		}
	}
	return sbom.Distro{}
}

// packages turns what a file says into packages of the image.
func (m *merger) packages(s shown, lists map[string]*evidence) []brought {
	if len(s.Packages) == 0 {
		return nil
	}
	origin := m.origins(s)
	out := make([]brought, 0, len(s.Packages))
	for _, f := range s.Packages {
		p := Package{}
		p.Name, p.Version, p.Source, p.SourceVersion = f.Name, f.Version, f.Source, f.SourceVersion
		p.Path = m.root + join(s.name, f.Inner)
		files := f.Files
		switch s.Kind {
		case kindDpkg, kindApk, kindRPM, kindOpkg, kindPacman, kindPortage:
			m.distribution(&p, s.Kind, f)
			if s.Kind == kindDpkg {
				if list := listOf(f, lists); list != nil {
					files = list.Files
				}
			}
		default:
			language(&p, s.Kind)
			files = m.languageFiles(s, f)
		}
		p.Files = m.resolved(files)
		p.Dev = f.Dev
		out = append(out, brought{p, origin(f.key()), isDistribution(s.Kind)})
	}
	return out
}

// distribution fills in what a distribution's package has: source, ecosystem, URL.
func (m *merger) distribution(p *Package, k kind, f found) {
	p.Ecosystem = m.distro.Ecosystem()
	namespace := strings.ToLower(m.distro.ID)
	if namespace == "rhel" {
		namespace = "redhat"
	}
	release := m.distro.Version
	if release == "" {
		release = m.distro.Codename
	}
	q := map[string]string{"arch": f.Arch, "rpmmod": f.Module}
	if m.distro.ID != "" {
		q["distro"] = m.distro.ID
		if release != "" {
			q["distro"] += "-" + release
		}
	}
	if f.Epoch > 0 {
		q["epoch"] = fmt.Sprint(f.Epoch)
		p.Version = q["epoch"] + ":" + f.Version
	}
	if p.Source == "" {
		p.Source = f.Name
	}
	if p.SourceVersion == "" {
		p.SourceVersion = p.Version
	}
	if p.Source != f.Name || p.SourceVersion != p.Version && k != kindRPM {
		q["upstream"] = p.Source
		if p.SourceVersion != p.Version {
			q["upstream"] += "@" + p.SourceVersion
		}
	}
	p.PURL = sbom.PURL(formats[k].purl, namespace, f.Name, f.Version, q)
}

var pypiSeparators = regexp.MustCompile(`[-_.]+`)

// origins says for the packages of a file which layer brought each: the first in which it
// stood in this file in this version, and has ever since. Databases are written again by
// every layer that installs something, other files by a mere chown.
func (m *merger) origins(s shown) func(key string) int {
	type state struct {
		layer int
		keys  map[string]bool
	}
	var states []state
	for top := s.layer; top > 0; {
		e, layer, ok := m.tree.Below(top).Lookup(s.name)
		if !ok {
			break
		}
		ev := m.evidence(e, s.name, layer)
		if ev == nil || ev.Kind != s.Kind {
			break
		}
		keys := make(map[string]bool, len(ev.Packages))
		for _, f := range ev.Packages {
			keys[f.key()] = true
		}
		states = append(states, state{layer, keys})
		top = layer
	}
	return func(key string) int {
		layer := s.layer
		for _, st := range states {
			if !st.keys[key] {
				break
			}
			layer = st.layer
		}
		return layer
	}
}

// listOf is the list of files of a deb.
func listOf(f found, lists map[string]*evidence) *evidence {
	if list := lists[f.Name+":"+f.Arch]; list != nil { // multi-arch packages
		return list
	}
	return lists[f.Name]
}

// languageFiles says what a process that uses the package has open: the program or archive
// itself, the folder of a package, the modules of a Python distribution.
func (m *merger) languageFiles(s shown, f found) []string {
	if s.Kind.isLock() {
		return nil
	}
	dir := path.Dir(s.name)
	switch s.Kind {
	case kindGo, kindJava, kindCargo:
		return []string{s.name}
	case kindGem: // gems/NAME-VERSION beside specifications
		name := strings.TrimSuffix(path.Base(s.name), ".gemspec")
		return []string{path.Join(strings.TrimSuffix(dir, "/default"), "..", "gems", name)}
	case kindComposer: // vendor/NAME
		return []string{path.Join(dir, "..", f.Name)}
	case kindNuGet:
		return []string{path.Join(dir, f.Name+".dll")}
	case kindNPM:
		return []string{dir}
	}
	for _, record := range []string{dir + "/RECORD", dir + "/top_level.txt"} {
		if e, layer, ok := m.tree.Lookup(record); ok {
			if ev := m.evidence(e, record, layer); ev != nil && ev.Kind == kindPyFiles && len(ev.Files) > 0 {
				return ev.Files
			}
		}
	}
	return []string{s.name}
}

// resolved follows links, as the kernel does before a process has the file, and leaves out
// what is not there. Where a layer is missing nothing is left out.
func (m *merger) resolved(files []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, name := range files {
		real, ok := m.tree.Resolve(name)
		if !ok && m.whole {
			continue
		}
		if !ok {
			real = strings.TrimPrefix(name, "/")
		}
		if !seen[real] {
			seen[real] = true
			out = append(out, "/"+real)
		}
	}
	return out
}

// unread says what cannot be known although it was read: the advisories of a distribution
// without a name, or without records.
func (m *merger) unread(packages []Package) []triad.Unread {
	n := 0
	for _, p := range packages {
		if p.Ecosystem == "" {
			n++
		}
	}
	switch {
	case n == 0:
		return nil
	case m.distro.ID == "":
		return []triad.Unread{{Section: "vulnerabilities", Reason: fmt.Sprintf("%d packages of a distribution that does not say which it is (no os-release): no advisories can be found for them", n)}}
	}
	return []triad.Unread{{Section: "vulnerabilities", Reason: fmt.Sprintf("%d packages of %s, for which OSV has no records: their vulnerabilities are not known", n, m.distro.ID)}}
}
