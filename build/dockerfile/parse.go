package dockerfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of a Dockerfile. The largest that generators write have some thousand lines.
const (
	MaxBytes = 1 << 20
	maxLines = 20_000
	// maxStages; real files have some dozens.
	maxStages = 1000
	// maxHeredocs of one instruction.
	maxHeredocs = 64
	maxProblems = 100
)

// ErrNot says that something is no Dockerfile.
var ErrNot = errors.New("not a Dockerfile")

// known instructions (https://docs.docker.com/reference/dockerfile/).
var known = map[string]bool{
	"ADD": true, "ARG": true, "CMD": true, "COPY": true, "ENTRYPOINT": true, "ENV": true, "EXPOSE": true, "FROM": true,
	"HEALTHCHECK": true, "LABEL": true, "MAINTAINER": true, "ONBUILD": true, "RUN": true, "SHELL": true, "STOPSIGNAL": true,
	"USER": true, "VOLUME": true, "WORKDIR": true,
}

// Instructions that take options, and those that have here-documents.
var (
	flagged    = map[string]bool{"ADD": true, "COPY": true, "FROM": true, "HEALTHCHECK": true, "RUN": true}
	documented = map[string]bool{"ADD": true, "COPY": true, "RUN": true}
	execForm   = map[string]bool{"ADD": true, "CMD": true, "COPY": true, "ENTRYPOINT": true, "RUN": true, "SHELL": true, "VOLUME": true}
)

// Parse reads a Dockerfile. What a builder would refuse stands in Problems; an error means
// that it is too large, or no text at all.
func Parse(path string, data []byte) (*File, error) {
	switch {
	case len(data) > MaxBytes:
		return nil, fmt.Errorf("%s: %d bytes; a Dockerfile is read up to %d", path, len(data), MaxBytes)
	case strings.IndexByte(string(data), 0) >= 0 || !utf8.Valid(data):
		return nil, fmt.Errorf("%s: %w: it is no UTF-8 text", path, ErrNot)
	}
	p := &parser{f: &File{Path: path, escape: '\\', text: string(data)}}
	p.split()
	if len(p.lines) > maxLines {
		return nil, fmt.Errorf("%s: %d lines; a Dockerfile is read up to %d", path, len(p.lines), maxLines)
	}
	p.directives()
	for p.at < len(p.lines) {
		p.next()
	}
	if p.f.stages(); len(p.f.Stages) > maxStages {
		return nil, fmt.Errorf("%s: more than the %d stages that are read", path, maxStages)
	}
	return p.f, nil
}

type line struct {
	text string // without its end
	byte int    // where it starts in the file
}

type parser struct {
	f     *File
	lines []line
	at    int // the next line
}

func (p *parser) split() {
	text, start := p.f.text, 0
	if strings.HasPrefix(text, "\ufeff") {
		start = len("\ufeff")
	}
	for start < len(text) {
		n := strings.IndexByte(text[start:], '\n')
		if n < 0 {
			n = len(text) - start
		}
		p.lines = append(p.lines, line{strings.TrimSuffix(text[start:start+n], "\r"), start})
		start += n + 1
	}
}

func (p *parser) problem(line int, format string, args ...any) {
	if len(p.f.Problems) < maxProblems {
		p.f.Problems = append(p.f.Problems, Problem{line, fmt.Sprintf(format, args...)})
	}
}

// directives are comments of the form "# name=value" before anything else.
func (p *parser) directives() {
	for n, l := range p.lines {
		comment, ok := strings.CutPrefix(strings.TrimSpace(l.text), "#")
		name, value, pair := strings.Cut(comment, "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if !ok || !pair || name == "" || strings.ContainsAny(name, " \t:") {
			return
		}
		switch name {
		case "escape":
			if value != "\\" && value != "`" {
				p.problem(n+1, "escape %q: give \\ or `", clip(value))
				continue
			}
			p.f.escape = value[0]
		case "syntax":
			p.f.Syntax = value
		case "check":
		default:
			return
		}
	}
}

func isComment(text string) bool { return strings.HasPrefix(strings.TrimLeft(text, " \t"), "#") }

// continued takes the continuation off a line: the escape character, not itself escaped, at
// the end before blanks.
func (p *parser) continued(text string) (string, bool) {
	t := strings.TrimRight(text, " \t")
	n := len(t) - 1
	if n < 0 || t[n] != p.f.escape || n > 0 && t[n-1] == p.f.escape {
		return text, false
	}
	return t[:n], true
}

