package scan

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/triad-security/triad"
)

func TestTheFastJSONIsTheOther(t *testing.T) {
	linked := true
	r := newResult(Artifact{Type: ArtifactImage, Name: "web:1.0", Layers: []triad.Layer{{DiffID: "sha256:aa"}}})
	r.Packages = []Package{{triad.Package{Name: "a", Version: "1", PURL: "pkg:npm/a@1?x=1&y=2", Owner: "b"}}}
	r.Vulnerabilities = []Vulnerability{{triad.Vulnerability{ID: "CVE-2026-1", Package: "a", Linked: &linked, Symbols: []string{"f"}}}, {triad.Vulnerability{ID: "CVE-2026-2", KEV: true}}}
	r.Secrets = []triad.Finding{{Kind: triad.FindingSecret, ID: "s", Path: "/x"}}
	r.Unread = []triad.Unread{{Section: "packages", Reason: "x"}}
	var want, got any
	for v, into := range map[any]*any{r: &want, any(nil): &got} {
		if v == nil {
			v = r.JSON()
		}
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, into); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(want, got) {
		t.Errorf("%v\n%v", got, want)
	}
}
