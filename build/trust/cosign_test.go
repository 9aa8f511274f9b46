package trust_test

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/triad-security/triad/build/trust"
	"github.com/triad-security/triad/build/trust/cosigntest"
)

// offline are cosign's flags for signing with a key alone: no log, no services from the
// public trust root.
var offline = []string{"--use-signing-config=false", "--tlog-upload=false"}

// algorithms are tried with one registry each; where it stands changes nothing of a signature.
func algorithms(registry string) []string {
	if registry != "docker-registry" {
		return []string{trust.AlgorithmECDSA}
	}
	return []string{trust.AlgorithmECDSA, trust.AlgorithmEd25519, trust.AlgorithmRSA}
}

func TestCosignAcceptsWhatTriadSigned(t *testing.T) {
	cosign := cosigntest.New(t)
	for registry, start := range registries {
		address := start(t)
		for _, algorithm := range algorithms(registry) {
			for form, forms := range map[string]trust.Forms{"bundle": trust.FormBundle, "tag": trust.FormTag} {
				t.Run(registry+"/"+algorithm+"/"+form, func(t *testing.T) {
					reference := address + "/shop/" + algorithm + "-" + form + ":1.0"
					image := push(t, reference)
					key := newKey(t, algorithm)
					sign(t, image, key, forms)
					public := cosign.File("key.pub", key.Public().Encode())
					other := cosign.File("other.pub", newKey(t, algorithm).Public().Encode())
					cosign.Must("verify", "--key", public, "--insecure-ignore-tlog", reference)
					if _, err := cosign.Run("verify", "--key", other, "--insecure-ignore-tlog", reference); err == nil {
						t.Error("cosign accepts another key")
					}
				})
			}
		}
	}
}

func TestTriadAcceptsWhatCosignSigned(t *testing.T) {
	cosign := cosigntest.New(t)
	for registry, start := range registries {
		address := start(t)
		for _, algorithm := range algorithms(registry) {
			for form, flag := range map[string]string{"bundle": "--new-bundle-format=true", "tag": "--new-bundle-format=false"} {
				t.Run(registry+"/"+algorithm+"/"+form, func(t *testing.T) {
					reference := address + "/shop/" + algorithm + "-" + form + ":1.0"
					image := push(t, reference)
					key := newKey(t, algorithm)
					private, err := key.Encode([]byte("secret"))
					if err != nil {
						t.Fatal(err)
					}
					t.Setenv("COSIGN_PASSWORD", "secret")
					file := cosign.File("key.pem", private)
					cosign.Must(append([]string{"sign", "--key", file, flag, image.Name()}, offline...)...)
					v := trusted(t, reference, byKey(key))
					if v.Signatures[0].Form != form {
						t.Errorf("form %s, want %s", v.Signatures[0].Form, form)
					}
					refused(t, reference, byKey(newKey(t, algorithm)), "made with another key")
				})
			}
		}
	}
}

func sign(t testing.TB, image name.Digest, key *trust.Key, forms trust.Forms) {
	t.Helper()
	if err := (&trust.Client{}).Sign(t.Context(), image, trust.NewSigner(key, trust.Services{}), forms, nil); err != nil {
		t.Fatal(err)
	}
}
