package dockerfile

import (
	"path"
	"slices"
	"sort"
	"strings"
)

// Bounds of shell text: nesting of $(…), and commands of one instruction.
const (
	maxSubshell = 16
	maxCommands = 4096
)

// Command is one simple command of shell text.
type Command struct {
	// Words are the program and its arguments, without assignments and redirections.
	Words []Word
	// Env are the assignments before it.
	Env []Word
	// Redirects are the words of its redirections: ">/etc/x".
	Redirects []Word
	// Before is the operator that it follows: "", "&&", "||", ";", "|", "&".
	Before string
	// Group tells the pipelines of one text apart.
	Group  int
	script *script
}

// script is shell text and where it stands in the file.
type script struct {
	text string
	line func(at int) int
	byte func(at int) int // -1 where the text does not stand in the file as it is
}

// Line is where the command begins.
func (c *Command) Line() int {
	switch {
	case len(c.Words) > 0:
		return c.script.line(c.Words[0].At)
	case len(c.Env) > 0:
		return c.script.line(c.Env[0].At)
	}
	return c.script.line(0)
}

// LineOf is where a word of the command stands.
func (c *Command) LineOf(w Word) int { return c.script.line(w.At) }

// ByteOf is the place of a word in the file; -1 where it does not stand there as it is.
func (c *Command) ByteOf(w Word) int { return c.script.byte(w.At) }

// wrappers run the program that follows them.
var wrappers = map[string]bool{"sudo": true, "exec": true, "command": true, "time": true, "nice": true, "nohup": true, "env": true, "eatmydata": true, "gosu": true}

// Program is the name of what is run, without its folder, through sudo, env and the like;
// Args are its arguments.
func (c *Command) Program() (name string, args []Word) {
	words := c.Words
	for len(words) > 0 {
		name = path.Base(words[0].Text)
		words = words[1:]
		if !wrappers[name] {
			return name, words
		}
		wrapper := name
		for len(words) > 0 && (strings.HasPrefix(words[0].Text, "-") || strings.Contains(words[0].Text, "=")) {
			takes := wrapper == "sudo" && slices.Contains([]string{"-u", "-g", "-h"}, words[0].Text)
			words = words[1:]
			if takes && len(words) > 0 {
				words = words[1:]
			}
		}
		if wrapper == "gosu" && len(words) > 0 {
			words = words[1:]
		}
	}
	return name, nil
}

// Runs reports whether the command runs a program by one of these names.
func (c *Command) Runs(names ...string) bool {
	name, _ := c.Program()
	return slices.Contains(names, name)
}

// Has reports whether one of these words is an argument; "-y" is also found in "-qy".
func (c *Command) Has(words ...string) bool {
	_, args := c.Program()
	for _, a := range args {
		for _, w := range words {
			if a.Text == w || strings.HasPrefix(w, "--") && strings.HasPrefix(a.Text, w+"=") {
				return true
			}
			if len(w) == 2 && w[0] == '-' && len(a.Text) > 2 && a.Text[0] == '-' && a.Text[1] != '-' && isLetters(a.Text[1:]) && strings.IndexByte(a.Text, w[1]) > 0 {
				return true
			}
		}
	}
	return false
}

