package dockerfile

import (
	"strings"

	"github.com/triad-security/triad"
)

// variable is an ARG or ENV in scope.
type variable struct {
	value string
	known bool // its value is in the file; an ARG without a default comes with the build
}

// maxExpanded bytes of a value with its variables put in: ENV a=$a$a doubles at each line.
const maxExpanded = 16 << 10

// expand puts variables in as a builder does: $name, ${name}, ${name:-default},
// ${name:+other} and the forms that cut prefixes and suffixes. Where a value is not known
// the variable stays as written, and whole is false. Single quotes keep what is in them.
func expand(text string, escape byte, value func(name string) (string, bool)) (out string, whole bool) {
	return expandDepth(text, escape, value, 0)
}

const maxNesting = 8

func expandDepth(text string, escape byte, value func(string) (string, bool), depth int) (string, bool) {
	var b strings.Builder
	whole, quote := true, byte(0)
	for n := 0; n < len(text); n++ {
		c := text[n]
		if b.Len() > maxExpanded {
			return b.String()[:maxExpanded], false
		}
		switch {
		case c == escape && n+1 < len(text) && quote != '\'':
			n++
			b.WriteByte(text[n])
		case c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == '$' && quote != '\'' && n+1 < len(text):
			size, got, ok := variableAt(text[n:], escape, value, depth)
			if size == 0 {
				b.WriteByte(c)
				continue
			}
			b.WriteString(got)
			whole = whole && ok
			n += size - 1
		default:
			b.WriteByte(c)
		}
	}
	if b.Len() > maxExpanded {
		return b.String()[:maxExpanded], false
	}
	return b.String(), whole
}

func nameLength(s string) int {
	n := 0
	for n < len(s) && (s[n] == '_' || s[n] >= 'a' && s[n] <= 'z' || s[n] >= 'A' && s[n] <= 'Z' || n > 0 && s[n] >= '0' && s[n] <= '9') {
		n++
	}
	return n
}

// variableAt reads the variable that text begins with; size is zero where it is none.
func variableAt(text string, escape byte, value func(string) (string, bool), depth int) (size int, out string, whole bool) {
	if text[1] != '{' {
		n := nameLength(text[1:])
		if n == 0 {
			return 0, "", true
		}
		if v, ok := value(text[1 : 1+n]); ok {
			return 1 + n, v, true
		}
		return 1 + n, text[:1+n], false
	}
	end := closing(text)
	n := nameLength(text[2:])
	if end < 0 || n == 0 || depth >= maxNesting {
		return 0, "", true
	}
	v, known := value(text[2 : 2+n])
	op := text[2+n : end]
	size = end + 1
	switch {
	case op == "":
		out, whole = v, known
	case strings.HasPrefix(op, ":-"), strings.HasPrefix(op, "-"):
		if out, whole = v, known; v == "" && (!known || op[0] == ':') {
			out, whole = expandDepth(strings.TrimPrefix(op, ":")[1:], escape, value, depth+1)
		}
	case strings.HasPrefix(op, ":+"), strings.HasPrefix(op, "+"):
		if whole = true; v != "" || known && op[0] != ':' {
			out, whole = expandDepth(strings.TrimPrefix(op, ":")[1:], escape, value, depth+1)
		}
	case strings.HasPrefix(op, ":?"), strings.HasPrefix(op, "?"):
		out, whole = v, known
	case strings.HasPrefix(op, "#"), strings.HasPrefix(op, "%"), strings.HasPrefix(op, "/"):
		if out, whole = cutPattern(v, op), known; strings.ContainsAny(op, "$[\\") {
			whole = false
		}
	default:
		return 0, "", true
	}
	if !whole && out == "" {
		out = text[:size]
	}
	return size, out, whole
}

// closing finds the brace that ends ${…}.
func closing(text string) int {
	depth := 0
	for n := 1; n < len(text); n++ {
		switch text[n] {
		case '\\':
			n++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return n
			}
		}
	}
	return -1
}

// cutPattern applies #, ##, %, %%, / and //, whose patterns know * and ?.
func cutPattern(v, op string) string {
	switch {
	case strings.HasPrefix(op, "#"):
		pattern, greedy := strings.CutPrefix(op[1:], "#")
		for n := range len(v) + 1 {
			if greedy {
				n = len(v) - n
			}
			if triad.MatchPattern(pattern, v[:n]) {
				return v[n:]
			}
		}
	case strings.HasPrefix(op, "%"):
		pattern, greedy := strings.CutPrefix(op[1:], "%")
		for n := range len(v) + 1 {
			if !greedy {
				n = len(v) - n
			}
			if triad.MatchPattern(pattern, v[n:]) {
				return v[:n]
			}
		}
	default:
		old, replaced, _ := strings.Cut(strings.TrimPrefix(op[1:], "/"), "/")
		if strings.HasPrefix(op, "//") {
			return strings.ReplaceAll(v, old, replaced)
		}
		return strings.Replace(v, old, replaced, 1)
	}
	return v
}

// scope is what the variables are at a place of a stage.
type scope map[string]variable

func (s scope) lookup(name string) (string, bool) {
	v := s[name]
	return v.value, v.known
}

// platformArgs are set by the builder for every build
// (https://docs.docker.com/reference/dockerfile/#automatic-platform-args-in-the-global-scope).
var platformArgs = []string{"TARGETPLATFORM", "TARGETOS", "TARGETARCH", "TARGETVARIANT", "BUILDPLATFORM", "BUILDOS", "BUILDARCH", "BUILDVARIANT"}

// proxyArgs need no ARG.
var proxyArgs = []string{"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"}

func globalArgs(args []*Instruction, escape byte) map[string]variable {
	global := scope{}
	for _, name := range platformArgs {
		global[name] = variable{}
	}
	for _, i := range args {
		global.arg(i, nil, escape)
	}
	return global
}

// arg adds an ARG; one without a default takes the global one's.
func (s scope) arg(i *Instruction, global scope, escape byte) {
	for _, p := range i.Pairs() {
		switch {
		case p.HasValue:
			v, whole := expand(p.Raw, escape, s.lookup)
			s[p.Name] = variable{v, whole}
		default:
			s[p.Name] = global[p.Name]
		}
	}
}

// apply adds what an instruction declares. An ENV wins over an ARG of its name
// (https://docs.docker.com/reference/dockerfile/#using-arg-variables); env notes which are.
func (s scope) apply(i *Instruction, global scope, env map[string]bool, escape byte) {
	switch i.Name {
	case "ENV":
		before := make(scope, len(s))
		for k, v := range s {
			before[k] = v
		}
		for _, p := range i.Pairs() {
			v, whole := expand(p.Raw, escape, before.lookup)
			s[p.Name] = variable{v, whole}
			env[p.Name] = true
		}
	case "ARG":
		kept := map[string]variable{}
		for _, p := range i.Pairs() {
			if env[p.Name] {
				kept[p.Name] = s[p.Name]
			}
		}
		s.arg(i, global, escape)
		for name, v := range kept {
			s[name] = v
		}
	}
}
