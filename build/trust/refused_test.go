package trust_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/registry/registrytest"
	"github.com/triad-security/triad/build/trust"
)

const (
	simpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"
	envelopeType  = "application/vnd.dsse.envelope.v1+json"
	bundleType    = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

func tagged(image name.Digest, suffix string) name.Tag {
	return image.Context().Tag(strings.Replace(image.DigestStr(), ":", "-", 1) + "." + suffix)
}

// layer is one signature under a tag.
type layer struct {
	content     []byte
	kind        types.MediaType
	annotations map[string]string
}

// layers reads what is under a tag.
func layers(t testing.TB, tag name.Tag) (all []layer) {
	t.Helper()
	img := must(remote.Image(tag))
	for _, d := range must(img.Manifest()).Layers {
		l := must(img.LayerByDigest(d.Digest))
		all = append(all, layer{must(io.ReadAll(must(l.Compressed()))), d.MediaType, d.Annotations})
	}
	return all
}

// put writes layers under a tag.
func put(t testing.TB, tag name.Tag, all ...layer) {
	t.Helper()
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	var addenda []mutate.Addendum
	for _, l := range all {
		addenda = append(addenda, mutate.Addendum{Layer: static.NewLayer(l.content, l.kind), Annotations: l.annotations, MediaType: l.kind})
	}
	img = must(mutate.Append(img, addenda...))
	if err := remote.Write(tag, img); err != nil {
		t.Fatal(err)
	}
}

// refer attaches a bundle that holds data.
func refer(t testing.TB, image name.Digest, data []byte, kind types.MediaType) {
	t.Helper()
	subject := must(remote.Head(image))
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = must(mutate.Append(img, mutate.Addendum{Layer: static.NewLayer(data, kind), MediaType: kind}))
	img = mutate.ConfigMediaType(img, kind) // its artifact type, to registries that read it there
	img = mutate.Subject(img, *subject).(v1.Image)
	if err := remote.Write(image.Context().Digest(must(img.Digest()).String()), img); err != nil {
		t.Fatal(err)
	}
}

// bundles reads those attached to an image.
func bundles(t testing.TB, image name.Digest) (all [][]byte) {
	t.Helper()
	for _, d := range must(must(remote.Referrers(image)).IndexManifest()).Manifests {
		img := must(remote.Image(image.Context().Digest(d.Digest.String())))
		all = append(all, must(io.ReadAll(must(must(img.Layers())[0].Compressed()))))
	}
	return all
}

func TestTheSignatureOfAnotherImageIsNoSignature(t *testing.T) {
	for registry, start := range registries {
		t.Run(registry, func(t *testing.T) {
			address := start(t)
			key := newKey(t, trust.AlgorithmECDSA)
			good, evil := push(t, address+"/shop/web:1.0"), push(t, address+"/shop/web:evil")
			sign(t, good, key, trust.FormBoth)
			if err := (&trust.Client{}).Attest(t.Context(), good, trust.NewSigner(key, trust.Services{}), trust.FormBoth, bom); err != nil {
				t.Fatal(err)
			}
			put(t, tagged(evil, "sig"), layers(t, tagged(good, "sig"))...)
			put(t, tagged(evil, "att"), layers(t, tagged(good, "att"))...)
			for _, b := range bundles(t, good) {
				refer(t, evil, b, bundleType)
			}
			v := refused(t, evil.Name(), byKey(key), good.DigestStr())
			if len(v.Rejected) != 4 {
				t.Errorf("rejected %+v, want 4", v.Rejected)
			}
			for _, r := range v.Rejected {
				if !strings.Contains(r.Reason, "another image") {
					t.Errorf("%s: %s", r.Source, r.Reason)
				}
			}
		})
	}
}

func TestAnImageUnderASignedTagIsRefusedUnlessItIsTheSignedOne(t *testing.T) {
	address := registrytest.Start(t)
	key := newKey(t, trust.AlgorithmECDSA)
	good := push(t, address+"/shop/web:1.0")
	sign(t, good, key, trust.FormBoth)
	trusted(t, address+"/shop/web:1.0", byKey(key))
	evil := push(t, address+"/shop/web:1.0")
	refused(t, address+"/shop/web:1.0", byKey(key), "there is no signature of "+evil.DigestStr())
	trusted(t, good.Name(), byKey(key))
}

func TestWhatWasAlteredAfterItWasSignedIsRefused(t *testing.T) {
	address := registrytest.StartReferrers(t)
	key := newKey(t, trust.AlgorithmECDSA)
	for name, c := range map[string]struct {
		alter  func(image name.Digest, l layer) layer
		reason string
	}{
		"the payload": {func(_ name.Digest, l layer) layer {
			l.content = bytes.Replace(l.content, []byte("/shop"), []byte("/evil"), 1)
			return l
		}, "made with another key, or altered since"},
		"the payload's digest": {func(image name.Digest, l layer) layer {
			l.content = bytes.Replace(l.content, []byte(image.DigestStr()), []byte("sha256:"+strings.Repeat("0", 64)), 1)
			return l
		}, "the signature of another image"},
		"the signature": {func(_ name.Digest, l layer) layer {
			sig := must(base64.StdEncoding.DecodeString(l.annotations["dev.cosignproject.cosign/signature"]))
			sig[len(sig)-1] ^= 1
			l.annotations = map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(sig)}
			return l
		}, "made with another key, or altered since"},
		"the signature away": {func(_ name.Digest, l layer) layer { l.annotations = nil; return l }, "the layer has no annotation"},
		"the signature to no base64": {func(_ name.Digest, l layer) layer {
			l.annotations = map[string]string{"dev.cosignproject.cosign/signature": "%%%"}
			return l
		}, "illegal base64"},
		"the media type":       {func(_ name.Digest, l layer) layer { l.kind = "text/plain"; return l }, `media type "text/plain" is not`},
		"the payload to a lot": {func(_ name.Digest, l layer) layer { l.content = bytes.Repeat([]byte(" "), 1<<20); return l }, "at most 65536 are read"},
		"the payload to nesting": {func(_ name.Digest, l layer) layer {
			l.content = bytes.Repeat([]byte("["), 60000)
			return l
		}, "nested deeper than 200"},
		"an annotation to a lot": {func(_ name.Digest, l layer) layer {
			l.annotations = map[string]string{"dev.cosignproject.cosign/signature": strings.Repeat("A", 100000)}
			return l
		}, "at most 65536 are read"},
		"a certificate in": {func(_ name.Digest, l layer) layer {
			l.annotations["dev.sigstore.cosign/certificate"] = "no PEM"
			return l
		}, "the certificate is not PEM"},
		"a log entry in": {func(_ name.Digest, l layer) layer {
			l.annotations["dev.sigstore.cosign/bundle"] = `{"Payload":{"body":"e30=","logID":"zz"}}`
			return l
		}, "log entry: log ID"},
	} {
		t.Run(name, func(t *testing.T) {
			image := push(t, address+"/shop/web:1.0")
			sign(t, image, key, trust.FormTag)
			put(t, tagged(image, "sig"), c.alter(image, layers(t, tagged(image, "sig"))[0]))
			refused(t, image.Name(), byKey(key), c.reason)
		})
	}
}