// next reads a comment, an empty line or a whole instruction.
func (p *parser) next() {
	first := p.at
	l := p.lines[p.at]
	p.at++
	if isComment(l.text) {
		p.f.comment(first+1, l.text)
		return
	}
	text := strings.TrimLeft(l.text, " \t")
	start := l.byte + len(l.text) - len(text)
	text, more := p.continued(text)
	if strings.TrimSpace(text) == "" && !more {
		return
	}
	b := &builder{}
	b.add(text, first+1, start)
	end := first + 1
	for more && p.at < len(p.lines) {
		l := p.lines[p.at]
		p.at++
		switch {
		case isComment(l.text):
			p.f.comment(p.at, l.text)
			continue
		case strings.TrimSpace(l.text) == "":
			if p.f.emptyLine == 0 {
				p.f.emptyLine = p.at
			}
			continue
		}
		end = p.at
		text, more = p.continued(l.text)
		b.add(text, p.at, l.byte)
	}
	if strings.TrimSpace(b.text.String()) == "" {
		return
	}
	i := p.instruction(b.text.String(), b.marks, 0)
	if i == nil {
		return
	}
	i.End = end
	p.heredocs(i)
	p.f.Instructions = append(p.f.Instructions, i)
}

// builder joins the lines of an instruction and remembers where they stood.
type builder struct {
	text  strings.Builder
	marks []mark
}

func (b *builder) add(text string, line, at int) {
	b.marks = append(b.marks, mark{b.text.Len(), line, at})
	b.text.WriteString(text)
}

// instruction takes one apart: keyword, options, arguments.
func (p *parser) instruction(text string, marks []mark, depth int) *Instruction {
	trimmed := strings.TrimLeft(text, " \t")
	skipped := len(text) - len(trimmed)
	n := strings.IndexAny(trimmed, " \t")
	if n < 0 {
		n = len(trimmed)
	}
	i := &Instruction{Keyword: trimmed[:n], Name: strings.ToUpper(trimmed[:n]), marks: marks}
	i.Start = i.Line(skipped)
	i.End = i.Start
	rest := trimmed[n:]
	at := skipped + n
	if flagged[i.Name] {
		rest, at = i.flags(rest, at, p.f.escape)
	}
	body := strings.TrimLeft(rest, " \t")
	at += len(rest) - len(body)
	i.Args = strings.TrimRight(body, " \t")
	i.marks = shift(marks, at)
	switch {
	case !known[i.Name]:
		p.problem(i.Start, "unknown instruction %s", clip(i.Keyword))
	case i.Args == "":
		p.problem(i.Start, "%s without arguments", i.Name)
	case i.Name == "ONBUILD":
		if depth > 0 {
			p.problem(i.Start, "ONBUILD of ONBUILD")
			break
		}
		i.OnBuild = p.instruction(i.Args, i.marks, depth+1)
		if n := i.OnBuild.Name; n == "FROM" || n == "MAINTAINER" {
			p.problem(i.Start, "ONBUILD of %s", n)
		}
	case execForm[i.Name], i.Name == "HEALTHCHECK":
		i.exec()
	}
	return i
}

// flags takes "--name=value" off the front.
func (i *Instruction) flags(text string, at int, escape byte) (rest string, next int) {
	for {
		t := strings.TrimLeft(text, " \t")
		if !strings.HasPrefix(t, "--") {
			return text, at
		}
		at += len(text) - len(t)
		n, quote := 0, byte(0)
		for ; n < len(t); n++ {
			switch c := t[n]; {
			case c == escape && n+1 < len(t):
				n++
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '"' || c == '\'':
				quote = c
			case c == ' ' || c == '\t':
				goto end
			}
		}
	end:
		n = min(n, len(t))
		if t[:n] == "--" {
			return t[n:], at + n
		}
		name, value, _ := strings.Cut(t[2:n], "=")
		i.Flags = append(i.Flags, Flag{name, strings.Trim(value, `"'`)})
		text, at = t[n:], at+n
	}
}

// exec reads the JSON form: a list of strings and nothing else.
func (i *Instruction) exec() {
	text := i.Args
	if i.Name == "HEALTHCHECK" {
		cmd, ok := cutWord(text, "CMD")
		if !ok {
			return
		}
		text = cmd
	}
	if !strings.HasPrefix(text, "[") {
		return
	}
	var words []string
	if json.Unmarshal([]byte(text), &words) == nil {
		i.Exec, i.IsExec = words, true
	}
}

