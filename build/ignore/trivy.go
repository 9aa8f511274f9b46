package ignore

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"time"

	packageurl "github.com/package-url/packageurl-go"
	"go.yaml.in/yaml/v3"

	"github.com/triad-security/triad"
)

// trivy reads a .trivyignore: an ID on each line, maybe with exp:2027-01-31. The comment on
// the line or right above it is taken for the reason.
func (l *List) trivy(name string, data []byte) error {
	scanner := bufio.NewScanner(bytes.NewReader(data))
	scanner.Buffer(nil, 1<<20)
	var above []string
	for n := 1; scanner.Scan(); n++ {
		row, comment, _ := strings.Cut(scanner.Text(), "#")
		comment = strings.TrimSpace(comment)
		words := strings.Fields(row)
		if len(words) == 0 {
			if comment == "" {
				above = nil // an empty line ends a comment
			} else {
				above = append(above, comment)
			}
			continue
		}
		e := &Entry{ID: words[0], Reason: comment, Source: fmt.Sprintf("%s:%d", name, n)}
		if e.Reason == "" {
			e.Reason = strings.Join(above, " ")
		}
		if e.Reason == "" {
			e.Reason = "listed without a reason"
		}
		good := true
		for _, word := range words[1:] {
			day, ok := strings.CutPrefix(word, "exp:")
			at, err := time.Parse(time.DateOnly, day)
			if !ok || err != nil {
				l.warn(e.Source, "%q is not understood, so that %s is not ignored; write exp:2027-01-31", word, e.ID)
				good = false
				break
			}
			e.Expires = &at
		}
		if strings.Trim(e.ID, "*?") == "" {
			l.warn(e.Source, "%q would cover everything and is not used", e.ID)
			good = false
		}
		if !good {
			continue
		}
		if err := l.add(e); err != nil {
			return err
		}
	}
	if err := scanner.Err(); err != nil {
		return triad.Errorf(triad.CodeInvalid, "reading %s: %w", name, err)
	}
	return nil
}

var trivySections = map[string]triad.FindingKind{
	"vulnerabilities": triad.FindingVulnerability, "misconfigurations": triad.FindingMisconfiguration, "secrets": triad.FindingSecret,
}

// trivyYAML reads a .trivyignore.yaml. Licenses are not looked for here and are passed over.
func (l *List) trivyYAML(name string, data []byte) error {
	root, err := parse(name, data)
	if err != nil || root == nil {
		return err
	}
	return fields(name, root, func(section string, list *yaml.Node) error {
		kind, ok := trivySections[section]
		if !ok {
			l.warn(fmt.Sprintf("%s:%d", name, list.Line), "%q is not understood; its entries are not used", section)
			return nil
		}
		if list.Kind == yaml.ScalarNode && list.Tag == "!!null" {
			return nil
		}
		if list.Kind != yaml.SequenceNode {
			return invalid(name, list, "%s must be a list", section)
		}
		for _, n := range list.Content {
			all, err := l.trivyEntry(name, n, kind)
			if err != nil {
				return err
			}
			for _, e := range all {
				if err := l.add(e); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// trivyEntry makes an entry for each of the package URLs, or one.
func (l *List) trivyEntry(name string, n *yaml.Node, kind triad.FindingKind) ([]*Entry, error) {
	e := Entry{Kind: kind, Source: fmt.Sprintf("%s:%d", name, n.Line)}
	var purls []string
	var unknown string
	err := fields(name, n, func(key string, value *yaml.Node) (err error) {
		switch key {
		case "id":
			e.ID, err = text(name, key, value)
		case "paths":
			e.Paths, err = texts(name, key, value)
		case "purls":
			purls, err = texts(name, key, value)
		case "expired_at":
			e.Expires, err = date(name, key, value, false)
		case "statement":
			e.Reason, err = text(name, key, value)
		default:
			unknown = key
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case e.ID == "":
		return nil, invalid(name, n, "an entry needs an id")
	case unknown != "":
		l.warn(e.Source, "the field %q of %s is not understood, so that the entry is not used", unknown, e.ID)
		return nil, nil
	case e.Reason == "":
		e.Reason = "listed without a statement"
	}
	if len(purls) == 0 {
		return []*Entry{&e}, nil
	}
	var all []*Entry
	for _, p := range purls {
		if _, err := packageurl.FromString(p); err != nil {
			return nil, invalid(name, n, "purls: %v", err)
		}
		one := e
		one.PURL = p
		all = append(all, &one)
	}
	return all, nil
}
