package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

func TestIndentedJSONIsThatOfTheLibrary(t *testing.T) {
	var value *rapid.Generator[any]
	value = rapid.Custom(func(t *rapid.T) any {
		switch rapid.IntRange(0, 6).Draw(t, "kind") {
		case 0:
			return rapid.SampledFrom([]any{nil, true, false, 0.5, -3, 1e300}).Draw(t, "scalar")
		case 1, 2:
			return rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{`"`, `\`, `\\"`, `a\`, "{}", "[,]:", "\n\t<&>", ""})).Draw(t, "text")
		case 3:
			return rapid.SliceOfN(rapid.Deferred(func() *rapid.Generator[any] { return value }), 0, 4).Draw(t, "list")
		default:
			return rapid.MapOfN(rapid.String(), rapid.Deferred(func() *rapid.Generator[any] { return value }), 0, 4).Draw(t, "object")
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		compact, err := json.Marshal(value.Draw(t, "value"))
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		if err := json.Indent(&want, compact, "", "  "); err != nil {
			t.Fatal(err)
		}
		if got := indent(compact); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s\nwant\n%s", got, want.Bytes())
		}
	})
}
