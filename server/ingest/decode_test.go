package ingest

import (
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/triad-security/triad"
)

func TestDecode(t *testing.T) {
	whole := report(10, 5, "a", "b")
	whole.Part, whole.Parts = 1, 2
	whole.Notes = []string{"cluster name inferred"}
	whole.Relations = []triad.Relation{{From: "a", Type: triad.RelRuns, To: "b", Section: "docker-inspect", Props: json.RawMessage(`{"x":[1]}`)}}
	whole.Packages = []triad.Package{{Asset: "a", Section: "docker-inspect", Name: "n", Version: "1", PURL: "pkg:npm/n@1"}}
	whole.Findings = []triad.Finding{{Kind: triad.FindingSecret, ID: "s", Asset: "a", Section: "docker-inspect"}}
	whole.Removed = []triad.RowRef{{Kind: triad.RowAsset, Key: "z", Section: "docker-inspect"}}
	doc, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("reads what is written, by every field", func(t *testing.T) {
		got, err := Decode(strings.NewReader(string(doc)))
		if err != nil || !reflect.DeepEqual(got, whole) {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("passes over fields of later versions", func(t *testing.T) {
		later := strings.Replace(string(doc), "{", `{"signature":{"alg":["x"]},`, 1)
		if got, err := Decode(strings.NewReader(later)); err != nil || !reflect.DeepEqual(got, whole) {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("reads back its own messages", func(t *testing.T) {
		message, err := pack(whole)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := unpack(message); err != nil || !reflect.DeepEqual(got, whole) {
			t.Errorf("%+v, %v", got, err)
		}
	})
	for name, body := range map[string]io.Reader{
		"nothing":                    strings.NewReader(""),
		"another kind of JSON":       strings.NewReader("[]"),
		"a truncated report":         strings.NewReader(string(doc[:len(doc)/2])),
		"something after the report": strings.NewReader(string(doc) + "{}"),
		"a list that is none":        strings.NewReader(`{"assets":{"a":1}}`),
		"deep JSON":                  strings.NewReader(`{"x":` + strings.Repeat("[", 1<<20)),
		"more bytes than allowed":    io.MultiReader(strings.NewReader(`{"x":"`), io.LimitReader(endless('x'), MaxBytes)),
		"a million empty assets":     strings.NewReader(`{"assets":[` + strings.Repeat("{},", 1<<20) + `{}]}`),
		"too many notes":             strings.NewReader(`{"notes":[` + strings.Repeat(`"",`, maxSections+1) + `""]}`),
		"an invalid report":          strings.NewReader(`{"tenant":"default"}`),
	} {
		if _, err := Decode(body); triad.ErrorCode(err) != triad.CodeInvalid {
			t.Errorf("%s: %v, want an error with code invalid", name, err)
		}
	}
	t.Run("a bomb is refused", func(t *testing.T) {
		var packed strings.Builder
		enc, err := zstd.NewWriter(&packed)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(enc, `{"x":"`)
		io.Copy(enc, io.LimitReader(endless('x'), 4*MaxBytes))
		enc.Close()
		if _, err := unpack([]byte(packed.String())); triad.ErrorCode(err) != triad.CodeInvalid {
			t.Errorf("%d bytes: %v, want invalid", packed.Len(), err)
		}
	})
}

type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

// FuzzDecode holds that whatever is accepted is a valid report that survives its own message.
func FuzzDecode(f *testing.F) {
	for _, r := range []*triad.Report{report(10, 0, "a"), report(11, 10, "b", "c"), {}} {
		doc, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(doc))
	}
	f.Add(`{"sections":null,"assets":[{"id":"\u0000\ud800","doc":{"a":1e999}}],"assets":[]}`)
	f.Add("{\"notes\":[\"\xff\"],\"taken\":\"2026-01-01T00:00:00Z\"}")
	f.Fuzz(func(t *testing.T, body string) {
		r, err := Decode(strings.NewReader(body))
		if err != nil {
			if triad.ErrorCode(err) != triad.CodeInvalid {
				t.Fatalf("%v has code %s", err, triad.ErrorCode(err))
			}
			return
		}
		message, err := pack(r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := unpack(message)
		if err != nil {
			t.Fatalf("a message of a valid report: %v", err)
		}
		if a, b := encode(t, r), encode(t, again); a != b {
			t.Fatalf("%s became %s", a, b)
		}
	})
}

func encode(t *testing.T, r *triad.Report) string {
	doc, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(doc)
}
