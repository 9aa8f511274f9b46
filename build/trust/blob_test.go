package trust

import "testing"

func TestABlobIsItsKeysAndNoOthers(t *testing.T) {
	for _, algorithm := range []string{AlgorithmECDSA, AlgorithmEd25519, AlgorithmRSA} {
		t.Run(algorithm, func(t *testing.T) {
			key, err := GenerateKey(algorithm)
			if err != nil {
				t.Fatal(err)
			}
			other, err := GenerateKey(algorithm)
			if err != nil {
				t.Fatal(err)
			}
			signature, err := key.SignBlob([]byte("message"))
			if err != nil {
				t.Fatal(err)
			}
			if err := key.Public().VerifyBlob([]byte("message"), signature); err != nil {
				t.Error(err)
			}
			if key.Public().VerifyBlob([]byte("massage"), signature) == nil || other.Public().VerifyBlob([]byte("message"), signature) == nil {
				t.Error("another message or another key is taken")
			}
		})
	}
}
