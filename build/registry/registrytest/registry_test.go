package registrytest

import (
	"net/http"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func TestARegistryKeepsWhatIsPushed(t *testing.T) {
	for name, start := range map[string]func(testing.TB) string{
		"docker-registry":        func(t testing.TB) string { return Start(t) },
		"with the referrers API": StartReferrers,
	} {
		t.Run(name, func(t *testing.T) { push(t, start(t)) })
	}
}

func TestARegistryWithALoginRefusesStrangers(t *testing.T) {
	address := Start(t, WithLogin("ana", "secret"))
	response, err := http.Get("http://" + address + "/v2/_catalog")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d, want %d", response.StatusCode, http.StatusUnauthorized)
	}
	push(t, address, remote.WithAuth(&authn.Basic{Username: "ana", Password: "secret"}))
}

func TestARegistryWithoutDeleteRefusesToDelete(t *testing.T) {
	address := Start(t, WithoutDelete())
	ref := push(t, address)
	if err := remote.Delete(ref); err == nil {
		t.Error("deleted")
	}
}

func push(t *testing.T, address string, options ...remote.Option) name.Reference {
	t.Helper()
	img, err := random.Image(100, 2)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(address + "/shop/web:1.0")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img, options...); err != nil {
		t.Fatal(err)
	}
	d, err := remote.Head(ref, options...)
	if err != nil {
		t.Fatal(err)
	}
	want, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if d.Digest != want {
		t.Errorf("digest %v, want %v", d.Digest, want)
	}
	if (d.Digest == v1.Hash{}) {
		t.Error("no digest")
	}
	return ref.Context().Digest(want.String())
}