func cutWord(text, word string) (rest string, ok bool) {
	first, rest, _ := strings.Cut(text, " ")
	return strings.TrimSpace(rest), strings.EqualFold(first, word)
}

// shift moves marks to count from at.
func shift(marks []mark, at int) []mark {
	out := make([]mark, 0, len(marks))
	for n, m := range marks {
		switch {
		case m.at >= at:
			out = append(out, mark{m.at - at, m.line, m.byte})
		case n+1 == len(marks) || marks[n+1].at > at:
			out = append(out, mark{0, m.line, m.byte + at - m.at})
		}
	}
	return out
}

// heredocs reads the here-documents that an instruction begins.
func (p *parser) heredocs(i *Instruction) {
	owner := i
	if i.OnBuild != nil {
		owner = i.OnBuild
	}
	if !documented[owner.Name] || owner.IsExec || !strings.Contains(owner.Args, "<<") {
		return
	}
	for _, w := range splitWords(owner.Args, p.f.escape) {
		h, ok := heredocStart(w.Raw)
		if !ok {
			continue
		}
		if len(owner.Heredocs) >= maxHeredocs {
			p.problem(i.Start, "more than %d here-documents", maxHeredocs)
			break
		}
		var body strings.Builder
		closed := false
		h.Line = p.at + 1
		if p.at < len(p.lines) {
			h.byte = p.lines[p.at].byte
		}
		for p.at < len(p.lines) && !closed {
			text := p.lines[p.at].text
			p.at++
			if h.Strip {
				text = strings.TrimLeft(text, "\t")
			}
			if closed = text == h.Name; !closed {
				body.WriteString(text + "\n")
			}
		}
		if !closed {
			p.problem(i.Start, "the here-document %s has no end", clip(h.Name))
		}
		h.Body = body.String()
		owner.Heredocs = append(owner.Heredocs, h)
	}
	i.End = max(i.End, p.at)
	if len(owner.Heredocs) == 0 {
		i.End = min(i.End, p.at)
	}
	owner.End = i.End
}

// heredocStart reads a word like 3<<-"EOF".
func heredocStart(word string) (h Heredoc, ok bool) {
	word = strings.TrimLeft(word, "0123456789")
	rest, ok := strings.CutPrefix(word, "<<")
	if !ok {
		return h, false
	}
	rest, h.Strip = strings.CutPrefix(rest, "-")
	h.Name, h.Expand = rest, true
	for _, quote := range []string{`"`, `'`} {
		if len(rest) > 2 && strings.HasPrefix(rest, quote) && strings.HasSuffix(rest, quote) {
			h.Name, h.Expand = rest[1:len(rest)-1], false
		}
	}
	return h, h.Name != "" && !strings.ContainsAny(h.Name, "<>|&;()\"'")
}

// stages cuts the instructions at each FROM.
func (f *File) stages() {
	var args map[string]variable
	for _, i := range f.Instructions {
		if i.Name == "FROM" {
			if len(f.Stages) > maxStages {
				return
			}
			if args == nil {
				args = globalArgs(f.Args, f.escape)
			}
			f.Stages = append(f.Stages, f.stage(i, args))
			continue
		}
		if len(f.Stages) == 0 {
			if i.Name == "ARG" {
				f.Args = append(f.Args, i)
			}
			continue
		}
		s := f.Stages[len(f.Stages)-1]
		i.Stage = s
		if i.OnBuild != nil {
			i.OnBuild.Stage = s
		}
		s.Instructions = append(s.Instructions, i)
	}
}

func (f *File) stage(from *Instruction, args map[string]variable) *Stage {
	s := &Stage{Index: len(f.Stages), From: from, Whole: true}
	from.Stage = s
	words := strings.Fields(from.Args)
	if len(words) > 0 {
		s.Image = words[0]
		s.Resolved, s.Whole = expand(words[0], f.escape, func(name string) (string, bool) {
			v := args[name]
			return v.value, v.known
		})
		for _, earlier := range f.Stages {
			if earlier.Name != "" && strings.EqualFold(earlier.Name, s.Resolved) {
				s.Parent = earlier
			}
		}
	}
	s.Platform, _ = from.Flag("platform")
	switch {
	case len(words) == 3 && strings.EqualFold(words[1], "as"):
		s.Name = strings.ToLower(words[2])
	case len(words) > 1:
		f.Problems = append(f.Problems, Problem{from.Start, "FROM takes an image and AS name"})
	}
	return s
}

func itoa(n int) string { return strconv.Itoa(n) }

func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}
