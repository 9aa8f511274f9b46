package api

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

func TestRunningImagesAreOfTheRepositoryByTheGrammarOfReferences(t *testing.T) {
	props := func(ref, digest string) json.RawMessage {
		b, err := json.Marshal(triad.ContainerProps{ImageRef: ref, Digest: digest, Running: true})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	e := reach.NewEstate()
	for _, a := range []triad.Asset{
		{ID: "c1", Type: triad.TypeContainer, Kind: "Container", Props: props("registry.example.com/web:1.0", "sha256:aa")},
		{ID: "c2", Type: triad.TypeContainer, Kind: "Container", Props: props("registry.example.com/web@sha256:4e5203b252797ae13abf66521d7d030b76f14501a49ae1a8a07a3a19df5f5e9f", "sha256:aa")},
		{ID: "c3", Type: triad.TypeContainer, Kind: "Container", Props: props("registry.example.com/web:2.0", "sha256:bb")},
		{ID: "c4", Type: triad.TypeContainer, Kind: "Container", Props: props("registry.example.com.evil.net/web:1.0", "sha256:cc")},
		{ID: "c5", Type: triad.TypeContainer, Kind: "Container", Props: props("registry.example.com/web/admin:1.0", "sha256:dd")},
		{ID: "c6", Type: triad.TypeContainer, Kind: "Container"},
		{ID: "sha256:ff", Aliases: []string{"sha256:aa"}, Type: triad.TypeImage, Kind: "Image", Section: "packages"},
	} {
		e.PutAsset("kubernetes/prod", &a)
	}
	for _, r := range []triad.Relation{
		{From: "pod", Type: triad.RelContains, To: "c1"}, {From: "pod", Type: triad.RelOwnedBy, To: "deployment"},
	} {
		e.PutRelation("kubernetes/prod", &r)
	}
	got, err := Running(t.Context(), e, "registry.example.com/web")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || !got[0].Scanned || got[1].Scanned || got[1].Reference != "registry.example.com/web:2.0" {
		t.Fatalf("%+v", got)
	}
	if !slices.Contains(got[0].IDs, "sha256:ff") || !slices.Equal(got[0].Assets, []string{"c1", "pod", "deployment", "c2"}) {
		t.Errorf("%+v", got[0])
	}
	if _, err := Running(t.Context(), e, "NOT a repository"); triad.ErrorCode(err) != triad.CodeInvalid {
		t.Errorf("%v", err)
	}
}
