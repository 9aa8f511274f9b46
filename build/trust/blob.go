package trust

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
)

// SignBlob signs bytes as `cosign sign-blob --key` does: the digest of the key's kind, or the
// message itself with Ed25519.
func (k *Key) SignBlob(message []byte) ([]byte, error) {
	if _, ok := k.signer.(ed25519.PrivateKey); ok {
		return k.signer.Sign(rand.Reader, message, crypto.Hash(0))
	}
	h, _, _ := hash(k.signer.Public())
	if h == 0 {
		h = crypto.SHA256
	}
	return k.signer.Sign(rand.Reader, sum(h, message), h)
}

// VerifyBlob checks what SignBlob or cosign made.
func (k *PublicKey) VerifyBlob(message, signature []byte) error {
	return keyVerifier{k.key}.VerifySignature(bytes.NewReader(signature), bytes.NewReader(message))
}
