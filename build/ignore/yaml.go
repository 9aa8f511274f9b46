package ignore

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	packageurl "github.com/package-url/packageurl-go"
	"go.yaml.in/yaml/v3"

	"github.com/triad-security/triad"
)

// parse reads one YAML document as nodes: they know their lines, and aliases in them are
// not expanded. nil for an empty file.
func parse(name string, data []byte) (*yaml.Node, error) {
	var doc yaml.Node
	err := yaml.NewDecoder(strings.NewReader(string(data))).Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		return nil, nil //nolint:nilnil // an empty file ignores nothing
	}
	if err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "%s is not YAML: %w", name, err)
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil //nolint:nilnil // only comments
	}
	return root, nil
}

// fields calls do for each key of a mapping.
func fields(name string, n *yaml.Node, do func(key string, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return invalid(name, n, "here must be keys and values")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if err := do(n.Content[i].Value, n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func invalid(name string, n *yaml.Node, format string, args ...any) error {
	return triad.Errorf(triad.CodeInvalid, "%s:%d: %s", name, n.Line, fmt.Sprintf(format, args...))
}

func text(name, key string, n *yaml.Node) (string, error) {
	if n.Kind != yaml.ScalarNode {
		return "", invalid(name, n, "%s must be text", key)
	}
	return strings.TrimSpace(n.Value), nil
}

func texts(name, key string, n *yaml.Node) ([]string, error) {
	if n.Kind == yaml.ScalarNode {
		return []string{strings.TrimSpace(n.Value)}, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, invalid(name, n, "%s must be a list", key)
	}
	var all []string
	for _, e := range n.Content {
		s, err := text(name, key, e)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// date reads a day or a moment. A day of ours is good until its end, of Trivy's until its
// beginning: both in UTC.
func date(name, key string, n *yaml.Node, wholeDay bool) (*time.Time, error) {
	s, err := text(name, key, n)
	if err != nil {
		return nil, err
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		if wholeDay {
			t = t.AddDate(0, 0, 1).Add(-time.Second)
		}
		return &t, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return nil, invalid(name, n, "%s: %q is no date; write 2027-01-31", key, s)
	}
	return &t, nil
}

var findingKinds = []triad.FindingKind{
	triad.FindingVulnerability, triad.FindingMalware, triad.FindingSecret, triad.FindingCode, triad.FindingMisconfiguration, triad.FindingCompliance,
}

// triad reads our own file: a list of entries, or one under the key "ignore".
func (l *List) triad(name string, data []byte) error {
	root, err := parse(name, data)
	if err != nil || root == nil {
		return err
	}
	if root.Kind == yaml.MappingNode {
		var list *yaml.Node
		err := fields(name, root, func(key string, value *yaml.Node) error {
			if key != "ignore" {
				return invalid(name, value, "unknown key %q; the entries stand under ignore", key)
			}
			list = value
			return nil
		})
		if err != nil {
			return err
		}
		root = list
	}
	if root == nil || root.Kind != yaml.SequenceNode {
		return triad.Errorf(triad.CodeInvalid, "%s: must be a list of entries, each with id and reason", name)
	}
	for _, n := range root.Content {
		e, err := l.entry(name, n)
		if err != nil {
			return err
		}
		if err := l.add(e); err != nil {
			return err
		}
	}
	return nil
}

func (l *List) entry(name string, n *yaml.Node) (*Entry, error) {
	e := &Entry{Source: fmt.Sprintf("%s:%d", name, n.Line)}
	err := fields(name, n, func(key string, value *yaml.Node) (err error) {
		switch key {
		case "id":
			e.ID, err = text(name, key, value)
		case "kind":
			var kind string
			kind, err = text(name, key, value)
			if e.Kind = triad.FindingKind(kind); err == nil && !slices.Contains(findingKinds, e.Kind) {
				err = invalid(name, value, "kind %q is none of %v", kind, findingKinds)
			}
		case "package":
			e.Package, err = text(name, key, value)
		case "version":
			e.Version, err = text(name, key, value)
		case "purl":
			if e.PURL, err = text(name, key, value); err == nil {
				if _, bad := packageurl.FromString(e.PURL); bad != nil {
					err = invalid(name, value, "purl: %v", bad)
				}
			}
		case "path", "paths":
			var paths []string
			paths, err = texts(name, key, value)
			e.Paths = append(e.Paths, paths...)
		case "reason":
			e.Reason, err = text(name, key, value)
		case "owner":
			e.Owner, err = text(name, key, value)
		case "expires":
			e.Expires, err = date(name, key, value, true)
		default:
			err = invalid(name, value, "unknown field %q; there are id, kind, package, version, purl, path, reason, owner, expires", key)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case e.ID == "":
		return nil, invalid(name, n, "an entry needs the id of an advisory or rule")
	case strings.Trim(e.ID, "*?") == "" && e.Package == "" && e.PURL == "" && len(e.Paths) == 0:
		return nil, invalid(name, n, "id %q covers everything; add package, purl or path", e.ID)
	case e.Reason == "":
		return nil, invalid(name, n, "%s needs a reason", e.ID)
	case e.Expires == nil:
		l.warn(e.Source, "%s has no expires: it is accepted for ever", e.ID)
	}
	return e, nil
}
