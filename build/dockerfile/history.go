package dockerfile

import (
	"path"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// made is a history entry taken apart: the instruction that it was, as its builder wrote it.
//
//	BuildKit   RUN |1 V=1 /bin/sh -c make # buildkit    COPY a /b/ # buildkit    ENV A=1
//	classic    |1 V=1 /bin/sh -c make                   /bin/sh -c #(nop) COPY file:0a1b… in /b/
//	Kaniko     RUN make                                 COPY a /b/
//	Buildah    /bin/sh -c make                          /bin/sh -c #(nop) COPY file:0a1b… in /b/
type made struct {
	name string // RUN, COPY, …; empty where it cannot be told
	body string // the rest, blanks joined
	args []Pair // values of ARG that it ran with
	// copied: the body of a COPY or ADD is only its destination, for the sources were
	// replaced by a digest.
	copied bool
}

func readHistory(h v1.History) made {
	by := strings.TrimSpace(h.CreatedBy)
	by = strings.TrimSpace(strings.TrimSuffix(by, "# buildkit"))
	m := made{}
	nop := false
	if i := strings.Index(by, "#(nop)"); i >= 0 && (i == 0 || strings.HasSuffix(strings.TrimSpace(by[:i]), "-c") || strings.HasSuffix(strings.TrimSpace(by[:i]), "/C") || strings.HasSuffix(strings.TrimSpace(by[:i]), "/c")) {
		by, nop = strings.TrimSpace(by[i+len("#(nop)"):]), true
	}
	word, rest, _ := strings.Cut(by, " ")
	switch {
	case known[word]:
		m.name, m.body = word, rest
	case nop || by == "":
		return m
	default:
		m.name, m.body = "RUN", by
	}
	m.body = blanks(m.body)
	switch m.name {
	case "RUN":
		m.ran()
	case "COPY", "ADD":
		m.body = withoutFlags(m.body)
		if source, destination, ok := strings.Cut(m.body, " in "); ok && !strings.Contains(source, " ") && (strings.HasPrefix(source, "file:") || strings.HasPrefix(source, "dir:") || strings.HasPrefix(source, "multi:")) {
			m.body, m.copied = strings.TrimSpace(destination), true
		}
	}
	return m
}

// ran takes "|2 A=1 B=2" off a command.
func (m *made) ran() {
	rest, ok := strings.CutPrefix(m.body, "|")
	if !ok {
		return
	}
	count, rest, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(count)
	if err != nil || n > 256 {
		return
	}
	for range n {
		// A value may hold blanks: it ends before the next NAME= or the shell.
		name, value, ok := strings.Cut(rest, "=")
		if !ok || nameLength(name) != len(name) {
			return
		}
		end := 0
		for end < len(value) {
			next := strings.IndexByte(value[end:], ' ')
			if next < 0 {
				end = len(value)
				break
			}
			end += next
			tail := value[end+1:]
			if size := nameLength(tail); strings.HasPrefix(tail, "/") || size > 0 && size < len(tail) && tail[size] == '=' {
				break
			}
			end++
		}
		m.args = append(m.args, Pair{Name: name, Value: strings.TrimSpace(value[:min(end, len(value))]), HasValue: true})
		rest = strings.TrimSpace(value[min(end, len(value)):])
	}
	m.body = rest
}

func blanks(s string) string { return strings.Join(strings.Fields(s), " ") }

func withoutFlags(s string) string {
	for strings.HasPrefix(s, "--") {
		_, s, _ = strings.Cut(s, " ")
	}
	return s
}

// anything stands in a pattern for a value that the file does not say.
const anything = "\x00"

// expected is what an instruction should look like in the history: exact with the values
// that the file or the history gives, loose with any value for what the build may be given.
type expected struct {
	i            *Instruction
	exact, loose string
	// destination of a COPY or ADD, loose too.
	destination string
	layer       bool // it makes a layer
}

// expectations follow the variables and folders through a stage's instructions.
func (f *File) expectations(s *Stage, given scope) []expected {
	global := scope(globalArgs(f.Args, f.escape))
	for name, v := range given {
		if _, ok := global[name]; ok {
			global[name] = v
		}
	}
	var all []expected
	vars, loose := scope{}, scope{}
	env := map[string]bool{}
	workdir := "" // not known: the base's
	var stage *Stage
	for _, i := range s.Chain() {
		if stage != i.Stage { // ARGs end with their stage
			for name := range vars {
				if !env[name] {
					delete(vars, name)
					delete(loose, name)
				}
			}
			stage = i.Stage
		}
		e := expected{i: i, layer: i.Name == "RUN" || i.Name == "COPY" || i.Name == "ADD"}
		e.exact = f.pattern(i, vars, workdir)
		e.loose = f.pattern(i, loose, workdir)
		if _, d := i.sources(); i.Name == "COPY" || i.Name == "ADD" {
			e.destination = fold(f.value(d.Raw, loose), workdir)
		}
		all = append(all, e)
		if i.Name == "WORKDIR" {
			workdir = fold(f.value(i.Args, vars), workdir)
		}
		vars.apply(i, global, env, f.escape)
		loose.apply(i, global, map[string]bool{}, f.escape)
		if i.Name == "ARG" {
			for _, p := range i.Pairs() {
				if v, ok := given[p.Name]; ok && !env[p.Name] {
					vars[p.Name] = v
				}
				loose[p.Name] = variable{}
			}
		}
	}
	return all
}

// value puts variables in; what is not known becomes anything.
func (f *File) value(raw string, vars scope) string {
	out, _ := expand(raw, f.escape, func(name string) (string, bool) {
		if v, ok := vars[name]; ok && v.known {
			return v.value, true
		}
		return anything, true
	})
	return out
}

// fold makes a destination absolute where the folder is known.
func fold(p, workdir string) string {
	switch {
	case strings.HasPrefix(p, "/"), strings.HasPrefix(p, anything):
	case workdir == "":
		p = anything + "/" + p
	default:
		p = workdir + "/" + p
	}
	return strings.TrimSuffix(path.Clean(p), "/")
}

// pattern writes an instruction as BuildKit's history has it.
func (f *File) pattern(i *Instruction, vars scope, workdir string) string {
	switch i.Name {
	case "RUN":
		return i.ranAs()
	case "COPY", "ADD":
		words := i.Words()
		for n := range words {
			words[n].Text = f.value(words[n].Raw, vars)
		}
		return joined(words)
	case "ENV", "LABEL":
		var parts []string
		for _, p := range i.Pairs() {
			parts = append(parts, p.Name+"="+f.value(p.Raw, vars))
		}
		return blanks(strings.Join(parts, " "))
	case "WORKDIR":
		p := fold(f.value(i.Args, vars), workdir)
		if p == "" {
			p = "/"
		}
		return p
	case "USER", "STOPSIGNAL":
		return blanks(f.value(i.Args, vars))
	case "CMD", "ENTRYPOINT":
		words := i.Exec
		if !i.IsExec {
			words = []string{"/bin/sh", "-c", i.Args}
		}
		quoted := make([]string, len(words))
		for n, w := range words {
			quoted[n] = strconv.Quote(w)
		}
		return blanks("[" + strings.Join(quoted, " ") + "]")
	}
	return blanks(i.Args)
}

func joined(words []Word) string {
	parts := make([]string, len(words))
	for n, w := range words {
		parts[n] = w.Text
	}
	return blanks(strings.Join(parts, " "))
}

// ranAs is the command of a RUN as the history has it: a here-document alone is its text.
func (i *Instruction) ranAs() string {
	switch {
	case i.IsExec:
		return blanks(strings.Join(i.Exec, " "))
	case len(i.Heredocs) == 1 && len(strings.Fields(i.Args)) == 1:
		return blanks(i.Heredocs[0].Body)
	}
	text := i.Args
	for _, h := range i.Heredocs {
		text += "\n" + h.Body + h.Name
	}
	return blanks(text)
}

// Scores of how well a history entry fits an instruction; zero does not.
const (
	fitsExactly = 12
	fitsLoosely = 8
	fitsByPlace = 7 // the destination of a COPY
	fitsByName  = 2
)

func (e *expected) fits(m *made) int {
	if e.i.Name != m.name {
		return 0
	}
	switch m.name {
	case "RUN":
		switch {
		case m.body == e.exact:
			return fitsExactly
		case strings.HasSuffix(m.body, " "+e.exact):
			if isShellPrefix(m.body[:len(m.body)-len(e.exact)-1]) {
				return fitsExactly
			}
		}
		return 0
	case "COPY", "ADD":
		switch {
		case m.copied && matches(e.destination, strings.TrimSuffix(m.body, "/")):
			return fitsByPlace
		case m.copied:
			return 0
		case matches(e.exact, m.body):
			return fitsExactly
		case matches(e.loose, m.body):
			return fitsLoosely
		}
		return 0
	case "WORKDIR":
		if matches(e.exact, m.body) {
			return fitsExactly
		} else if matches(e.loose, m.body) {
			return fitsLoosely
		}
		return 0
	}
	switch {
	case matches(e.exact, m.body):
		return fitsExactly
	case matches(e.loose, m.body):
		return fitsLoosely
	}
	return fitsByName
}

// isShellPrefix reports whether text is a shell and its options, up to the command.
func isShellPrefix(text string) bool {
	words := strings.Fields(text)
	last := words[len(words)-1]
	return len(words) <= 12 && (strings.EqualFold(last, "-c") || strings.EqualFold(last, "/c") || strings.HasSuffix(last, "c") && strings.HasPrefix(last, "-") || strings.EqualFold(last, "-command"))
}

// matches holds a text against a pattern with anything in it.
func matches(pattern, s string) bool {
	parts := strings.Split(pattern, anything)
	if len(parts) == 1 {
		return pattern == s
	}
	last := parts[len(parts)-1]
	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return len(rest) >= len(last) && strings.HasSuffix(rest, last)
}
