package ignore

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/triad-security/triad"
)

// grypeKeys are the keys of Grype's configuration that change what it reports and are not
// read here, with what to use instead.
var grypeKeys = map[string]string{
	"only-fixed": "--ignore-unfixed", "only-notfixed": "an entry of .triadignore", "exclude": "entries with path in .triadignore",
	"vex-documents": "--vex", "vex-add": "--vex", "fail-on-severity": "--fail-on with --exit-code", "match": "", "search": "",
	"match-upstream-kernel-headers": "", "external-sources": "", "distro": "", "by-cve": "", "ignore-wontfix": "",
}

// grypeLanguages are package URL types by the language that Grype says.
var grypeLanguages = map[string][]string{
	"java": {"maven"}, "javascript": {"npm"}, "go": {"golang"}, "python": {"pypi"}, "ruby": {"gem"}, "rust": {"cargo"}, "php": {"composer"},
	"dotnet": {"nuget"}, "dart": {"pub"}, "elixir": {"hex"}, "erlang": {"hex"}, "swift": {"swift", "cocoapods"}, "haskell": {"hackage"},
	"c++": {"conan"}, "r": {"cran"}, "lua": {"luarocks"},
}

// grypeTypes are package URL types by Grype's package type, where they differ from it.
var grypeTypes = map[string]string{
	"java-archive": "maven", "jenkins-plugin": "maven", "go-module": "golang", "python": "pypi", "rust-crate": "cargo", "php-composer": "composer",
	"php-pecl": "pecl", "dotnet": "nuget", "dart-pub": "pub", "pod": "cocoapods", "hackage": "hackage", "R-package": "cran", "lua-rocks": "luarocks",
}

// grype reads the rules under "ignore" of a .grype.yaml. Aliases of an advisory count, also
// without include-aliases: another tool's ID of the same vulnerability may be ours.
func (l *List) grype(name string, data []byte) error {
	root, err := parse(name, data)
	if err != nil || root == nil {
		return err
	}
	return fields(name, root, func(key string, value *yaml.Node) error {
		source := fmt.Sprintf("%s:%d", name, value.Line)
		if instead, ok := grypeKeys[key]; ok {
			if !empty(value) {
				advice := ""
				if instead != "" {
					advice = "; use " + instead
				}
				l.warn(source, "%q is not read%s", key, advice)
			}
			return nil
		}
		if key != "ignore" || empty(value) {
			return nil // how Grype works and prints is nothing to us
		}
		if value.Kind != yaml.SequenceNode {
			return invalid(name, value, "ignore must be a list")
		}
		for _, n := range value.Content {
			e, unknown, err := grypeRule(name, n)
			switch {
			case err != nil:
				return err
			case len(unknown) > 0:
				slices.Sort(unknown)
				l.warn(e.Source, "not understood: %s; the rule is not used", strings.Join(unknown, ", "))
				continue
			case e.ID == "" && e.Version == "" && len(e.Paths) == 0 && len(e.more) == 0:
				l.warn(e.Source, "the rule would cover everything and is not used")
				continue
			}
			if err := l.add(e); err != nil {
				return err
			}
		}
		return nil
	})
}

func empty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && (n.Tag == "!!null" || n.Value == "" || n.Value == "false") || n.Kind != yaml.ScalarNode && len(n.Content) == 0
}

// grypeRule reads one rule and names the fields in it that are not understood.
func grypeRule(name string, n *yaml.Node) (e *Entry, unknown []string, err error) {
	e = &Entry{Kind: triad.FindingVulnerability, Source: fmt.Sprintf("%s:%d", name, n.Line), Reason: "a rule of Grype's without a reason"}
	err = fields(name, n, func(key string, value *yaml.Node) error {
		if key == "package" {
			return fields(name, value, func(key string, value *yaml.Node) error {
				return e.grypePackage(name, key, value, &unknown)
			})
		}
		s, err := text(name, key, value)
		if err != nil || s == "" {
			return err
		}
		switch key {
		case "vulnerability":
			e.ID = s
		case "include-aliases":
		case "reason":
			e.Reason = s
		case "fix-state":
			switch s {
			case "fixed":
				e.more = append(e.more, func(s *subject) bool { return s.fixed != "" })
			case "not-fixed":
				e.more = append(e.more, func(s *subject) bool { return s.fixed == "" })
			default:
				unknown = append(unknown, "fix-state: "+s)
			}
		case "vex-status":
			e.more = append(e.more, func(f *subject) bool { return f.vex != nil && f.vex.Status == s })
		case "vex-justification":
			e.more = append(e.more, func(f *subject) bool { return f.vex != nil && f.vex.Justification == s })
		default: // namespace, match-type
			unknown = append(unknown, key)
		}
		return nil
	})
	return e, unknown, err
}

func (e *Entry) grypePackage(name, key string, value *yaml.Node, unknown *[]string) error {
	s, err := text(name, key, value)
	if err != nil || s == "" {
		return err
	}
	switch key {
	case "name": // a regular expression over the whole name
		re, err := regexp.Compile("^(?:" + s + ")$")
		if err != nil {
			return invalid(name, value, "package.name: %v", err)
		}
		e.more = append(e.more, func(f *subject) bool {
			_, artifact, _ := strings.Cut(f.pkg, ":") // Maven's group:artifact
			return re.MatchString(f.pkg) || artifact != "" && re.MatchString(artifact)
		})
	case "version":
		e.Version = s
	case "type":
		kind := s
		if other, ok := grypeTypes[s]; ok {
			kind = other
		}
		e.more = append(e.more, func(f *subject) bool { return strings.HasPrefix(f.purl, "pkg:"+kind+"/") })
	case "language":
		types, ok := grypeLanguages[s]
		if !ok {
			*unknown = append(*unknown, "package.language: "+s)
			return nil
		}
		e.more = append(e.more, func(f *subject) bool {
			return slices.ContainsFunc(types, func(t string) bool { return strings.HasPrefix(f.purl, "pkg:"+t+"/") })
		})
	case "location":
		e.Paths = append(e.Paths, s)
	default: // upstream-name
		*unknown = append(*unknown, "package."+key)
	}
	return nil
}