func TestABundleThatWasAlteredIsRefused(t *testing.T) {
	address := registrytest.StartReferrers(t)
	key := newKey(t, trust.AlgorithmECDSA)
	for name, c := range map[string]struct {
		alter  func(b map[string]any)
		kind   types.MediaType
		reason string
	}{
		"its statement": {func(b map[string]any) {
			e := b["dsseEnvelope"].(map[string]any)
			payload := must(base64.StdEncoding.DecodeString(e["payload"].(string)))
			e["payload"] = base64.StdEncoding.EncodeToString(bytes.Replace(payload, []byte(`{}`), []byte(`{"a":1}`), 1))
		}, bundleType, "made with another key, or altered since"},
		"its payload type": {func(b map[string]any) {
			b["dsseEnvelope"].(map[string]any)["payloadType"] = "text/plain"
		}, bundleType, `the envelope holds "text/plain"`},
		"its version": {func(b map[string]any) { b["mediaType"] = "application/vnd.dev.sigstore.bundle.v9.9+json" }, bundleType, "not yet supported"},
		"its signatures to two": {func(b map[string]any) {
			e := b["dsseEnvelope"].(map[string]any)
			s := e["signatures"].([]any)
			e["signatures"] = append(s, s[0])
		}, bundleType, "exactly one signature"},
		"its envelope away":      {func(b map[string]any) { delete(b, "dsseEnvelope") }, bundleType, "missing bundle content"},
		"a field in":             {func(b map[string]any) { b["more"] = 1 }, bundleType, "unknown field"},
		"the type of its layer":  {func(map[string]any) {}, "application/json", "there is no signature"},
		"its material to nobody": {func(b map[string]any) { delete(b, "verificationMaterial") }, bundleType, "missing verification material"},
	} {
		t.Run(name, func(t *testing.T) {
			other := push(t, address+"/source/web:1.0")
			sign(t, other, key, trust.FormBundle)
			var b map[string]any
			if err := json.Unmarshal(bundles(t, other)[0], &b); err != nil {
				t.Fatal(err)
			}
			c.alter(b)
			// The same image in a repository where nothing else stands beside it.
			at := must(nameIn(address+"/shop/"+fmt.Sprint(len(name)), other))
			copyImage(t, other, at)
			refer(t, at, must(json.Marshal(b)), c.kind)
			refused(t, at.Name(), byKey(key), c.reason)
		})
	}
}

