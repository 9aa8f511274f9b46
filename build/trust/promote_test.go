package trust_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/triad-security/triad/build/registry/registrytest"
	"github.com/triad-security/triad/build/trust"
)

var bom = trust.Predicate{Type: trust.PredicateCycloneDX, Body: json.RawMessage(`{"bomFormat":"CycloneDX","specVersion":"1.6"}`)}

// promotion scans nothing: it lets everything pass with a bill of materials.
func promotion(key *trust.Key) *trust.Promotion {
	return &trust.Promotion{
		Client: &trust.Client{}, Signer: trust.NewSigner(key, trust.Services{}), Forms: trust.FormBoth,
		Scan: func(context.Context, trust.Image) (*trust.Scanned, error) {
			return &trust.Scanned{Predicates: []trust.Predicate{bom}}, nil
		},
		Gate: func(context.Context, []*trust.Scanned) ([]string, error) { return nil, nil },
	}
}

// pushIndex puts an image for two platforms, with an attestation as BuildKit lists it.
func pushIndex(t testing.TB, reference string) name.Digest {
	t.Helper()
	var index v1.ImageIndex = empty.Index
	for _, arch := range []string{"amd64", "arm64"} {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: must(random.Image(64, 1)), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: must(random.Image(64, 1)), Descriptor: v1.Descriptor{
		Platform:    &v1.Platform{OS: "unknown", Architecture: "unknown"},
		Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest"},
	}})
	ref := must(name.ParseReference(reference))
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	return ref.Context().Digest(must(index.Digest()).String())
}

// contents are the tags of a repository, none where there is no such repository.
func contents(t testing.TB, repository string) []string {
	t.Helper()
	tags, err := remote.List(must(name.NewRepository(repository)))
	if err != nil {
		return nil
	}
	return tags
}

func TestAPromotedImageIsSignedAndAttestedAtItsDestination(t *testing.T) {
	for registry, start := range registries {
		t.Run(registry, func(t *testing.T) {
			from, to := start(t), start(t)
			image := push(t, from+"/build/web:42")
			key := newKey(t, trust.AlgorithmECDSA)
			for range 2 { // again, it is promoted again
				out, err := promotion(key).Run(t.Context(), from+"/build/web:42", to+"/official/web:1.0")
				if err != nil || !out.Promoted || out.Digest != image.DigestStr() {
					t.Fatalf("%+v, %v", out, err)
				}
			}
			policy := byKey(key)
			policy.Attestations = []trust.Requirement{{Kind: trust.KindSBOM}}
			if v := trusted(t, to+"/official/web:1.0", policy); v.Digest != image.DigestStr() {
				t.Errorf("digest %s, want %s", v.Digest, image.DigestStr())
			}
		})
	}
}

func TestEveryPlatformOfAPromotedImageIsScannedSignedAndAttested(t *testing.T) {
	from, to := registrytest.Start(t), registrytest.Start(t)
	image := pushIndex(t, from+"/build/web:42")
	key := newKey(t, trust.AlgorithmECDSA)
	p, platforms := promotion(key), []string{}
	scan := p.Scan
	p.Scan = func(ctx context.Context, i trust.Image) (*trust.Scanned, error) {
		platforms = append(platforms, i.Platform)
		return scan(ctx, i)
	}
	out, err := p.Run(t.Context(), from+"/build/web:42", to+"/official/web:1.0")
	if err != nil || !out.Promoted || len(out.Images) != 3 {
		t.Fatalf("%+v, %v", out, err)
	}
	if got := strings.Join(platforms, " "); got != "linux/amd64 linux/arm64" {
		t.Errorf("scanned %s", got)
	}
	policy := byKey(key)
	policy.Attestations = []trust.Requirement{{Kind: trust.KindSBOM}}
	for _, one := range out.Images {
		trusted(t, to+"/official/web@"+one.Digest, policy)
	}
	if trusted(t, to+"/official/web:1.0", policy).Digest != image.DigestStr() {
		t.Error("another image")
	}
}

