package fix

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/triad-security/triad/build/advisory"
	"github.com/triad-security/triad/build/dockerfile"
)

// Left is what was not changed, and what to do instead.
type Left struct {
	Package string `json:"package"`
	To      string `json:"to,omitempty"`
	Reason  string `json:"reason"`
	// Run is a command that does it, where one does.
	Run string `json:"run,omitempty"`
}

// Build is an image with the Dockerfile that it was built of.
type Build struct {
	File    *dockerfile.File
	Mapping *dockerfile.Mapping
	// Layers are the image's diff IDs.
	Layers []string
	// Has reports whether a package of a name is in the image.
	Has func(name string) bool
	// BaseUser is the user that the base image runs as; empty is root.
	BaseUser string
}

// system package managers by OSV's ecosystem, and the packages that they come in.
var systems = map[string]struct {
	manager string
	needs   []string
}{
	"Debian": {"apt", []string{"apt"}}, "Ubuntu": {"apt", []string{"apt"}},
	"Alpine": {"apk", []string{"apk-tools"}}, "Wolfi": {"apk", []string{"apk-tools"}}, "Chainguard": {"apk", []string{"apk-tools"}},
	"AlmaLinux": {"yum", []string{"dnf", "dnf5", "microdnf", "yum"}}, "Rocky Linux": {"yum", []string{"dnf", "dnf5", "microdnf", "yum"}}, "Red Hat": {"yum", []string{"dnf", "dnf5", "microdnf", "yum"}},
	"SUSE": {"zypper", []string{"zypper"}}, "openSUSE": {"zypper", []string{"zypper"}},
}

// languages whose packages a RUN can name.
var languages = map[string][]string{"PyPI": {"pip"}, "npm": {"npm", "yarn"}, "RubyGems": {"gem"}}

// step is a RUN that is added: at most one at a place for each manager.
type step struct {
	after   int // line, from 1
	manager string
	tool    string
	user    string // that is current there
	words   []string
	why     []string
}

// Dockerfile changes a Dockerfile: the base's tag or digest, and packages, the ones that a
// RUN names in that RUN, others by a RUN of their own behind what brought them. What it does
// not know how to change it returns.
func Dockerfile(p *Patch, b Build, base *BaseBump, bumps []Bump) (left []Left) {
	m := b.Mapping
	if m == nil || m.Stage == nil {
		reason := "the Dockerfile does not fit the image"
		if m != nil && m.Reason != "" {
			reason = m.Reason
		}
		for _, bump := range bumps {
			left = append(left, Left{Package: bump.Package, To: bump.To, Reason: reason})
		}
		return left
	}
	if base != nil {
		if reason := rebase(p, b, base); reason != "" {
			left = append(left, Left{Package: base.From, To: base.To, Reason: reason})
		}
	}
	var steps []*step
	for _, bump := range bumps {
		if l := b.bump(p, &steps, bump); l != nil {
			left = append(left, *l)
		}
	}
	slices.SortStableFunc(steps, func(x, y *step) int { return x.after - y.after })
	for _, s := range steps {
		p.Add(Edit{b.File.LineEnd(s.after), b.File.LineEnd(s.after), s.text(p, b.File.LineEnd(s.after))}, strings.Join(s.why, ", "))
	}
	return left
}

// rebase changes FROM, or the default of the one ARG that it is made of.
func rebase(p *Patch, b Build, base *BaseBump) (reason string) {
	from := b.Mapping.Stage.Base()
	name, tag, digest := split(from.Resolved)
	_, newTag, _ := split(base.To)
	if digest != "" && base.Digest == "" {
		return "FROM is pinned by digest, and the digest of " + base.To + " in its registry is not known: scan it from its registry"
	}
	if digest == "" && newTag == tag && base.Digest == "" {
		return "the tag is the same: build again with docker build --pull"
	}
	image := name
	if newTag != "" {
		image += ":" + newTag
	}
	if digest != "" || newTag == tag {
		image += "@" + base.Digest
	}
	why := fmt.Sprintf("%s: removes %d vulnerabilities, adds %d, leaves %d", image, len(base.Removes), len(base.Adds), len(base.Leaves))
	if from.Image == from.Resolved {
		at := from.From.Byte(0)
		if !p.Add(Edit{at, at + len(from.Image), image}, why) {
			return "FROM could not be changed"
		}
		return ""
	}
	for _, arg := range b.File.Args {
		for _, pair := range arg.Pairs() {
			before, after, used := strings.Cut(from.Image, "$"+pair.Name)
			if !used {
				before, after, used = strings.Cut(from.Image, "${"+pair.Name+"}")
			}
			if !used || strings.Contains(before+after, "$") || !pair.HasValue || pair.Raw != pair.Value {
				continue
			}
			value, ok := strings.CutPrefix(image, before)
			if ok {
				value, ok = strings.CutSuffix(value, after)
			}
			if at := arg.Byte(pair.At + len(pair.Name) + 1); ok && at >= 0 && p.Add(Edit{at, at + len(pair.Raw), value}, why) {
				return ""
			}
		}
	}
	return "FROM " + from.Image + " is put together of variables: set it to " + image + " yourself"
}

