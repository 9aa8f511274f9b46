package trust_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/triad-security/triad/build/registry/registrytest"
	"github.com/triad-security/triad/build/trust"
	"github.com/triad-security/triad/build/trust/cosigntest"
)

// attested are predicates of every kind that is written.
func attested(t testing.TB) map[string]trust.Predicate {
	t.Helper()
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	return map[string]trust.Predicate{
		"cyclonedx":       bom,
		"spdxjson":        {Type: trust.PredicateSPDX, Body: json.RawMessage(`{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","creationInfo":{"created":"2026-11-24T12:00:00Z"}}`)},
		"vuln":            must(trust.Scan{Scanner: "https://example.com/scanner", Version: "1", Result: map[string]any{"vulnerabilities": []any{}}, Started: at, Finished: at}.Predicate()),
		"slsaprovenance1": must(trust.Build{Builder: "https://ci.example.com", Source: "git+https://git.example.com/shop@main", Commit: "4f2a", Finished: at}.Predicate()),
		"openvex":         {Type: trust.PredicateOpenVEX, Body: json.RawMessage(`{"@context":"https://openvex.dev/ns/v0.2.0","author":"ana","timestamp":"2026-11-24T12:00:00Z","version":1,"statements":[]}`)},
	}
}

func TestCosignAcceptsWhatTriadAttested(t *testing.T) {
	cosign := cosigntest.New(t)
	address := registrytest.Start(t)
	key := newKey(t, trust.AlgorithmECDSA)
	public := cosign.File("key.pub", key.Public().Encode())
	for form, f := range forms {
		for kind, predicate := range attested(t) {
			t.Run(form+"/"+kind, func(t *testing.T) {
				image := push(t, address+"/"+form+"/"+kind+":1.0")
				if err := (&trust.Client{}).Attest(t.Context(), image, trust.NewSigner(key, trust.Services{}), f, predicate); err != nil {
					t.Fatal(err)
				}
				cosign.Must("verify-attestation", "--key", public, "--insecure-ignore-tlog", "--type", kind, image.Name())
				if _, err := cosign.Run("verify-attestation", "--key", public, "--insecure-ignore-tlog", "--type", "https://example.com/other/v1", image.Name()); err == nil {
					t.Error("cosign accepts it as an attestation of another type")
				}
			})
		}
	}
}

func TestTriadAcceptsWhatCosignAttested(t *testing.T) {
	cosign := cosigntest.New(t)
	address := registrytest.Start(t)
	key := newKey(t, trust.AlgorithmECDSA)
	t.Setenv("COSIGN_PASSWORD", "secret")
	private := cosign.File("key.pem", must(key.Encode([]byte("secret"))))
	kinds := map[string]string{"cyclonedx": "sbom", "spdxjson": "sbom", "vuln": "vuln", "slsaprovenance1": "provenance", "openvex": "vex"}
	for form, flag := range map[string]string{"bundle": "--new-bundle-format=true", "tag": "--new-bundle-format=false"} {
		for kind, predicate := range attested(t) {
			t.Run(form+"/"+kind, func(t *testing.T) {
				image := push(t, address+"/"+form+"/"+kind+":1.0")
				file := cosign.File("predicate.json", predicate.Body)
				cosign.Must(append([]string{"attest", "--key", private, flag, "--type", kind, "--predicate", file, image.Name()}, offline...)...)
				policy := byKey(key)
				policy.Attestations = []trust.Requirement{{Kind: kinds[kind]}}
				v := refused(t, image.Name(), policy, "there are attestations of "+image.DigestStr()+" but no signature")
				if len(v.Reasons) != 1 || len(v.Attestations) != 1 || v.Attestations[0].PredicateType != predicate.Type {
					t.Errorf("%+v", v)
				}
				sign(t, image, key, trust.FormBundle)
				v = trusted(t, image.Name(), policy)
				if kind == "vuln" && v.Attestations[0].MadeAt.Hour() != 12 {
					t.Errorf("made at %v", v.Attestations[0].MadeAt)
				}
			})
		}
	}
}

func TestARequiredAttestationMustBeYoungAndByTheRightBuilder(t *testing.T) {
	address := registrytest.StartReferrers(t)
	key := newKey(t, trust.AlgorithmECDSA)
	image := push(t, address+"/shop/web:1.0")
	attest := func(p trust.Predicate, by *trust.Key) {
		t.Helper()
		if err := (&trust.Client{}).Attest(t.Context(), image, trust.NewSigner(by, trust.Services{}), trust.FormBundle, p); err != nil {
			t.Fatal(err)
		}
	}
	scan := func(ago time.Duration) trust.Predicate {
		at := time.Now().Add(-ago)
		return must(trust.Scan{Scanner: "s", Finished: at, Started: at}.Predicate())
	}
	sign(t, image, key, trust.FormBundle)
	attest(bom, key) // it does not say when it was made
	attest(scan(48*time.Hour), key)
	attest(scan(-time.Hour), newKey(t, trust.AlgorithmECDSA))
	attest(must(trust.Build{Builder: "https://ci.example.com"}.Predicate()), key)
	for name, c := range map[string]struct {
		requirement trust.Requirement
		reason      string // empty: trusted
	}{
		"any age":               {trust.Requirement{Kind: "vuln"}, ""},
		"young enough":          {trust.Requirement{Kind: "vuln", MaxAge: 72 * time.Hour}, ""},
		"too old":               {trust.Requirement{Kind: "vuln", MaxAge: 24 * time.Hour}, "older than 24h0m0s"},
		"of no time":            {trust.Requirement{Kind: "sbom", MaxAge: 24 * time.Hour}, "does not say when it was made"},
		"by the builder":        {trust.Requirement{Kind: "provenance", Builder: "https://ci.example.com"}, ""},
		"by another builder":    {trust.Requirement{Kind: "provenance", Builder: "https://evil.example.com"}, `says that "https://ci.example.com" built`},
		"of a kind not there":   {trust.Requirement{Kind: "vex"}, "there is no vex attestation that counts"},
		"of a type not there":   {trust.Requirement{Kind: "https://example.com/review/v1"}, "there is no https://example.com/review/v1 attestation"},
		"of a type with prefix": {trust.Requirement{Kind: "https://cyclonedx.org/bo"}, "there is no https://cyclonedx.org/bo attestation"},
	} {
		t.Run(name, func(t *testing.T) {
			policy := byKey(key)
			policy.Attestations = []trust.Requirement{c.requirement}
			if c.reason != "" {
				refused(t, image.Name(), policy, c.reason)
				return
			}
			if v := trusted(t, image.Name(), policy); c.requirement.MaxAge > 0 && time.Until(v.ValidUntil) > 24*time.Hour+time.Second {
				t.Errorf("valid until %v, when the scan is too old", v.ValidUntil)
			}
		})
	}
	attest(scan(-time.Hour), key)
	policy := byKey(key)
	policy.Attestations = []trust.Requirement{{Kind: "vuln", MaxAge: time.Hour}}
	if v := refused(t, image.Name(), policy, "vuln attestation"); !strings.Contains(strings.Join(v.Reasons, ""), "yet to come") && !strings.Contains(strings.Join(v.Reasons, ""), "older") {
		t.Errorf("%q", v.Reasons)
	}
}
