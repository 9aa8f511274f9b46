package kubernetes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// eachJSON is eachYAML for JSON: single objects, Lists, and several of them one after another.
func eachJSON(r io.Reader, fn func(list header, object map[string]any) error) error {
	dec := json.NewDecoder(r)
	for n := 1; ; n++ {
		var raw map[string]json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("document %d: %w", n, err)
		}
		if err := eachRaw(raw, fn); err != nil {
			return fmt.Errorf("document %d: %w", n, err)
		}
	}
}

func eachRaw(raw map[string]json.RawMessage, fn func(header, map[string]any) error) error {
	items, isList := raw["items"]
	delete(raw, "items")
	whole, err := json.Marshal(raw)
	if err != nil {
		return err
	}
	top, err := decodeJSON(whole)
	if err != nil {
		return err
	}
	head := headerOf(top)
	if !isList || !head.list() {
		return fn(header{}, top)
	}
	var seq []json.RawMessage
	if err := json.Unmarshal(items, &seq); err != nil {
		return fmt.Errorf("items: %w", err)
	}
	if len(seq) == 0 {
		return fn(head, nil)
	}
	for i, item := range seq {
		object, err := decodeJSON(item)
		if err != nil {
			return fmt.Errorf("item %d: %w", i+1, err)
		}
		if err := fn(head, object); err != nil {
			return err
		}
	}
	return nil
}

func decodeJSON(data []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, err
	}
	if m == nil {
		return nil, errors.New("not a Kubernetes object")
	}
	if tooDeep(m, maxDepth) {
		return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	return m, nil
}

func tooDeep(v any, left int) bool {
	if left < 0 {
		return true
	}
	switch v := v.(type) {
	case map[string]any:
		for _, c := range v {
			if tooDeep(c, left-1) {
				return true
			}
		}
	case []any:
		for _, c := range v {
			if tooDeep(c, left-1) {
				return true
			}
		}
	}
	return false
}
