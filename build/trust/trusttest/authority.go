// Package trusttest runs a private sigstore for tests: a certificate authority that certifies
// keys by an identity token as Fulcio does, a transparency log that answers as Rekor does, and
// an RFC 3161 timestamp authority, all on loopback under one trust root. It believes every
// token. Its clocks can be set, so that what is too late or too early can be made.
package trusttest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/go-openapi/runtime"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/rekor/pkg/types"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
)

// Authority is a running sigstore.
type Authority struct {
	URL string // of all three services
	// TrustRoot is its trusted_root.json.
	TrustRoot []byte
	// CertificateFrom is when certificates begin to be valid, for ten minutes.
	CertificateFrom func() time.Time
	// LoggedAt is when the log says that it was told.
	LoggedAt func() time.Time

	log          *ca.VirtualSigstore
	intermediate *x509.Certificate
	key          *ecdsa.PrivateKey
	stamper      *x509.Certificate
	stamperKey   *ecdsa.PrivateKey
}

// Start runs an authority for a test.
func Start(t testing.TB) *Authority {
	t.Helper()
	a, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v2/signingCert", handler(http.StatusOK, a.certify))
	mux.HandleFunc("POST /api/v1/log/entries", handler(http.StatusCreated, a.enter))
	mux.HandleFunc("POST /api/v1/timestamp", handler(http.StatusCreated, a.stamp))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	a.URL = server.URL
	return a
}

// Token is an identity token for an e-mail address by the word of an issuer.
func Token(email, issuer string) string {
	claims, _ := json.Marshal(map[string]any{
		"iss": issuer, "sub": email, "email": email, "email_verified": true, "aud": "sigstore", "exp": time.Now().Add(time.Hour).Unix(),
	})
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"none"}`)) + "." + part(claims) + "." + part([]byte("unsigned"))
}

func newAuthority() (*Authority, error) {
	a := &Authority{
		CertificateFrom: func() time.Time { return time.Now().Add(-time.Minute) },
		LoggedAt:        time.Now,
	}
	top, topKey, err := ca.GenerateRootCa()
	if err != nil {
		return nil, err
	}
	if a.intermediate, a.key, err = ca.GenerateFulcioIntermediate(top, topKey); err != nil {
		return nil, err
	}
	stampers, stampersKey, err := ca.GenerateTSAIntermediate(top, topKey)
	if err != nil {
		return nil, err
	}
	if a.stamperKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	if a.stamper, err = ca.GenerateTSALeafCert(time.Now().Add(-time.Minute), a.stamperKey, stampers, stampersKey); err != nil {
		return nil, err
	}
	if a.log, err = ca.NewVirtualSigstore(); err != nil {
		return nil, err
	}
	from, to := time.Now().Add(-5*time.Hour), time.Now().Add(time.Hour)
	logs := a.log.RekorLogs()
	for id, l := range logs {
		if l.ID, err = hex.DecodeString(id); err != nil {
			return nil, err
		}
		l.ValidityPeriodStart, l.ValidityPeriodEnd = from, to
	}
	trustRoot, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{
			Root: top, Intermediates: []*x509.Certificate{a.intermediate}, ValidityPeriodStart: from, ValidityPeriodEnd: to, URI: "https://fulcio.localhost",
		}},
		map[string]*root.TransparencyLog{},
		[]root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{
			Root: top, Intermediates: []*x509.Certificate{stampers}, Leaf: a.stamper, ValidityPeriodStart: from, ValidityPeriodEnd: to, URI: "https://tsa.localhost",
		}}, logs)
	if err != nil {
		return nil, err
	}
	a.TrustRoot, err = trustRoot.MarshalJSON()
	return a, err
}

// handler answers what a service returns with a status, 400 where it fails.
func handler(status int, serve func(w http.ResponseWriter, r *http.Request, body []byte) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
		var answer []byte
		if err == nil {
			answer, err = serve(w, r, body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write(answer)
	}
}

// certify is Fulcio's POST /api/v2/signingCert.
func (a *Authority) certify(_ http.ResponseWriter, r *http.Request, body []byte) ([]byte, error) {
	var request struct {
		PublicKeyRequest struct {
			PublicKey struct {
				Content string `json:"content"`
			} `json:"publicKey"`
		} `json:"publicKeyRequest"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, err
	}
	parts := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), ".")
	if len(parts) != 3 {
		return nil, errors.New("no identity token")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, err
	}
	var claims struct{ Iss, Email string }
	if err := json.Unmarshal(text, &claims); err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(request.PublicKeyRequest.PublicKey.Content))
	if block == nil {
		return nil, errors.New("no public key")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	leaf, err := ca.GenerateLeafCert(claims.Email, claims.Iss, a.CertificateFrom(), publicOnly{key}, a.intermediate, a.key)
	if err != nil {
		return nil, err
	}
	var answer struct {
		SCT struct {
			Chain struct {
				Certificates []string `json:"certificates"`
			} `json:"chain"`
		} `json:"signedCertificateEmbeddedSct"`
	}
	for _, c := range []*x509.Certificate{leaf, a.intermediate} {
		answer.SCT.Chain.Certificates = append(answer.SCT.Chain.Certificates, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})))
	}
	return json.Marshal(answer)
}

