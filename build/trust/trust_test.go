package trust_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/triad-security/triad/build/registry/registrytest"
	"github.com/triad-security/triad/build/trust"
)

// registries are the two that everything is tried with: one without the referrers API and
// one with it.
var registries = map[string]func(testing.TB) string{
	"docker-registry":        func(t testing.TB) string { return registrytest.Start(t) },
	"with the referrers API": registrytest.StartReferrers,
}

func push(t testing.TB, reference string) name.Digest {
	t.Helper()
	img, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return ref.Context().Digest(digest.String())
}

func newKey(t testing.TB, algorithm string) *trust.Key {
	t.Helper()
	key, err := trust.GenerateKey(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func byKey(key *trust.Key) *trust.Policy {
	return &trust.Policy{Keys: []*trust.PublicKey{key.Public()}}
}

// trusted fails the test where the image is not trusted.
func trusted(t testing.TB, reference string, policy *trust.Policy) *trust.Verdict {
	t.Helper()
	v, err := (&trust.Client{}).Verify(t.Context(), reference, policy)
	if err != nil {
		t.Fatal(err)
	}
	if !v.Trusted {
		t.Fatalf("refused: %q, rejected: %+v", v.Reasons, v.Rejected)
	}
	return v
}

// refused fails the test where the image is trusted, or refused for another reason.
func refused(t testing.TB, reference string, policy *trust.Policy, reason string) *trust.Verdict {
	t.Helper()
	v, err := (&trust.Client{}).Verify(t.Context(), reference, policy)
	if err != nil {
		t.Fatal(err)
	}
	if v.Trusted {
		t.Fatalf("trusted by %+v, want refused: %s", v.Signatures, reason)
	}
	if all := strings.Join(v.Reasons, "; "); !strings.Contains(all, reason) {
		t.Errorf("refused because %q, want %q", all, reason)
	}
	return v
}

func TestWhatAKeySignedIsTrustedByThatKeyAlone(t *testing.T) {
	for registry, start := range registries {
		address := start(t)
		for _, algorithm := range []string{trust.AlgorithmECDSA, trust.AlgorithmEd25519, trust.AlgorithmRSA} {
			for form, forms := range map[string]trust.Forms{"bundle": trust.FormBundle, "tag": trust.FormTag, "both": trust.FormBoth} {
				t.Run(registry+"/"+algorithm+"/"+form, func(t *testing.T) {
					reference := address + "/shop/" + algorithm + "-" + form + ":1.0"
					image := push(t, reference)
					key := newKey(t, algorithm)
					refused(t, reference, byKey(key), "there is no signature of "+image.DigestStr())
					if err := (&trust.Client{}).Sign(context.Background(), image, trust.NewSigner(key, trust.Services{}), forms, nil); err != nil {
						t.Fatal(err)
					}
					v := trusted(t, reference, byKey(key))
					if v.Digest != image.DigestStr() || v.Signatures[0].Key != key.Public().ID() {
						t.Errorf("verdict %+v", v)
					}
					refused(t, reference, byKey(newKey(t, trust.AlgorithmECDSA)), "made with another key")
				})
			}
		}
	}
}

// deaf is a network that must not be used.
type deaf struct{ t testing.TB }

func (d deaf) RoundTrip(r *http.Request) (*http.Response, error) {
	d.t.Errorf("asked %s", r.URL)
	return nil, errors.New("deaf")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
