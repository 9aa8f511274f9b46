package trust

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/triad-security/triad"
)

// PEM types of private keys. The encrypted ones are cosign's: scrypt and NaCl's secretbox
// over PKCS #8 (go-securesystemslib/encrypted).
const (
	pemPKCS8           = "PRIVATE KEY"
	pemEC              = "EC PRIVATE KEY"
	pemRSA             = "RSA PRIVATE KEY"
	pemEncrypted       = "ENCRYPTED SIGSTORE PRIVATE KEY"
	pemEncryptedCosign = "ENCRYPTED COSIGN PRIVATE KEY"
)

// RSA keys: less is broken, more only costs the verifier time.
const minRSABits, maxRSABits = 2048, 8192

// maxKeyFile is the size in bytes of a file of keys.
const maxKeyFile = 1 << 20

// Algorithms of keys that GenerateKey makes.
const (
	AlgorithmECDSA   = "ecdsa-p256"
	AlgorithmEd25519 = "ed25519"
	AlgorithmRSA     = "rsa-3072"
)

// Key is a private key that signs.
type Key struct{ signer crypto.Signer }

// GenerateKey makes a key of one of the algorithms.
func GenerateKey(algorithm string) (*Key, error) {
	var signer crypto.Signer
	var err error
	switch algorithm {
	case AlgorithmECDSA:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case AlgorithmEd25519:
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	case AlgorithmRSA:
		signer, err = rsa.GenerateKey(rand.Reader, 3072)
	default:
		return nil, triad.Errorf(triad.CodeInvalid, "%s is no algorithm of keys: give %s, %s or %s", algorithm, AlgorithmECDSA, AlgorithmEd25519, AlgorithmRSA)
	}
	if err != nil {
		return nil, fmt.Errorf("generating a key: %w", err)
	}
	return &Key{signer}, nil
}

// ReadKey reads a private key in PEM: PKCS #8, SEC 1, PKCS #1, or cosign's encrypted form.
// password is asked only for an encrypted one.
func ReadKey(data []byte, password func() ([]byte, error)) (*Key, error) {
	if len(data) > maxKeyFile {
		return nil, triad.Errorf(triad.CodeInvalid, "the key file is larger than %d bytes", maxKeyFile)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, triad.Errorf(triad.CodeInvalid, "the key is not PEM; `triad trust keygen` makes one")
	}
	var parsed any
	var err error
	switch block.Type {
	case pemPKCS8:
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case pemEC:
		parsed, err = x509.ParseECPrivateKey(block.Bytes)
	case pemRSA:
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case pemEncrypted, pemEncryptedCosign:
		parsed, err = decrypt(block.Bytes, password)
	default:
		return nil, triad.Errorf(triad.CodeInvalid, "a PEM block of type %q is no private key", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the private key: %w", err)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, triad.Errorf(triad.CodeInvalid, "a key of type %T does not sign", parsed)
	}
	if err := usable(signer.Public()); err != nil {
		return nil, err
	}
	return &Key{signer}, nil
}

func decrypt(data []byte, password func() ([]byte, error)) (any, error) {
	if password == nil {
		return nil, errors.New("the key is encrypted and there is no password")
	}
	secret, err := password()
	if err != nil {
		return nil, err
	}
	der, err := encrypted.Decrypt(data, secret)
	if err != nil {
		return nil, triad.Errorf(triad.CodeDenied, "the password does not open the key: %w", err)
	}
	return x509.ParsePKCS8PrivateKey(der)
}

// Encode returns the key in PEM, encrypted as cosign does where a password is given.
func (k *Key) Encode(password []byte) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.signer)
	if err != nil {
		return nil, err
	}
	kind := pemPKCS8
	if len(password) > 0 {
		if der, err = encrypted.Encrypt(der, password); err != nil {
			return nil, fmt.Errorf("encrypting the key: %w", err)
		}
		kind = pemEncrypted
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), nil
}

// Public returns the public key.
func (k *Key) Public() *PublicKey {
	public, err := newPublicKey(k.signer.Public())
	if err != nil {
		panic(err) // a Key is only made of usable keys
	}
	return public
}

// PublicKey is a key that verifies.
type PublicKey struct {
	key crypto.PublicKey
	der []byte // SubjectPublicKeyInfo
}