func TestARefusedImageLeavesNothingAtTheDestination(t *testing.T) {
	from, to := registrytest.Start(t), registrytest.Start(t)
	push(t, from+"/build/web:42")
	other := push(t, to+"/official/used:1.0")
	key := newKey(t, trust.AlgorithmECDSA)
	for reason, change := range map[string]func(*trust.Promotion){
		"it has a leaked key": func(p *trust.Promotion) {
			p.Gate = func(context.Context, []*trust.Scanned) ([]string, error) { return []string{"it has a leaked key"}, nil }
		},
		"the source is not trusted: there is no signature": func(p *trust.Promotion) { p.Policy = byKey(key) },
	} {
		p := promotion(key)
		change(p)
		out, err := p.Run(t.Context(), from+"/build/web:42", to+"/official/web:1.0")
		if err != nil || out.Promoted || !strings.Contains(strings.Join(out.Reasons, ";"), reason) {
			t.Errorf("%s: %+v, %v", reason, out, err)
		}
	}
	if tags := contents(t, to+"/official/web"); len(tags) > 0 {
		t.Errorf("left %v", tags)
	}
	out, err := promotion(key).Run(t.Context(), from+"/build/web:42", to+"/official/used:1.0")
	if err != nil || out.Promoted || !strings.Contains(out.Reasons[0], "is another image already") {
		t.Errorf("%+v, %v", out, err)
	}
	if d := must(remote.Head(must(name.ParseReference(to + "/official/used:1.0")))); d.Digest.String() != other.DigestStr() {
		t.Error("the tag was moved")
	}
	p := promotion(key)
	p.Replace = true
	if out, err := p.Run(t.Context(), from+"/build/web:42", to+"/official/used:1.0"); err != nil || !out.Promoted {
		t.Errorf("%+v, %v", out, err)
	}
}

// failing answers the nth request that puts a manifest, and those after it, with an error.
type failing struct {
	n    int
	puts int
}

func (f *failing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
		if f.puts++; f.puts == f.n {
			return nil, errors.New("the network is gone")
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestAPromotionThatFailsIsTakenBackWhereverItFails(t *testing.T) {
	for registry, start := range registries {
		t.Run(registry, func(t *testing.T) {
			from := start(t)
			if registry == "docker-registry" { // it syncs to disk, so the shorter way there
				push(t, from+"/build/web:42")
			} else {
				pushIndex(t, from+"/build/web:42")
			}
			key := newKey(t, trust.AlgorithmECDSA)
			for n := 1; ; n++ {
				to := fmt.Sprintf("%s/official/web-%d", from, n)
				p := promotion(key)
				f := &failing{n: n}
				p.Client = &trust.Client{Transport: f}
				out, err := p.Run(t.Context(), from+"/build/web:42", to+":1.0")
				if f.puts < n {
					if err != nil || !out.Promoted {
						t.Fatalf("%+v, %v", out, err)
					}
					t.Logf("%d puts", f.puts)
					return
				}
				if err == nil || out.Promoted || len(out.Remains) > 0 {
					t.Fatalf("put %d: %+v, %v", n, out, err)
				}
				if tags := contents(t, to); len(tags) > 0 {
					t.Errorf("put %d: left %v", n, tags)
				}
			}
		})
	}
}

func TestWhatARegistryDoesNotLetDeleteIsSaid(t *testing.T) {
	from, to := registrytest.Start(t), registrytest.Start(t, registrytest.WithoutDelete())
	push(t, from+"/build/web:42")
	p := promotion(newKey(t, trust.AlgorithmECDSA))
	p.Client = &trust.Client{Transport: &failing{n: 4}}
	out, err := p.Run(t.Context(), from+"/build/web:42", to+"/official/web:1.0")
	if err == nil || out.Promoted || len(out.Remains) == 0 || !strings.Contains(out.Remains[0], "does not permit to delete") {
		t.Errorf("%+v, %v", out, err)
	}
	for _, tag := range contents(t, to+"/official/web") {
		if tag == "1.0" {
			t.Error("the tag is there")
		}
	}
}
