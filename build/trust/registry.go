package trust

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/registry"
)

// Client reads and writes images and what is signed of them in registries.
type Client struct {
	// Insecure speaks plain HTTP to registries. Those on loopback are spoken to so anyway.
	Insecure bool
	// Keychain has the credentials; nil is that of `docker login`.
	Keychain authn.Keychain
	// Transport is for tests; nil is the default one.
	Transport http.RoundTripper

	// put is told of each manifest before it is put by digest.
	put func(name.Digest)
}

// Bounds of what is read of a registry for one image. A registry that holds more is refused:
// whoever can push there could otherwise keep a verifier busy for ever.
const (
	maxManifest     = 4 << 20   // bytes of a manifest or index
	maxPayload      = 64 << 10  // bytes of a signed payload; a real one has 300
	maxBundle       = 48 << 20  // bytes of a bundle: an attestation in base64 twice over
	maxAttestation  = 16 << 20  // bytes of a statement; a bill of materials of 10,000 packages has 6 MB
	maxSignatures   = 200       // signatures and attestations of one image
	maxReferrers    = 1000      // referrers of any kind of one image
	maxTotalBytes   = 256 << 20 // bytes read of signatures and attestations of one image
	maxAnnotation   = 64 << 10  // bytes of one annotation with a signature, certificate or log entry
	userAgent       = "triad"
	suffixSignature = "sig"
	// suffixAttestation as in sha256-….att
	suffixAttestation = "att"
)

// MaxPredicate is the size in bytes of a document that can be attested.
const MaxPredicate = maxAttestation

func (c *Client) options(ctx context.Context) []remote.Option {
	keychain := c.Keychain
	if keychain == nil {
		keychain = authn.DefaultKeychain
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(keychain), remote.WithUserAgent(userAgent)}
	if c.Transport != nil {
		options = append(options, remote.WithTransport(c.Transport))
	}
	return options
}

// Parse reads an image reference by the reference grammar.
func (c *Client) Parse(reference string) (name.Reference, error) {
	var options []name.Option
	if c.Insecure {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(reference, options...)
	if err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "%s is not an image reference: %w", clip(reference), err)
	}
	return ref, nil
}

// Resolve returns the digest that a reference means now. One with a digest is not asked for.
func (c *Client) Resolve(ctx context.Context, reference string) (name.Digest, error) {
	ref, err := c.Parse(reference)
	if err != nil {
		return name.Digest{}, err
	}
	if d, ok := ref.(name.Digest); ok {
		return d, nil
	}
	d, err := remote.Head(ref, c.options(ctx)...)
	if err != nil {
		// Some registries answer HEAD with an error; their GET says which.
		got, err := remote.Get(ref, c.options(ctx)...)
		if err != nil {
			return name.Digest{}, registry.Explain("reading "+ref.Name(), err)
		}
		d = &got.Descriptor
	}
	return ref.Context().Digest(d.Digest.String()), nil
}

// tagOf is the tag under which something of an image is kept: sha256-….sig.
func tagOf(image name.Digest, suffix string) name.Tag {
	return image.Context().Tag(strings.Replace(image.DigestStr(), ":", "-", 1) + "." + suffix)
}

// referrersTag is where registries without the referrers API list what refers to an image
// (OCI distribution 1.1, referrers tag schema).
func referrersTag(image name.Digest) name.Tag {
	return image.Context().Tag(strings.Replace(image.DigestStr(), ":", "-", 1))
}

// manifest reads a manifest that may not be there: nil then.
func (c *Client) manifest(ctx context.Context, ref name.Reference) (*remote.Descriptor, error) {
	d, err := remote.Get(ref, c.options(ctx)...)
	if isStatus(err, http.StatusNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, registry.Explain("reading "+ref.Name(), err)
	}
	if len(d.Manifest) > maxManifest {
		return nil, triad.Errorf(triad.CodeInvalid, "the manifest of %s is larger than %d bytes", ref.Name(), maxManifest)
	}
	return d, nil
}

// blob reads a blob of a known size, at most limit bytes, and holds it against its digest.
func (c *Client) blob(ctx context.Context, repository name.Repository, d v1.Descriptor, limit int64) ([]byte, error) {
	if d.Size < 0 || d.Size > limit {
		return nil, fmt.Errorf("blob %s has %d bytes; at most %d are read", d.Digest, d.Size, limit)
	}
	layer, err := remote.Layer(repository.Digest(d.Digest.String()), c.options(ctx)...)
	if err != nil {
		return nil, registry.Explain("reading blob "+d.Digest.String(), err)
	}
	r, err := layer.Compressed()
	if err != nil {
		return nil, registry.Explain("reading blob "+d.Digest.String(), err)
	}
	defer func() { _ = r.Close() }()
	// The reader of go-containerregistry verifies the digest at its end.
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading blob %s: %w", d.Digest, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("blob %s has more than %d bytes", d.Digest, limit)
	}
	return data, nil
}

func isStatus(err error, status int) bool {
	var t *transport.Error
	return errors.As(err, &t) && t.StatusCode == status
}