// ReadPublicKeys reads the public keys of a PEM file, one or more.
func ReadPublicKeys(data []byte) ([]*PublicKey, error) {
	if len(data) > maxKeyFile {
		return nil, triad.Errorf(triad.CodeInvalid, "the key file is larger than %d bytes", maxKeyFile)
	}
	var keys []*PublicKey
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		var parsed any
		var err error
		switch block.Type {
		case "PUBLIC KEY":
			parsed, err = x509.ParsePKIXPublicKey(block.Bytes)
		case "RSA PUBLIC KEY":
			parsed, err = x509.ParsePKCS1PublicKey(block.Bytes)
		default:
			err = fmt.Errorf("a PEM block of type %q is no public key", block.Type)
		}
		if err != nil {
			return nil, triad.Errorf(triad.CodeInvalid, "reading the public key: %w", err)
		}
		key, err := newPublicKey(parsed)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, triad.Errorf(triad.CodeInvalid, "there is no public key in PEM")
	}
	return keys, nil
}

func newPublicKey(key crypto.PublicKey) (*PublicKey, error) {
	if err := usable(key); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	return &PublicKey{key, der}, nil
}

// Encode returns the key in PEM.
func (k *PublicKey) Encode() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.der})
}

// ID names the key: SHA-256 of its SubjectPublicKeyInfo in base64, the hint that cosign
// writes into bundles.
func (k *PublicKey) ID() string {
	sum := sha256.Sum256(k.der)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// usable refuses what is too weak, or too costly to verify.
func usable(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
		return triad.Errorf(triad.CodeInvalid, "ECDSA over %s is not used to sign images; give P-256", k.Curve.Params().Name)
	case ed25519.PublicKey:
		return nil
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return triad.Errorf(triad.CodeInvalid, "the RSA key has %d bits; give %d to %d", bits, minRSABits, maxRSABits)
		}
		return nil
	}
	return triad.Errorf(triad.CodeInvalid, "keys of type %T do not sign images; give ECDSA P-256, Ed25519 or RSA", key)
}

// keypair is a Key as sigstore-go signs with it.
type keypair struct {
	*Key
	public *PublicKey
}

var _ sign.Keypair = keypair{}

// hash is what cosign hashes with for a kind of key before it signs.
func hash(key crypto.PublicKey) (crypto.Hash, v1.HashAlgorithm, v1.PublicKeyDetails) {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P384():
			return crypto.SHA384, v1.HashAlgorithm_SHA2_384, v1.PublicKeyDetails_PKIX_ECDSA_P384_SHA_384
		case elliptic.P521():
			return crypto.SHA512, v1.HashAlgorithm_SHA2_512, v1.PublicKeyDetails_PKIX_ECDSA_P521_SHA_512
		}
		return crypto.SHA256, v1.HashAlgorithm_SHA2_256, v1.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256
	case ed25519.PublicKey:
		return 0, v1.HashAlgorithm_SHA2_256, v1.PublicKeyDetails_PKIX_ED25519
	case *rsa.PublicKey:
		switch {
		case k.N.BitLen() <= 2048:
			return crypto.SHA256, v1.HashAlgorithm_SHA2_256, v1.PublicKeyDetails_PKIX_RSA_PKCS1V15_2048_SHA256
		case k.N.BitLen() <= 3072:
			return crypto.SHA256, v1.HashAlgorithm_SHA2_256, v1.PublicKeyDetails_PKIX_RSA_PKCS1V15_3072_SHA256
		}
		return crypto.SHA256, v1.HashAlgorithm_SHA2_256, v1.PublicKeyDetails_PKIX_RSA_PKCS1V15_4096_SHA256
	}
	return crypto.SHA256, v1.HashAlgorithm_SHA2_256, v1.PublicKeyDetails_PUBLIC_KEY_DETAILS_UNSPECIFIED
}

func (k keypair) GetHashAlgorithm() v1.HashAlgorithm {
	_, algorithm, _ := hash(k.public.key)
	return algorithm
}

func (k keypair) GetSigningAlgorithm() v1.PublicKeyDetails {
	_, _, details := hash(k.public.key)
	return details
}

func (k keypair) GetHint() []byte { return []byte(k.public.ID()) }

func (k keypair) GetKeyAlgorithm() string {
	switch k.public.key.(type) {
	case *rsa.PublicKey:
		return "RSA"
	case ed25519.PublicKey:
		return "ED25519"
	}
	return "ECDSA"
}

func (k keypair) GetPublicKey() crypto.PublicKey { return k.public.key }

func (k keypair) GetPublicKeyPem() (string, error) { return string(k.public.Encode()), nil }

// SignData returns the signature and the digest of the data.
func (k keypair) SignData(_ context.Context, data []byte) (signature, digest []byte, err error) {
	h, _, _ := hash(k.public.key)
	signed := data
	if h != 0 {
		hasher := h.New()
		hasher.Write(data)
		signed = hasher.Sum(nil)
		digest = signed
	} else { // Ed25519 takes the message; the digest is what bundles carry beside it
		sum := sha256.Sum256(data)
		digest = sum[:]
	}
	signature, err = k.signer.Sign(rand.Reader, signed, h)
	return signature, bytes.Clone(digest), err
}
