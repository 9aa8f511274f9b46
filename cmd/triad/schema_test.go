package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/scan"
	"github.com/triad-security/triad/reach"
)

func compileSchema(name string) (*jsonschema.Schema, error) {
	path, err := filepath.Abs(filepath.Join("..", "..", "docs", "schema", name+".json"))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	return c.Compile(path)
}

func scriptSchema(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: schema NAME")
	}
	s, err := compileSchema(args[0])
	ts.Check(err)
	values := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	for n := 0; ; n++ {
		var v any
		err := values.Decode(&v)
		if err != nil && n > 0 {
			break
		}
		ts.Check(err)
		ts.Check(s.Validate(v))
		for _, key := range undocumented(s, v, "") {
			ts.Fatalf("docs/schema/%s.json does not have %s", args[0], key)
		}
	}
}

// object follows references and alternatives to the schema of objects or of lists.
func object(s *jsonschema.Schema) *jsonschema.Schema {
	for s != nil && s.Ref != nil {
		s = s.Ref
	}
	if s == nil || len(s.Properties) > 0 || s.Items2020 != nil {
		return s
	}
	for _, one := range s.OneOf {
		if o := object(one); o != nil && len(o.Properties) > 0 {
			return o
		}
	}
	return s
}

// undocumented lists the keys of a value that its schema does not name.
func undocumented(s *jsonschema.Schema, v any, at string) (keys []string) {
	s = object(s)
	switch v := v.(type) {
	case map[string]any:
		if len(s.Properties) == 0 {
			return nil // free by design: documents, tags
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if s.Properties[k] == nil {
				keys = append(keys, at+"."+k)
			} else {
				keys = append(keys, undocumented(s.Properties[k], v[k], at+"."+k)...)
			}
		}
	case []any:
		if s.Items2020 == nil && len(s.OneOf) > 0 { // one result, or a list of them
			s = s.OneOf[len(s.OneOf)-1]
		}
		for _, e := range v {
			if s.Items2020 != nil {
				keys = append(keys, undocumented(s.Items2020, e, at+"[]")...)
			}
		}
	}
	return keys
}

func TestSchemasNameTheKeysOfTheTypes(t *testing.T) {
	for name, typ := range map[string]reflect.Type{
		"explain": reflect.TypeFor[listed](),
		"scan":    reflect.TypeFor[scan.Result](),
		"report":  reflect.TypeFor[triad.Report](),
		"reach":   reflect.TypeFor[reach.Result](),
		"gate":    reflect.TypeFor[gated](),
	} {
		t.Run(name, func(t *testing.T) {
			s, err := compileSchema(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, difference := range differences(object(s), typ, "") {
				t.Error(difference)
			}
		})
	}
}

// differences compares a schema's keys with those of a type, and what is required with what is
// always written.
func differences(s *jsonschema.Schema, typ reflect.Type, at string) (out []string) {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
		if s = object(s); s != nil && s.Items2020 != nil {
			s = object(s.Items2020)
		}
	}
	if typ.Kind() != reflect.Struct || typ == reflect.TypeFor[time.Time]() || typ.Implements(reflect.TypeFor[json.Marshaler]()) {
		return nil
	}
	s = object(s)
	seen := map[string]bool{}
	for _, f := range jsonFields(typ) {
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if key == "-" && options == "" {
			continue
		}
		if seen[key] {
			continue // the outer field of this name is the one that is written
		}
		seen[key] = true
		p := s.Properties[key]
		if p == nil {
			out = append(out, fmt.Sprintf("%s.%s is not in the schema", at, key))
			continue
		}
		if always := !strings.Contains(options, "omit"); always != slices.Contains(s.Required, key) {
			out = append(out, fmt.Sprintf("%s.%s: required is %v, always written is %v", at, key, !always, always))
		}
		out = append(out, differences(p, f.Type, at+"."+key)...)
	}
	for key := range s.Properties {
		if !seen[key] {
			out = append(out, fmt.Sprintf("%s.%s is not in the type %v", at, key, typ))
		}
	}
	return out
}

// jsonFields lists the fields that are written, those of embedded structs last.
func jsonFields(typ reflect.Type) []reflect.StructField {
	var fields, embedded []reflect.StructField
	for i := range typ.NumField() {
		switch f := typ.Field(i); {
		case f.Anonymous:
			embedded = append(embedded, jsonFields(f.Type)...)
		case f.IsExported():
			fields = append(fields, f)
		}
	}
	return append(fields, embedded...)
}
