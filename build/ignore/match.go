package ignore

import (
	"fmt"
	"regexp"
	"strings"

	packageurl "github.com/package-url/packageurl-go"
)

// pathGlob is a compiled glob over paths. Go's regular expressions take linear time.
type pathGlob struct{ re *regexp.Regexp }

const maxGlob = 4096

// compileGlob reads a glob as the tools whose files are read here do: * and ? stay within a
// folder, ** does not, [a-z] and {a,b} are alternatives. A pattern that ends in / covers the
// folder.
func compileGlob(pattern string) (pathGlob, error) {
	if pattern == "" || len(pattern) > maxGlob {
		return pathGlob{}, fmt.Errorf("a path pattern must have 1 to %d bytes", maxGlob)
	}
	p := strings.TrimPrefix(strings.TrimPrefix(pattern, "./"), "/")
	if strings.HasSuffix(p, "/") {
		p += "**"
	}
	var b strings.Builder
	b.WriteString(`^(?s:`)
	braces := 0
	for i := 0; i < len(p); {
		switch c := p[i]; {
		case strings.HasPrefix(p[i:], "**/"):
			b.WriteString(`(?:.*/)?`)
			i += 3
			continue
		case strings.HasPrefix(p[i:], "**"):
			b.WriteString(`.*`)
			i += 2
			continue
		case c == '*':
			b.WriteString(`[^/]*`)
		case c == '?':
			b.WriteString(`[^/]`)
		case c == '{':
			braces++
			b.WriteString(`(?:`)
		case c == '}' && braces > 0:
			braces--
			b.WriteString(`)`)
		case c == ',' && braces > 0:
			b.WriteString(`|`)
		case c == '[':
			end := strings.IndexByte(p[i:], ']')
			if end < 2 {
				return pathGlob{}, fmt.Errorf("path pattern %q: [ without ]", pattern)
			}
			class := strings.ReplaceAll(p[i+1:i+end], `\`, `\\`)
			if class[0] == '!' {
				class = "^" + class[1:]
			}
			b.WriteString("[" + strings.ReplaceAll(class, "[", `\[`) + "]")
			i += end
		case c == '\\' && i+1 < len(p):
			i++
			b.WriteString(regexp.QuoteMeta(p[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(p[i : i+1]))
		}
		i++
	}
	b.WriteString(`)$`)
	re, err := regexp.Compile(b.String())
	if err != nil {
		return pathGlob{}, fmt.Errorf("path pattern %q is not one: %w", pattern, err)
	}
	return pathGlob{re}, nil
}

// match also covers what is nested in an archive: outer.jar covers outer.jar!inner.jar.
func (g pathGlob) match(path string) bool {
	path = strings.TrimPrefix(path, "/")
	if g.re.MatchString(path) {
		return true
	}
	outer, _, nested := strings.Cut(path, "!")
	return nested && g.re.MatchString(outer)
}

// matchPURL holds a package's URL against one of an entry: what the entry leaves out covers
// everything (version, qualifiers).
func matchPURL(pattern, purl string) bool {
	if pattern == purl {
		return true
	}
	want, err := packageurl.FromString(pattern)
	if err != nil {
		return false
	}
	have, err := packageurl.FromString(purl)
	if err != nil || want.Type != have.Type || want.Namespace != have.Namespace || want.Name != have.Name ||
		want.Version != "" && want.Version != have.Version || want.Subpath != "" && want.Subpath != have.Subpath {
		return false
	}
	qualifiers := have.Qualifiers.Map()
	for key, value := range want.Qualifiers.Map() {
		if qualifiers[key] != value {
			return false
		}
	}
	return true
}
