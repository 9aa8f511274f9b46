package trust

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/triad-security/triad"
)

// Policy says whose signature makes an image trusted, and what else must be attested of it.
type Policy struct {
	// Keys whose signature counts; any one is enough.
	Keys []*PublicKey
	// Identities whose signature without a key counts, by certificates under Root.
	Identities []Identity
	Root       *TrustRoot

	// RequireLog wants an entry in a transparency log of Root for signatures with a key too.
	RequireLog bool
	// IgnoreLog accepts certificates without a log entry where a timestamp authority of Root
	// witnessed the time.
	IgnoreLog bool
	// IgnoreSCT accepts certificates that are in no certificate transparency log, although
	// Root names such logs.
	IgnoreSCT bool

	// Attestations that must be there, each signed as the signature must be.
	Attestations []Requirement
	// Annotations that the signature must carry.
	Annotations map[string]string
}

// Identity is who a certificate was issued to, and by whose word. Each of the two is given
// as it is or as a regular expression for the whole of it.
type Identity struct {
	Subject       string `json:"subject,omitempty"`
	SubjectRegexp string `json:"subject_regexp,omitempty"`
	Issuer        string `json:"issuer,omitempty"`
	IssuerRegexp  string `json:"issuer_regexp,omitempty"`
}

// Requirement is an attestation that must be there.
type Requirement struct {
	// Kind is sbom, vuln, provenance, vex, or the URI of a predicate type.
	Kind string `json:"kind"`
	// MaxAge is how long ago it may have been made; 0 is any.
	MaxAge time.Duration `json:"max_age,omitempty"`
	// Builder is who must have built the image, of a provenance; empty is anybody.
	Builder string `json:"builder,omitempty"`
}

// maxKeys bounds what a signature is tried with.
const maxKeys = 64

// check refuses a policy that would trust everybody, or nobody by mistake.
func (p *Policy) check() error {
	switch {
	case len(p.Keys)+len(p.Identities) == 0:
		return triad.Errorf(triad.CodeInvalid, "the policy names nobody: give a key, or an identity with its issuer and a trust root")
	case len(p.Keys)+len(p.Identities) > maxKeys:
		return triad.Errorf(triad.CodeInvalid, "the policy names %d keys and identities; at most %d are tried", len(p.Keys)+len(p.Identities), maxKeys)
	case len(p.Identities) > 0 && p.Root == nil:
		return triad.Errorf(triad.CodeInvalid, "identities need a trust root: whose certificates count")
	case p.RequireLog && p.Root == nil:
		return triad.Errorf(triad.CodeInvalid, "a log entry can only be required with a trust root that names the log")
	case p.RequireLog && p.IgnoreLog:
		return triad.Errorf(triad.CodeInvalid, "the log is both required and ignored")
	}
	for _, r := range p.Attestations {
		if _, err := predicateTypes(r.Kind); err != nil {
			return err
		}
	}
	_, err := p.identities()
	return err
}

// identities are the policy's as sigstore-go matches them.
func (p *Policy) identities() ([]verify.CertificateIdentity, error) {
	var all []verify.CertificateIdentity
	for _, i := range p.Identities {
		if (i.Subject == "") == (i.SubjectRegexp == "") || (i.Issuer == "") == (i.IssuerRegexp == "") {
			return nil, triad.Errorf(triad.CodeInvalid, "an identity has a subject and an issuer, each as it is or as a regular expression")
		}
		subject, err := whole(i.SubjectRegexp)
		if err != nil {
			return nil, err
		}
		issuer, err := whole(i.IssuerRegexp)
		if err != nil {
			return nil, err
		}
		id, err := verify.NewShortCertificateIdentity(i.Issuer, issuer, i.Subject, subject)
		if err != nil {
			return nil, triad.Errorf(triad.CodeInvalid, "identity: %w", err)
		}
		all = append(all, id)
	}
	return all, nil
}

// whole anchors an expression: one that is found anywhere would take
// https://github.com/acme.evil.net for https://github.com/acme.
func whole(expression string) (string, error) {
	if expression == "" {
		return "", nil
	}
	if _, err := regexp.Compile(expression); err != nil {
		return "", triad.Errorf(triad.CodeInvalid, "identity: %w", err)
	}
	return `\A(?:` + expression + `)\z`, nil
}

// Hash names the policy and its trust material: two with one hash give the same verdict.
func (p *Policy) Hash() string {
	var keys []string
	for _, k := range p.Keys {
		keys = append(keys, k.ID())
	}
	slices.Sort(keys)
	material := ""
	if p.Root != nil {
		material = p.Root.hash
	}
	data, err := json.Marshal(struct {
		Version      int // of the meaning of a verdict
		Keys         []string
		Identities   []Identity
		Root         string
		RequireLog   bool
		IgnoreLog    bool
		IgnoreSCT    bool
		Attestations []Requirement
		Annotations  map[string]string
	}{1, keys, p.Identities, material, p.RequireLog, p.IgnoreLog, p.IgnoreSCT, p.Attestations, p.Annotations})
	if err != nil {
		panic(err) // strings and numbers
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// TrustRoot is whose certificates, logs and timestamps count: a trusted_root.json of sigstore
// (github.com/sigstore/protobuf-specs, TrustedRoot).
type TrustRoot struct {
	material *root.TrustedRoot
	hash     string
}

// maxTrustRoot is the size in bytes of a trust root; the public one has 7,000.
const maxTrustRoot = 4 << 20

// ReadTrustRoot reads a trusted_root.json.
func ReadTrustRoot(data []byte) (*TrustRoot, error) {
	if len(data) > maxTrustRoot {
		return nil, triad.Errorf(triad.CodeInvalid, "the trust root is larger than %d bytes", maxTrustRoot)
	}
	if err := checkJSON(data); err != nil {
		return nil, fmt.Errorf("trust root: %w", err)
	}
	material, err := root.NewTrustedRootFromJSON(data)
	if err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "trust root: %w; give a trusted_root.json of sigstore", err)
	}
	sum := sha256.Sum256(data)
	return &TrustRoot{material, hex.EncodeToString(sum[:])}, nil
}