func nameIn(repository string, image name.Digest) (name.Digest, error) {
	return name.NewDigest(repository + "@" + image.DigestStr())
}

func copyImage(t testing.TB, from, to name.Digest) {
	t.Helper()
	if err := remote.Write(to, must(remote.Image(from))); err != nil {
		t.Fatal(err)
	}
}

func TestMoreSignaturesThanAreReadAreRefusedAtOnce(t *testing.T) {
	address := registrytest.StartReferrers(t)
	key := newKey(t, trust.AlgorithmECDSA)
	image := push(t, address+"/shop/web:1.0")
	sign(t, image, key, trust.FormTag)
	one := layers(t, tagged(image, "sig"))[0]
	put(t, tagged(image, "sig"), append(slicesRepeat(layer{[]byte("x"), simpleSigning, nil}, 250), one)...)
	_, err := (&trust.Client{}).Verify(t.Context(), image.Name(), byKey(key))
	if triad.ErrorCode(err) != triad.CodeInvalid || !strings.Contains(fmt.Sprint(err), "more than 200 signatures") {
		t.Errorf("%v", err)
	}
	if err := (&trust.Client{}).Sign(t.Context(), image, trust.NewSigner(key, trust.Services{}), trust.FormTag, nil); triad.ErrorCode(err) != triad.CodeInvalid {
		t.Errorf("%v", err)
	}
}

func slicesRepeat(l layer, n int) (all []layer) {
	for i := range n {
		l.content = fmt.Append(nil, i)
		all = append(all, l)
	}
	return all
}

// lying answers with another manifest than the one that was asked for.
type lying struct{ digest string }

func (l lying) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/manifests/"+l.digest) {
		body := must(io.ReadAll(response.Body))
		body = append(body, ' ')
		response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		response.Header.Set("Content-Length", fmt.Sprint(len(body)))
	}
	return response, err
}

func TestAManifestThatIsNotItsDigestIsRefused(t *testing.T) {
	address := registrytest.StartReferrers(t)
	key := newKey(t, trust.AlgorithmECDSA)
	image := push(t, address+"/shop/web:1.0")
	sign(t, image, key, trust.FormBoth)
	v, err := (&trust.Client{Transport: lying{image.DigestStr()}}).Verify(t.Context(), image.Name(), byKey(key))
	if err != nil || v.Trusted || !strings.Contains(v.Reasons[0], "is not what the digest says") {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestARegistryThatDoesNotAnswerIsNoRefusal(t *testing.T) {
	key := newKey(t, trust.AlgorithmECDSA)
	digest := must(must(random.Image(10, 1)).Digest())
	_, err := (&trust.Client{}).Verify(t.Context(), "127.0.0.1:1/shop/web@"+digest.String(), byKey(key))
	if triad.ErrorCode(err) != triad.CodeUnavailable {
		t.Errorf("%v", err)
	}
	address := registrytest.Start(t, registrytest.WithLogin("ana", "secret"))
	_, err = (&trust.Client{}).Verify(t.Context(), address+"/shop/web@"+digest.String(), byKey(key))
	if triad.ErrorCode(err) != triad.CodeDenied {
		t.Errorf("%v", err)
	}
}

func TestAPolicyThatTrustsNobodyOrEverybodyIsInvalid(t *testing.T) {
	key := newKey(t, trust.AlgorithmECDSA).Public()
	for name, p := range map[string]*trust.Policy{
		"nobody":                        {},
		"an identity without a root":    {Identities: []trust.Identity{{Subject: "a", Issuer: "b"}}},
		"a log without a root":          {Keys: []*trust.PublicKey{key}, RequireLog: true},
		"an attestation without a name": {Keys: []*trust.PublicKey{key}, Attestations: []trust.Requirement{{Kind: "bom"}}},
		"more keys than are tried":      {Keys: make([]*trust.PublicKey, 65)},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := (&trust.Client{}).Verify(t.Context(), "127.0.0.1:1/shop/web:1.0", p); triad.ErrorCode(err) != triad.CodeInvalid {
				t.Errorf("%v", err)
			}
		})
	}
}
