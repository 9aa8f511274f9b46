package aws

import (
	"context"
	"reflect"
	"time"
	"unicode"
	"unicode/utf8"
)

// document turns an output of the SDK into what the CLI prints: Go's field names are the
// CLI's keys, but for services whose keys begin with a small letter; what is not set is left
// out, and so are the paging marks.
func document(v any, lower bool) map[string]any {
	m, _ := convert(reflect.ValueOf(v), lower).(map[string]any)
	for _, key := range []string{"NextToken", "nextToken", "NextMarker", "Marker", "IsTruncated", "ResultMetadata", "resultMetadata"} {
		delete(m, key)
	}
	return m
}

var timeType = reflect.TypeFor[time.Time]()

func convert(v reflect.Value, lower bool) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		if v.Elem().Kind() == reflect.String {
			return v.Elem().String()
		}
		return convert(v.Elem(), lower)
	case reflect.Struct:
		if v.Type() == timeType {
			return v.Interface().(time.Time).UTC().Format(time.RFC3339Nano)
		}
		out := map[string]any{}
		t := v.Type()
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.IsExported() || f.Name == "ResultMetadata" || f.Anonymous {
				continue
			}
			name := f.Name
			if lower {
				first, size := utf8.DecodeRuneInString(name)
				name = string(unicode.ToLower(first)) + name[size:]
			}
			if inner := convert(v.Field(i), lower); inner != nil {
				out[name] = inner
			}
		}
		return out
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Bytes()
		}
		out := make([]any, v.Len())
		for i := range out {
			out[i] = convert(v.Index(i), lower)
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return nil
		}
		out := map[string]any{}
		for _, k := range v.MapKeys() {
			out[k.String()] = convert(v.MapIndex(k), lower)
		}
		return out
	case reflect.String:
		if v.String() == "" {
			return nil // the zero value of an enumeration; a string that may be empty is a pointer
		}
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Int16, reflect.Int8:
		return v.Int()
	case reflect.Float32, reflect.Float64:
		return v.Float()
	}
	return nil
}

// paginator is what the SDK makes for each operation with pages; F are its client's options.
type paginator[O, F any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*F)) (*O, error)
}

// pages reads all pages into one output. What came before an error is kept.
func pages[O, F any](ctx context.Context, p paginator[O, F], lower bool) (map[string]any, error) {
	var whole map[string]any
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		if err != nil {
			return whole, err
		}
		page := document(out, lower)
		if whole == nil {
			whole = page
			continue
		}
		for k, v := range page {
			if list, ok := v.([]any); ok {
				before, _ := whole[k].([]any)
				whole[k] = append(before, list...)
			} else if _, has := whole[k]; !has {
				whole[k] = v
			}
		}
	}
	return whole, nil
}