// bump changes one package; what is returned was not changed.
func (b Build) bump(p *Patch, steps *[]*step, bump Bump) *Left {
	no := func(format string, args ...any) *Left {
		return &Left{Package: bump.Package, To: bump.To, Reason: fmt.Sprintf(format, args...)}
	}
	layer := slices.Index(b.Layers, bump.Layer)
	at := b.Mapping.OfLayer(layer)
	if layer < 0 || at == nil {
		return no("the layer that brought it is not known")
	}
	if !at.Base && len(at.Instructions) != 1 {
		return no("the line that brought it is not known for sure")
	}
	var by *dockerfile.Instruction
	if !at.Base {
		by = at.Instructions[0]
	}
	system, isSystem := systems[advisory.Family(bump.Ecosystem)]
	if !isSystem {
		return b.language(p, steps, bump, by)
	}
	if by != nil && by.Name == "RUN" {
		if done, reason := named(p, []*dockerfile.Instruction{by}, []string{system.manager}, bump); done {
			return nil
		} else if reason != "" {
			return no("%s", reason)
		}
	}
	tool := b.tool(system.manager, system.needs)
	if tool == "" {
		return no("the image has no package manager that could upgrade it: take a newer base image")
	}
	if by != nil && by.Name != "RUN" {
		return no("line %d copies it from elsewhere: upgrade it there", by.Start)
	}
	after := b.Mapping.Stage.Base().From
	if by != nil {
		after = by
	}
	b.add(steps, after, system.manager, tool, systemWord(system.manager, bump), bump)
	return nil
}

// tool is the manager's program that the image has.
func (b Build) tool(manager string, needs []string) string {
	for _, name := range needs {
		if !b.Has(name) {
			continue
		}
		switch name {
		case "apt":
			return "apt-get"
		case "apk-tools":
			return "apk"
		case "dnf5":
			return "dnf"
		}
		return name
	}
	return ""
}

// systemWord names a package at a version for its manager.
func systemWord(manager string, bump Bump) string {
	if bump.Source != "" { // numbered by its source package: the newest there is
		return bump.Package
	}
	switch manager {
	case "apt":
		return bump.Package + "=" + bump.To
	case "apk":
		return "'" + bump.Package + ">=" + bump.To + "'"
	case "yum":
		return bump.Package + "-" + bump.To
	case "zypper":
		return "'" + bump.Package + ">=" + bump.To + "'"
	}
	return bump.Package
}

// add puts a package into the step behind an instruction.
func (b Build) add(steps *[]*step, after *dockerfile.Instruction, manager, tool, word string, bump Bump) {
	why := fmt.Sprintf("%s %s", bump.Package, bump.To)
	for _, s := range *steps {
		if s.after == after.End && s.manager == manager {
			if !slices.Contains(s.words, word) {
				s.words, s.why = append(s.words, word), append(s.why, why)
			}
			return
		}
	}
	user := b.BaseUser
	for _, i := range b.Mapping.Stage.Chain() {
		if i.Start > after.Start {
			break
		}
		if i.Name == "USER" {
			user = i.Args
		}
	}
	*steps = append(*steps, &step{after: after.End, manager: manager, tool: tool, user: user, words: []string{word}, why: []string{why}})
}

// text is the step as lines of the Dockerfile.
func (s *step) text(p *Patch, at int) string {
	list := strings.Join(s.words, " ")
	run := ""
	switch s.manager {
	case "apt":
		run = "RUN apt-get update && apt-get install -y --no-install-recommends --only-upgrade " + list + " && rm -rf /var/lib/apt/lists/*"
	case "apk":
		run = "RUN apk add --no-cache --upgrade " + list
	case "yum":
		run = "RUN " + s.tool + " upgrade -y " + list + " && " + s.tool + " clean all"
	case "zypper":
		run = "RUN zypper --non-interactive install " + list + " && zypper clean --all"
	case "pip":
		run = "RUN pip install --no-cache-dir " + list
	}
	nl := p.newline()
	rows := []string{run}
	if user, _, _ := strings.Cut(s.user, ":"); user != "" && user != "root" && user != "0" {
		rows = []string{"USER root", run, "USER " + s.user}
	}
	text := strings.Join(rows, nl) + nl
	if at > 0 && p.data[at-1] != '\n' {
		text = nl + strings.TrimSuffix(text, nl)
	}
	return text
}

// language changes a package of a language where a RUN names it.
func (b Build) language(p *Patch, steps *[]*step, bump Bump, by *dockerfile.Instruction) *Left {
	family := advisory.Family(bump.Ecosystem)
	no := func(format string, args ...any) *Left {
		return &Left{Package: bump.Package, To: bump.To, Reason: fmt.Sprintf(format, args...)}
	}
	managers, known := languages[family]
	if known && by != nil {
		where := []*dockerfile.Instruction{by}
		if from, ok := by.Flag("from"); ok {
			if s := b.File.Stage(from); s != nil {
				where = s.Chain()
			}
		}
		if done, reason := named(p, where, managers, bump); done {
			return nil
		} else if reason != "" {
			return no("%s", reason)
		}
	}
	switch {
	case by == nil && family == "PyPI" && isSitePackage(bump.Path):
		b.add(steps, b.Mapping.Stage.Base().From, "pip", "pip", bump.Package+"=="+bump.To, bump)
		return nil
	case by == nil:
		return no("it came with the base image: take a newer one")
	}
	return no("line %d brought it: no line of the Dockerfile names it", by.Start)
}

