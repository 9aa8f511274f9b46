package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/triad-security/triad"
)

// Bounds on a file.
const (
	maxFileBytes = 1 << 20
	maxDocuments = 500
	maxYAMLDepth = 40
	maxYAMLNodes = 100_000
)

// file is what one YAML file holds.
type file struct {
	guardrails []*Guardrail
	exceptions []*Exception
	tests      []*Test
}

// readFile reads a file of guardrails, exceptions and tests.
func readFile(path string) (*file, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading guardrails: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return parse(path, data)
}

// parse reads YAML documents, each of which says its kind: guardrail, exception or test.
func parse(path string, data []byte) (*file, error) {
	if len(data) > maxFileBytes {
		return nil, triad.Errorf(triad.CodeInvalid, "%s is larger than %d bytes; split it into several files", path, maxFileBytes)
	}
	out := &file{}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	lines := bytes.Split(data, []byte("\n"))
	for n := 0; ; n++ {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, triad.Errorf(triad.CodeInvalid, "%s: %s", path, yamlError(err))
		}
		if n == maxDocuments {
			return nil, triad.Errorf(triad.CodeInvalid, "%s has more than %d documents; split it into several files", path, maxDocuments)
		}
		if err := bounded(&doc); err != nil {
			return nil, triad.Errorf(triad.CodeInvalid, "%s:%w", path, err)
		}
		if empty(&doc) {
			continue
		}
		if err := out.add(path, doc.Content[0], lines); err != nil {
			return nil, err
		}
	}
}

func empty(doc *yaml.Node) bool {
	return len(doc.Content) == 0 || doc.Content[0].Kind == yaml.ScalarNode && doc.Content[0].Tag == "!!null"
}

// bounded refuses what a file of guardrails has no need of: aliases, depth, size.
func bounded(doc *yaml.Node) error {
	nodes := 0
	var walk func(n *yaml.Node, depth int) error
	walk = func(n *yaml.Node, depth int) error {
		nodes++
		switch {
		case n.Kind == yaml.AliasNode || n.Anchor != "":
			return fmt.Errorf("%d: YAML anchors and aliases are not taken; write the value out", n.Line)
		case depth > maxYAMLDepth:
			return fmt.Errorf("%d: nested deeper than %d", n.Line, maxYAMLDepth)
		case nodes > maxYAMLNodes:
			return fmt.Errorf("%d: more than %d values in one document", n.Line, maxYAMLNodes)
		}
		for _, c := range n.Content {
			if err := walk(c, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(doc, 0)
}

// add decodes one document by its kind.
func (f *file) add(path string, n *yaml.Node, lines [][]byte) error {
	kind := ""
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == "kind" {
				kind = n.Content[i+1].Value
			}
		}
	}
	at := fmt.Sprintf("%s:%d", path, n.Line)
	var err error
	switch kind {
	case "guardrail":
		var g struct {
			Kind      string `yaml:"kind"`
			Guardrail `yaml:",inline"`
		}
		if err = strict(n, &g); err == nil {
			g.Source = at
			if err = g.compile(path, lines); err == nil {
				f.guardrails = append(f.guardrails, &g.Guardrail)
			}
			return err
		}
	case "exception":
		var e struct {
			Kind      string `yaml:"kind"`
			exception `yaml:",inline"`
		}
		if err = strict(n, &e); err == nil {
			x, problem := e.convert()
			if problem == nil {
				x.Source = at
				f.exceptions = append(f.exceptions, x)
				return nil
			}
			err = problem
		}
	case "test":
		var t struct {
			Kind string `yaml:"kind"`
			Test `yaml:",inline"`
		}
		if err = strict(n, &t); err == nil {
			t.Source = at
			if err = t.valid(); err == nil {
				f.tests = append(f.tests, &t.Test)
				return nil
			}
		}
	case "":
		err = errors.New("the document has no kind: give guardrail, exception or test")
	default:
		err = fmt.Errorf("kind %.40q is none of guardrail, exception, test", kind)
	}
	if strings.HasPrefix(err.Error(), "line ") { // the decoder's own says where
		return triad.Errorf(triad.CodeInvalid, "%s: %w", path, err)
	}
	return triad.Errorf(triad.CodeInvalid, "%s: %w", at, err)
}

// strict decodes a document and refuses keys that its type does not have.
func strict(n *yaml.Node, out any) error {
	if err := known(n, reflect.TypeOf(out).Elem()); err != nil {
		return err
	}
	if err := n.Decode(out); err != nil {
		return errors.New(yamlError(err))
	}
	return nil
}

// known refuses keys that a type does not have: a misspelt one would else be a rule that is
// never asked.
func known(n *yaml.Node, t reflect.Type) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[yaml.Unmarshaler]()) {
		return nil
	}
	switch {
	case t.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		for _, c := range n.Content {
			if err := known(c, t.Elem()); err != nil {
				return err
			}
		}
	case t.Kind() == reflect.Map && n.Kind == yaml.MappingNode:
		for i := 1; i < len(n.Content); i += 2 {
			if err := known(n.Content[i], t.Elem()); err != nil {
				return err
			}
		}
	case t.Kind() == reflect.Struct && n.Kind == yaml.MappingNode:
		keys := map[string]reflect.Type{}
		yamlKeys(t, keys)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			to, ok := keys[key.Value]
			if !ok {
				return fmt.Errorf("line %d: unknown key %.60q; known are %s", key.Line, key.Value, strings.Join(slices.Sorted(maps.Keys(keys)), ", "))
			}
			if err := known(n.Content[i+1], to); err != nil {
				return err
			}
		}
	}
	return nil
}

func yamlKeys(t reflect.Type, keys map[string]reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case options == "inline":
			yamlKeys(f.Type, keys)
		case name != "" && name != "-":
			keys[name] = f.Type
		}
	}
}

var (
	goType   = regexp.MustCompile(` in(?:to)? type \S+`)
	intoType = regexp.MustCompile(` into \S+`)
)

// yamlError takes Go's words out of a decoder's error.
func yamlError(err error) string {
	var typed *yaml.TypeError
	text := err.Error()
	if errors.As(err, &typed) && len(typed.Errors) > 0 {
		text = typed.Errors[0]
	}
	text = strings.TrimPrefix(text, "yaml: ")
	text = goType.ReplaceAllString(text, "")
	return intoType.ReplaceAllString(text, " where something else belongs")
}
