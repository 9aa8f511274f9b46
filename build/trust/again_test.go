package trust_test

import (
	"testing"

	"github.com/triad-security/triad/build/trust"
)

func TestAnImageIsSignedByAKeyOnce(t *testing.T) {
	for registry, start := range registries {
		t.Run(registry, func(t *testing.T) {
			image := push(t, start(t)+"/shop/web:1.0")
			key := newKey(t, trust.AlgorithmECDSA)
			for range 3 {
				sign(t, image, key, trust.FormBoth)
			}
			sign(t, image, newKey(t, trust.AlgorithmEd25519), trust.FormBoth)
			if v := trusted(t, image.Name(), byKey(key)); len(v.Signatures) != 2 || len(v.Rejected) != 2 {
				t.Errorf("signatures %+v, rejected %+v", v.Signatures, v.Rejected)
			}
			// With other annotations it is another signature.
			if err := (&trust.Client{}).Sign(t.Context(), image, trust.NewSigner(key, trust.Services{}), trust.FormBundle, map[string]any{"stage": "release"}); err != nil {
				t.Fatal(err)
			}
			policy := byKey(key)
			policy.Annotations = map[string]string{"stage": "release"}
			if v := trusted(t, image.Name(), policy); len(v.Signatures) != 1 {
				t.Errorf("signatures %+v", v.Signatures)
			}
		})
	}
}

func TestAnAttestationTakesThePlaceOfTheOneBefore(t *testing.T) {
	for registry, start := range registries {
		t.Run(registry, func(t *testing.T) {
			image := push(t, start(t)+"/shop/web:1.0")
			key, other := newKey(t, trust.AlgorithmECDSA), newKey(t, trust.AlgorithmECDSA)
			c, signer := &trust.Client{}, trust.NewSigner(key, trust.Services{})
			sign(t, image, key, trust.FormBoth)
			attest := func(s *trust.Signer, p trust.Predicate) {
				t.Helper()
				if err := c.Attest(t.Context(), image, s, trust.FormBoth, p); err != nil {
					t.Fatal(err)
				}
			}
			attest(signer, must(trust.Build{Builder: "b"}.Predicate()))
			attest(trust.NewSigner(other, trust.Services{}), bom)
			attest(signer, bom)
			before, err := c.Attested(t.Context(), image, signer, bom.Type)
			if err != nil || len(before) != 2 {
				t.Fatalf("%+v, %v", before, err)
			}
			attest(signer, trust.Predicate{Type: bom.Type, Body: []byte(`{"bomFormat":"CycloneDX","version":2}`)})
			remains, err := c.Withdraw(t.Context(), image, before)
			if err != nil || len(remains) > 0 {
				t.Fatalf("%v, %v", remains, err)
			}
			after, err := c.Attested(t.Context(), image, signer, bom.Type)
			if err != nil || len(after) != 2 || after[0].Source == before[0].Source {
				t.Errorf("%+v, %v", after, err)
			}
			policy := byKey(key)
			policy.Attestations = []trust.Requirement{{Kind: "sbom"}, {Kind: "provenance"}}
			trusted(t, image.Name(), policy)
			theirs := byKey(other)
			theirs.Attestations = policy.Attestations[:1]
			if v := refused(t, image.Name(), theirs, "is a signature that counts"); len(v.Reasons) != 1 || len(v.Attestations) != 2 {
				t.Errorf("%+v", v)
			}
		})
	}
}