// isSitePackage: the Python that pip belongs to, not an environment or a copy inside another package.
func isSitePackage(file string) bool {
	dir := path.Dir(path.Dir(file))
	return strings.HasPrefix(file, "/usr/local/lib/python") && (strings.HasSuffix(dir, "/site-packages") || strings.HasSuffix(path.Dir(file), "/site-packages"))
}

// named pins the package where an installing command names it.
func named(p *Patch, where []*dockerfile.Instruction, managers []string, bump Bump) (done bool, reason string) {
	for _, i := range where {
		for _, in := range i.Installs() {
			if !slices.Contains(managers, in.Manager) {
				continue
			}
			for _, w := range in.Packages {
				name, how, version := splitPackage(in.Manager, w.Text)
				if !sameName(in.Manager, name, bump.Package) {
					continue
				}
				if strings.Contains(version, "$") {
					return false, fmt.Sprintf("line %d takes its version from %s: set that to %s", in.Command.LineOf(w), version, bump.To)
				}
				text := pinnedWord(in.Manager, w.Text, name, how, bump)
				at := in.Command.ByteOf(w)
				if at < 0 || at+len(w.Raw) > len(p.data) || string(p.data[at:at+len(w.Raw)]) != w.Raw {
					return false, fmt.Sprintf("line %d names it in a form that is not changed: set it to %s", in.Command.LineOf(w), bump.To)
				}
				raw := strings.Replace(w.Raw, w.Text, text, 1)
				if raw == w.Raw && text != w.Text {
					raw = text
				}
				if strings.ContainsAny(text, "<>~") && raw == text {
					raw = "'" + text + "'"
				}
				if raw == w.Raw {
					return true, "" // the newest already: building again brings it
				}
				if !p.Add(Edit{at, at + len(w.Raw), raw}, bump.Package+" "+bump.To) {
					return false, fmt.Sprintf("line %d is changed for something else already", in.Command.LineOf(w))
				}
				done = true
			}
		}
	}
	return done, ""
}

// splitPackage takes a word of an install command apart: name, how its version is given, and
// the version.
func splitPackage(manager, word string) (name, how, version string) {
	cut := func(seps ...string) {
		name = word
		for _, sep := range seps {
			if i := strings.Index(word, sep); i > 0 && i < len(name) {
				name, how, version = word[:i], sep, word[i+len(sep):]
			}
		}
	}
	switch manager {
	case "apt":
		cut("=", "/")
		name, _, _ = strings.Cut(name, ":")
	case "apk":
		cut("=~", ">=", "<=", "=", "~=", "~", ">", "<", "@")
	case "yum", "zypper":
		cut("=", ">=")
		if how == "" {
			for i := 1; i < len(word); i++ {
				if word[i-1] == '-' && word[i] >= '0' && word[i] <= '9' {
					return word[:i-1], "-", word[i:]
				}
			}
		}
	case "pip":
		cut("===", "==", "~=", ">=", "<=", "!=", ">", "<", "@")
		name, _, _ = strings.Cut(strings.TrimSpace(name), "[")
	case "npm", "yarn":
		if i := strings.LastIndexByte(word, '@'); i > 0 {
			return word[:i], "@", word[i+1:]
		}
		return word, "", ""
	case "gem":
		cut(":")
	}
	return name, how, version
}

func sameName(manager, a, b string) bool {
	if manager == "pip" {
		return pythonName(a) == pythonName(b)
	}
	return a == b
}

// pythonName compares as PEP 503 says.
func pythonName(s string) string {
	var out strings.Builder
	dash := false
	for _, c := range strings.ToLower(s) {
		if c == '-' || c == '_' || c == '.' {
			dash = true
			continue
		}
		if dash && out.Len() > 0 {
			out.WriteByte('-')
		}
		dash = false
		out.WriteRune(c)
	}
	return out.String()
}

// pinnedWord is the word with the new version, its extras kept.
func pinnedWord(manager, word, name, how string, bump Bump) string {
	if _, isSystem := systems[advisory.Family(bump.Ecosystem)]; isSystem && bump.Source != "" {
		return name
	}
	switch manager {
	case "apt":
		return name + "=" + bump.To
	case "apk":
		if how == "=" {
			return name + "=" + bump.To
		}
		return name + ">=" + bump.To
	case "yum":
		return name + "-" + bump.To
	case "zypper":
		return name + "=" + bump.To
	case "pip":
		extras := ""
		if i, j := strings.IndexByte(word, '['), strings.IndexByte(word, ']'); i > 0 && j > i {
			extras = word[i : j+1]
		}
		return name + extras + "==" + bump.To
	case "npm", "yarn":
		return name + "@" + bump.To
	case "gem":
		return name + ":" + bump.To
	}
	return name
}
