package trust

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha512" // for the hashes of P-384 and P-521
	"errors"
	"io"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/signature"
)

// keyVerifier verifies as cosign signs with a kind of key. cosign 3 hashes for P-384 and
// P-521 with SHA-384 and SHA-512, earlier ones with SHA-256; it signs with Ed25519ph where
// others sign with Ed25519.
type keyVerifier struct{ key crypto.PublicKey }

var (
	_ root.TimeConstrainedVerifier = keyVerifier{}

	errSignature = errors.New("the signature is not this key's")
)

func (v keyVerifier) ValidAtTime(time.Time) bool { return true }

func (v keyVerifier) PublicKey(...signature.PublicKeyOption) (crypto.PublicKey, error) {
	return v.key, nil
}

func (v keyVerifier) VerifySignature(sig, message io.Reader, _ ...signature.VerifyOption) error {
	s, err := io.ReadAll(io.LimitReader(sig, maxAnnotation))
	if err != nil {
		return err
	}
	m, err := io.ReadAll(message)
	if err != nil {
		return err
	}
	switch k := v.key.(type) {
	case *ecdsa.PublicKey:
		h, _, _ := hash(k)
		if ecdsa.VerifyASN1(k, sum(h, m), s) || h != crypto.SHA256 && ecdsa.VerifyASN1(k, sum(crypto.SHA256, m), s) {
			return nil
		}
	case ed25519.PublicKey:
		if ed25519.Verify(k, m, s) {
			return nil
		}
		return ed25519.VerifyWithOptions(k, sum(crypto.SHA512, m), s, &ed25519.Options{Hash: crypto.SHA512})
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, sum(crypto.SHA256, m), s)
	}
	return errSignature
}

func sum(h crypto.Hash, data []byte) []byte {
	hasher := h.New()
	hasher.Write(data)
	return hasher.Sum(nil)
}

// keyMaterial is trust in one key, and in the logs and timestamp authorities of a root.
type keyMaterial struct {
	root.TrustedMaterial
	key keyVerifier
}

func (m keyMaterial) PublicKeyVerifier(string) (root.TimeConstrainedVerifier, error) {
	return m.key, nil
}
