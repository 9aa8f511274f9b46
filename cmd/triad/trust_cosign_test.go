package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	registries "github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/triad-security/triad/build/registry/registrytest"
	"github.com/triad-security/triad/build/trust/cosigntest"
)

// What triad promotes, others verify with cosign and the public key alone.
func TestCosignVerifiesWhatWasPromoted(t *testing.T) {
	cosign := cosigntest.New(t)
	from, to := registrytest.Start(t)+"/build/web:42", registrytest.Start(t)+"/official/web:1.0"
	img, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := registries.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key := filepath.Join(dir, "release")
	t.Setenv("TRIAD_KEY_PASSWORD", "secret")
	t.Setenv("TRIAD_QUIET", "true")
	t.Setenv("TRIAD_OUTPUT", os.DevNull)
	data := "--data=" + filepath.Join(dir, "data")
	if status := run([]string{"trust", "keygen", key}); status != 0 {
		t.Fatalf("keygen: status %d", status)
	}
	// No advisories here: what cannot be known of vulnerabilities is let pass by a policy of
	// this test's own, and not attested.
	policy := filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(policy, []byte("kind: guardrail\nname: no-secrets\ndescription: No secrets.\nowner: test\nseverity: high\nmode: enforce\nappliesTo: {phases: [build], artifacts: [image]}\nonUnknown: refuse\nrules:\n  - name: secret\n    for: secrets\n    refuse: \"true\"\n    message: '\"a secret\"'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status := run([]string{"trust", "promote", from, to, data, "--key", key + ".key", "--attest", "sbom", "--no-default-policy", "--policy", policy, "--cache-dir", filepath.Join(dir, "cache")}); status != 0 {
		t.Fatalf("promote: status %d", status)
	}
	cosign.Must("verify", "--key", key+".pub", "--insecure-ignore-tlog", to)
	cosign.Must("verify-attestation", "--key", key+".pub", "--insecure-ignore-tlog", "--type", "cyclonedx", to)
}
