package kubernetes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"go.yaml.in/yaml/v3"
)

// Bounds of one document. An API object is at most 1.5 MiB (etcd's default request limit) and
// nests some twenty levels; a document that could not be split into its items is a whole List.
const (
	maxDepth    = 100
	maxExpanded = 1 << 18 // values that aliases add; kubectl writes no aliases at all
	maxDocument = 128 << 20
)

// eachYAML calls fn for every object of a YAML stream: each document, or each item of a
// document that is a List, which list describes. Items of lists are parsed one at a time, so
// that memory follows the largest object and not the file.
func eachYAML(data []byte, fn func(list header, object map[string]any) error) error {
	for n, doc := range splitDocuments(data) {
		if len(bytes.TrimSpace(doc)) == 0 {
			continue
		}
		done, err := eachItem(doc, fn)
		if err == nil && !done {
			err = eachWhole(doc, fn)
		}
		if err != nil {
			return fmt.Errorf("document %d: %w", n+1, err)
		}
	}
	return nil
}

// splitDocuments cuts at the document markers, which YAML allows nowhere else at the start of a line.
func splitDocuments(data []byte) [][]byte {
	var docs [][]byte
	start := 0
	for pos := 0; pos < len(data); {
		line, next := lineAt(data, pos)
		if bytes.Equal(line, []byte("---")) || bytes.HasPrefix(line, []byte("--- ")) {
			docs = append(docs, data[start:pos])
			start = pos + 3
		}
		pos = next
	}
	return append(docs, data[start:])
}

func lineAt(data []byte, pos int) (line []byte, next int) {
	if i := bytes.IndexByte(data[pos:], '\n'); i >= 0 {
		return bytes.TrimRight(data[pos:pos+i], "\r"), pos + i + 1
	}
	return data[pos:], len(data)
}

// eachItem reads a block-style List item by item. It reports false, having called nothing,
// when the document has another shape; items that refer to anchors elsewhere are such a shape.
func eachItem(doc []byte, fn func(header, map[string]any) error) (bool, error) {
	chunks, rest := splitItems(doc)
	if chunks == nil {
		return false, nil
	}
	top, err := parseYAML(rest)
	if err != nil {
		return false, nil
	}
	head := headerOf(top)
	for i, chunk := range chunks {
		v, err := decodeYAML(chunk)
		seq, ok := v.([]any)
		if err != nil || !ok || len(seq) != 1 {
			if i == 0 {
				return false, nil
			}
			return true, fmt.Errorf("item %d: %w", i+1, errors.Join(err, errShape(ok)))
		}
		object, ok := seq[0].(map[string]any)
		if !ok {
			return true, fmt.Errorf("item %d is not an object", i+1)
		}
		if err := fn(head, object); err != nil {
			return true, err
		}
	}
	return true, nil
}

func errShape(ok bool) error {
	if ok {
		return nil
	}
	return errors.New("not one entry of a list")
}

// splitItems cuts the top-level block sequence `items:` into its entries and returns the
// document without them. It returns nil when there is none.
func splitItems(doc []byte) (chunks [][]byte, rest []byte) {
	pos, next := -1, 0
	for p := 0; p < len(doc); {
		line, n := lineAt(doc, p)
		if bytes.Equal(bytes.TrimRight(line, " \t"), []byte("items:")) {
			pos, next = p, n
			break
		}
		p = n
	}
	if pos < 0 {
		return nil, nil
	}
	indent, start := -1, 0
	p := next
	for p < len(doc) {
		line, n := lineAt(doc, p)
		trimmed := bytes.TrimLeft(line, " ")
		depth := len(line) - len(trimmed)
		dash := len(trimmed) > 0 && trimmed[0] == '-' && (len(trimmed) == 1 || trimmed[1] == ' ')
		if indent < 0 && len(trimmed) > 0 && trimmed[0] != '#' {
			if !dash {
				return nil, nil
			}
			indent, start = depth, p
		} else if indent >= 0 && dash && depth == indent {
			chunks = append(chunks, doc[start:p])
			start = p
		} else if indent >= 0 && depth == 0 && len(trimmed) > 0 && trimmed[0] != '#' {
			break
		}
		p = n
	}
	if indent < 0 {
		return nil, nil
	}
	chunks = append(chunks, doc[start:p])
	return chunks, append(append([]byte{}, doc[:pos]...), doc[p:]...)
}

func eachWhole(doc []byte, fn func(header, map[string]any) error) error {
	if len(doc) > maxDocument {
		return fmt.Errorf("%d MiB and not a list in block style, the bound is %d MiB", len(doc)>>20, maxDocument>>20)
	}
	v, err := parseYAML(doc)
	if err != nil || v == nil {
		return err
	}
	return eachObject(v, fn)
}

// eachObject calls fn with an object, or with each item of a List.
func eachObject(v map[string]any, fn func(header, map[string]any) error) error {
	head := headerOf(v)
	items, isList := v["items"]
	if !isList || !head.list() {
		return fn(header{}, v)
	}
	seq, ok := items.([]any)
	if !ok && items != nil {
		return errors.New("items is not a list")
	}
	if len(seq) == 0 {
		return fn(head, nil)
	}
	for i, item := range seq {
		object, ok := item.(map[string]any)
		if !ok {
			return fmt.Errorf("item %d is not an object", i+1)
		}
		if err := fn(head, object); err != nil {
			return err
		}
	}
	return nil
}

func parseYAML(doc []byte) (map[string]any, error) {
	v, err := decodeYAML(doc)
	if err != nil || v == nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not a Kubernetes object: the document is no mapping")
	}
	return m, nil
}

// decodeYAML decodes one document into what encoding/json would give (numbers as json.Number),
// expanding aliases only within the bounds.
func decodeYAML(doc []byte) (any, error) {
	var node yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(doc)).Decode(&node); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	b := &builder{left: maxExpanded}
	return b.value(&node, 0)
}

type builder struct {
	left    int // values that aliases may still add
	aliases int // that the value being built is inside of
}

func (b *builder) value(n *yaml.Node, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("line %d: nested deeper than %d levels", n.Line, maxDepth)
	}
	if b.aliases > 0 {
		if b.left--; b.left < 0 {
			return nil, fmt.Errorf("line %d: its aliases expand to more than %d values", n.Line, maxExpanded)
		}
	}
	switch n.Kind {
	case yaml.DocumentNode:
		if len(n.Content) != 1 {
			return nil, nil
		}
		return b.value(n.Content[0], depth)
	case yaml.AliasNode:
		b.aliases++
		defer func() { b.aliases-- }()
		return b.value(n.Alias, depth+1)
	case yaml.SequenceNode:
		seq := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := b.value(c, depth+1)
			if err != nil {
				return nil, err
			}
			seq = append(seq, v)
		}
		return seq, nil
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Kind != yaml.ScalarNode {
				return nil, fmt.Errorf("line %d: a key is not a string", n.Content[i].Line)
			}
			v, err := b.value(n.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			m[n.Content[i].Value] = v
		}
		return m, nil
	case yaml.ScalarNode:
		return scalar(n)
	}
	return nil, nil
}

func scalar(n *yaml.Node) (any, error) {
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		var v bool
		err := n.Decode(&v)
		return v, err
	case "!!int":
		var v any
		if err := n.Decode(&v); err != nil {
			return n.Value, nil
		}
		return json.Number(fmt.Sprint(v)), nil
	case "!!float":
		var v float64
		if err := n.Decode(&v); err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return n.Value, nil
		}
		b, err := json.Marshal(v)
		return json.Number(b), err
	}
	return n.Value, nil
}