// publicOnly stands for a key whose private half is the client's.
type publicOnly struct{ key crypto.PublicKey }

func (p publicOnly) Public() crypto.PublicKey { return p.key }

func (publicOnly) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the private key is the client's")
}

// enter is Rekor's POST /api/v1/log/entries.
func (a *Authority) enter(w http.ResponseWriter, r *http.Request, body []byte) ([]byte, error) {
	proposed, err := models.UnmarshalProposedEntry(bytes.NewReader(body), runtime.JSONConsumer())
	if err != nil {
		return nil, err
	}
	entry, err := types.CreateVersionedEntry(proposed)
	if err != nil {
		return nil, err
	}
	canonical, err := types.CanonicalizeEntry(r.Context(), entry)
	if err != nil {
		return nil, err
	}
	id, err := a.log.RekorLogID()
	if err != nil {
		return nil, err
	}
	proof, err := a.log.GetInclusionProof(canonical)
	if err != nil {
		return nil, err
	}
	payload := tlog.RekorPayload{
		Body: base64.StdEncoding.EncodeToString(canonical), IntegratedTime: a.LoggedAt().Unix(), LogIndex: *proof.LogIndex, LogID: id,
	}
	promise, err := a.log.RekorSignPayload(payload)
	if err != nil {
		return nil, err
	}
	uuid := strings.Repeat("0", 16) + fmt.Sprintf("%064x", rfc6962(canonical))
	w.Header().Set("ETag", uuid)
	w.Header().Set("Location", "/api/v1/log/entries/"+uuid)
	w.Header().Set("Content-Type", "application/json")
	return json.Marshal(map[string]any{uuid: map[string]any{
		"body": payload.Body, "integratedTime": payload.IntegratedTime, "logID": id, "logIndex": payload.LogIndex,
		"verification": map[string]any{"inclusionProof": proof, "signedEntryTimestamp": promise},
	}})
}

// rfc6962 is the hash of a leaf of the log.
func rfc6962(leaf []byte) []byte {
	h := crypto.SHA256.New()
	h.Write(append([]byte{0}, leaf...))
	return h.Sum(nil)
}

// stamp is an RFC 3161 authority.
func (a *Authority) stamp(w http.ResponseWriter, _ *http.Request, body []byte) ([]byte, error) {
	request, err := timestamp.ParseRequest(body)
	if err != nil {
		return nil, err
	}
	stamp := timestamp.Timestamp{
		HashAlgorithm: request.HashAlgorithm, HashedMessage: request.HashedMessage, Time: time.Now(),
		Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}, Nonce: request.Nonce,
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	return stamp.CreateResponseWithOpts(a.stamper, a.stamperKey, crypto.SHA256)
}