func isLetters(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// Commands are those of a RUN, CMD, ENTRYPOINT or HEALTHCHECK, in its here-documents too.
func (i *Instruction) Commands() []Command {
	if i.read {
		return i.commands
	}
	var all []Command
	for _, s := range i.scripts() {
		p := shellParser{script: s, text: s.text}
		p.run(0, len(s.text), 0)
		for _, c := range p.commands {
			if len(all) < maxCommands {
				all = append(all, c)
			}
		}
	}
	i.commands, i.read = all, true
	return all
}

func (i *Instruction) scripts() []*script {
	if i.IsExec {
		return i.execScripts()
	}
	args, at := i.Args, 0
	if i.Name == "HEALTHCHECK" {
		rest, ok := cutWord(args, "CMD")
		if !ok {
			return nil
		}
		at = len(args) - len(rest)
	}
	shell := &script{text: args[at:], line: func(n int) int { return i.Line(at + n) }, byte: func(n int) int { return i.Byte(at + n) }}
	if len(i.Heredocs) == 0 {
		return []*script{shell}
	}
	program := strings.Fields(args)
	isShell := len(program) == 1
	if len(program) > 1 {
		switch path.Base(program[0]) {
		case "sh", "bash", "ash", "dash", "ksh", "zsh":
			isShell = true
		}
	}
	scripts := []*script{shell}
	if len(program) == 1 {
		scripts = nil
	}
	for _, h := range i.Heredocs {
		first, _, _ := strings.Cut(h.Body, "\n")
		if !isShell || strings.HasPrefix(first, "#!") && !strings.Contains(first, "sh") {
			continue
		}
		var ends []int
		for n := range len(h.Body) {
			if h.Body[n] == '\n' {
				ends = append(ends, n)
			}
		}
		scripts = append(scripts, &script{
			text: h.Body,
			line: func(n int) int { return h.Line + sort.SearchInts(ends, n) },
			byte: func(n int) int {
				if h.Strip {
					return -1
				}
				return h.byte + n
			},
		})
	}
	return scripts
}

func (i *Instruction) execScripts() []*script {
	var text string
	if len(i.Exec) > 2 && (i.Exec[1] == "-c" || i.Exec[1] == "-ec" || i.Exec[1] == "-lc" || i.Exec[1] == "-exc") {
		text = i.Exec[2]
	} else {
		quoted := make([]string, len(i.Exec))
		for n, w := range i.Exec {
			if quoted[n] = w; w == "" || strings.ContainsAny(w, " \t\n;&|()<>#'\"\\$`") {
				quoted[n] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
			}
		}
		text = strings.Join(quoted, " ")
	}
	return []*script{{text: text, line: func(int) int { return i.Start }, byte: func(int) int { return -1 }}}
}

// shellParser splits text into simple commands. It knows quotes, operators, comments and
// $(…); it does not run anything.
type shellParser struct {
	script   *script
	text     string
	commands []Command
	group    int
}

// reserved words that stand where a command would begin.
var reserved = map[string]bool{"if": true, "then": true, "else": true, "elif": true, "fi": true, "do": true, "done": true, "while": true, "until": true, "!": true, "{": true, "}": true, "time": true, "(": true, ")": true}

func (p *shellParser) run(at, end, depth int) {
	cmd := Command{script: p.script, Group: p.group}
	before := ""
	finish := func(operator string) {
		if len(cmd.Words)+len(cmd.Env) > 0 && len(p.commands) < maxCommands {
			cmd.Before = before
			p.commands = append(p.commands, cmd)
			before = operator
		} else if operator != "" && before == "" {
			before = operator
		}
		cmd = Command{script: p.script, Group: p.group}
	}
	for at < end && len(p.commands) < maxCommands {
		switch c := p.text[at]; c {
		case ' ', '\t', '\r':
			at++
		case '\n', ';':
			finish(";")
			at++
		case '&', '|':
			operator := string(c)
			if at+1 < end && p.text[at+1] == c {
				operator += string(c)
			} else if c == '&' && at+1 < end && p.text[at+1] == '>' { // &> redirects both
				at = p.redirect(&cmd, at, end)
				continue
			}
			finish(operator)
			at += len(operator)
		case '(', ')':
			finish(";")
			at++
		case '#':
			for at < end && p.text[at] != '\n' {
				at++
			}
		case '<', '>':
			at = p.redirect(&cmd, at, end)
		default:
			w, next := p.word(at, end, depth)
			if next < end && (p.text[next] == '<' || p.text[next] == '>') && isDigits(w.Raw) {
				at = next // 2>&1
				continue
			}
			at = next
			p.take(&cmd, w)
		}
	}
	finish("")
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// take adds a word to a command: an assignment, a reserved word to leave out, or an argument.
func (p *shellParser) take(cmd *Command, w Word) {
	if len(cmd.Words) == 0 {
		if reserved[w.Raw] {
			return
		}
		if n := nameLength(w.Raw); n > 0 && n < len(w.Raw) && w.Raw[n] == '=' {
			cmd.Env = append(cmd.Env, w)
			return
		}
	}
	cmd.Words = append(cmd.Words, w)
}

func (p *shellParser) redirect(cmd *Command, at, end int) int {
	start := at
	for at < end && strings.IndexByte("<>&|-", p.text[at]) >= 0 {
		at++
	}
	for at < end && (p.text[at] == ' ' || p.text[at] == '\t') {
		at++
	}
	if at >= end || strings.IndexByte("\n;|&()<>", p.text[at]) >= 0 {
		return at
	}
	w, next := p.word(at, end, maxSubshell)
	w.Text = strings.TrimSpace(p.text[start:at]) + w.Text
	cmd.Redirects = append(cmd.Redirects, w)
	return next
}

// word reads a word; the commands of $(…) and `…` in it are read too.
func (p *shellParser) word(at, end, depth int) (Word, int) {
	w := Word{At: at, Literal: true}
	var out strings.Builder
	quote := byte(0)
loop:
	for at < end {
		c := p.text[at]
		switch {
		case quote == '\'' && c != '\'':
			out.WriteByte(c)
		case c == '\\' && at+1 < end:
			at++
			out.WriteByte(p.text[at])
		case c == '$' && at+1 < end && p.text[at+1] == '(':
			w.Literal = false
			next := p.substitution(at+1, end, depth)
			out.WriteString(p.text[at:next])
			at = next
			continue
		case c == '`':
			w.Literal = false
			next := at + 1
			for next < end && p.text[next] != '`' {
				next++
			}
			if depth < maxSubshell {
				p.inner(at+1, next, depth)
			}
			next = min(next+1, end)
			out.WriteString(p.text[at:next])
			at = next
			continue
		case c == '$' && at+1 < end && p.text[at+1] == '{':
			w.Literal = false
			next := at
			if n := closing(p.text[at:end]); n > 0 {
				next = at + n
			}
			out.WriteString(p.text[at : next+1])
			at = next
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote:
			quote = 0
		case quote == 0 && strings.IndexByte(" \t\r\n;&|()<>", c) >= 0:
			break loop
		default:
			if c == '$' {
				w.Literal = false
			}
			out.WriteByte(c)
		}
		at++
	}
	w.Raw, w.Text = p.text[w.At:at], out.String()
	return w, at
}

// substitution reads $(…) from its parenthesis and returns what follows it.
func (p *shellParser) substitution(at, end, depth int) int {
	start := at + 1
	level, quote := 0, byte(0)
	for ; at < end; at++ {
		c := p.text[at]
		switch {
		case c == '\\' && quote != '\'':
			at++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '(':
			level++
		case c == ')':
			if level--; level == 0 {
				if depth < maxSubshell && !strings.HasPrefix(p.text[start:], "(") { // $((…)) is arithmetic
					p.inner(start, at, depth)
				}
				return at + 1
			}
		}
	}
	return end
}

// inner reads the commands of a substitution as pipelines of their own.
func (p *shellParser) inner(at, end, depth int) {
	outer := p.group
	p.group = len(p.commands) + 1_000_000*(depth+1)
	p.run(at, end, depth+1)
	p.group = outer
}
