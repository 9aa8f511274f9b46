package trust

import (
	"encoding/json"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"
)

// What stands beside an image is written by whoever can push there. These hold that reading
// and verifying it ends in a verdict, and never in one of trust for what was not signed.

const fuzzHex = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// fuzzVerifier trusts a key that signed nothing.
func fuzzVerifier(f *testing.F) *verifier {
	f.Helper()
	key, err := GenerateKey(AlgorithmECDSA)
	if err != nil {
		f.Fatal(err)
	}
	return &verifier{policy: &Policy{Keys: []*PublicKey{key.Public()}}}
}

// seed signs with a key that nobody trusts.
func seed(f *testing.F, content sign.Content) []byte {
	f.Helper()
	key, err := GenerateKey(AlgorithmECDSA)
	if err != nil {
		f.Fatal(err)
	}
	b, err := sign.Bundle(content, keypair{key, key.Public()}, sign.BundleOptions{})
	if err != nil {
		f.Fatal(err)
	}
	data, err := protojson.Marshal(b)
	if err != nil {
		f.Fatal(err)
	}
	return data
}

func seedStatement() []byte {
	data, _ := json.Marshal(statement{
		Type: statementV1, PredicateType: PredicateSign, Predicate: json.RawMessage("{}"),
		Subject: []subject{{Digest: map[string]string{"sha256": fuzzHex}}},
	})
	return data
}

func FuzzBundle(f *testing.F) {
	v := fuzzVerifier(f)
	f.Add(seed(f, &sign.DSSEData{Data: seedStatement(), PayloadType: payloadType}))
	f.Add(seed(f, &sign.PlainData{Data: []byte("x")}))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"certificate":{"rawBytes":"AA=="},"tlogEntries":[{}]},"dsseEnvelope":{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AA=="}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := readBundle(data)
		if err != nil {
			return
		}
		if s, err := v.check(c, fuzzHex); err == nil {
			t.Errorf("trusted: %+v", s)
		}
	})
}

func FuzzTagSignature(f *testing.F) {
	v := fuzzVerifier(f)
	payload := []byte(`{"critical":{"identity":{"docker-reference":"r"},"image":{"docker-manifest-digest":"sha256:` + fuzzHex + `"},"type":"cosign container image signature"},"optional":null}`)
	f.Add(payload, "AAAA", "", `{"SignedEntryTimestamp":"AA==","Payload":{"body":"eyJhcGlWZXJzaW9uIjoiMC4wLjEiLCJraW5kIjoiaGFzaGVkcmVrb3JkIn0=","integratedTime":1,"logIndex":1,"logID":"aa"}}`, `{"SignedRFC3161Timestamp":"AA=="}`)
	f.Add(payload, "MEUCIQ==", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "", "")
	f.Fuzz(func(t *testing.T, payload []byte, signature, certificate, log, stamp string) {
		c, err := readTagSignature(payload, map[string]string{
			annotationSignature: signature, annotationCertificate: certificate, annotationRekor: log, annotationTimestamp: stamp,
		})
		if err != nil {
			return
		}
		if s, err := v.check(c, fuzzHex); err == nil {
			t.Errorf("trusted: %+v", s)
		}
	})
}

func FuzzTagAttestation(f *testing.F) {
	v := fuzzVerifier(f)
	data, _ := json.Marshal(envelope{payloadType, seedStatement(), []envelopeSignature{{Sig: []byte("x")}}})
	f.Add(data)
	f.Add([]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"bnVsbA==","signatures":[{"sig":""},null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := readTagAttestation(data, nil)
		if err != nil {
			return
		}
		if s, err := v.check(c, fuzzHex); err == nil {
			t.Errorf("trusted: %+v", s)
		}
	})
}

func FuzzStatement(f *testing.F) {
	f.Add(seedStatement())
	f.Add([]byte(`{"_type":"https://in-toto.io/Statement/v0.1","subject":[{"digest":null}],"predicateType":"https://slsa.dev/provenance/v1","predicate":{"runDetails":{"metadata":{"finishedOn":"2026-01-01T00:00:00Z"}}}}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if s, err := readStatement(data); err == nil {
			_ = s.about(fuzzHex)
			_ = madeAt(s.PredicateType, s.Predicate)
			_ = builderOf(s.Predicate)
		}
	})
}

func FuzzKeys(f *testing.F) {
	for _, algorithm := range []string{AlgorithmECDSA, AlgorithmEd25519} {
		key, err := GenerateKey(algorithm)
		if err != nil {
			f.Fatal(err)
		}
		private, err := key.Encode(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(private)
		f.Add(key.Public().Encode())
	}
	f.Add([]byte("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\ne30=\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = ReadKey(data, func() ([]byte, error) { return []byte("x"), nil })
		_, _ = ReadPublicKeys(data)
		_, _ = ReadTrustRoot(data)
	})
}
