package trust

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/registry"
)

// Promotion takes an image to the official registry: scan, gate, copy by digest, attest,
// sign, verify, and only then the tag. Until then whoever pulls the tag gets what was there.
type Promotion struct {
	Client *Client
	// Scan looks at one image; of one for several platforms, at each.
	Scan func(ctx context.Context, image Image) (*Scanned, error)
	// Gate says why what was scanned may not pass; nothing lets it pass.
	Gate func(ctx context.Context, scanned []*Scanned) ([]string, error)
	// Policy, where there is one, must trust the source.
	Policy *Policy
	// Attest are further attestations of the image as a whole: its provenance.
	Attest []Predicate
	Signer *Signer
	// Accept is whose signature is looked for at the destination before the tag; nil is the
	// signer's key. Keyless signers name themselves here, with their trust root.
	Accept *Policy
	Forms  Forms
	// Replace lets the tag be moved from another image.
	Replace bool
}

// Scanned is an image that was scanned, and what is attested of it.
type Scanned struct {
	Image      Image
	Result     any
	Predicates []Predicate
}

// Promoted is what became of a promotion.
type Promoted struct {
	Source      string `json:"source"`
	Destination string `json:"destination"`
	Digest      string `json:"digest"`
	Promoted    bool   `json:"promoted"`
	// Reasons are those of a refusal.
	Reasons []string        `json:"reasons"`
	Images  []PromotedImage `json:"images"`
	// Remains is what a failed promotion put and could not take back.
	Remains []string `json:"remains"`
}

// PromotedImage is one image of a promotion.
type PromotedImage struct {
	Digest   string   `json:"digest"`
	Platform string   `json:"platform,omitempty"`
	Index    bool     `json:"index,omitempty"`
	Attested []string `json:"attested"`
}

// undoTimeout is for taking back what a failed promotion put, which is done even when the
// promotion was cancelled.
const undoTimeout = 2 * time.Minute

// Run promotes source to destination, which is a tag. A refusal is no error. On an error
// what was put is taken back as far as the registry permits; Remains says what is left.
func (p *Promotion) Run(ctx context.Context, source, destination string) (*Promoted, error) {
	out := &Promoted{Source: source, Destination: destination, Reasons: []string{}, Images: []PromotedImage{}, Remains: []string{}}
	tag, err := p.destination(destination)
	if err != nil {
		return nil, err
	}
	image, err := p.Client.Resolve(ctx, source)
	if err != nil {
		return nil, err
	}
	out.Digest = image.DigestStr()
	refusals, err := p.refusals(ctx, source, image, tag)
	if err != nil || len(refusals) > 0 {
		out.Reasons = append(out.Reasons, refusals...)
		return out, err
	}
	images, err := p.Client.platforms(ctx, image)
	if err != nil {
		return nil, err
	}
	scanned, reasons, err := p.examine(ctx, images)
	if err != nil || len(reasons) > 0 {
		out.Reasons = append(out.Reasons, reasons...)
		return out, err
	}
	j := &journal{client: p.Client, puts: map[string]bool{}}
	if err := p.put(ctx, j, image, tag, images, scanned, out); err != nil {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		defer cancel()
		out.Remains = append(out.Remains, j.undo(undo)...)
		return out, fmt.Errorf("promoting %s: %w; the tag %s was not touched", image.Name(), err, tag.Name())
	}
	out.Promoted = true
	return out, nil
}

func (p *Promotion) destination(reference string) (name.Tag, error) {
	ref, err := p.Client.Parse(reference)
	if err != nil {
		return name.Tag{}, err
	}
	tag, ok := ref.(name.Tag)
	if !ok {
		return name.Tag{}, triad.Errorf(triad.CodeInvalid, "%s names a digest; an image is promoted to a tag, such as registry.example.com/official/web:1.0", reference)
	}
	return tag, nil
}

// refusals are those that need no scan.
func (p *Promotion) refusals(ctx context.Context, source string, image name.Digest, tag name.Tag) ([]string, error) {
	var reasons []string
	if p.Policy != nil {
		if err := p.Policy.check(); err != nil {
			return nil, err
		}
		v, err := p.Client.verify(ctx, source, image, p.Policy)
		if err != nil {
			return nil, err
		}
		for _, reason := range v.Reasons {
			reasons = append(reasons, "the source is not trusted: "+reason)
		}
	}
	now, err := p.Client.manifest(ctx, tag)
	if err != nil {
		return nil, err
	}
	if now != nil && now.Digest.String() != image.DigestStr() && !p.Replace {
		reasons = append(reasons, fmt.Sprintf("%s is another image already, %s; --replace moves the tag", tag.Name(), now.Digest))
	}
	return reasons, nil
}

// examine scans every image and asks the gate about all of them.
func (p *Promotion) examine(ctx context.Context, images []Image) ([]*Scanned, []string, error) {
	var all []*Scanned
	for _, one := range images {
		if one.Index {
			continue
		}
		s, err := p.Scan(ctx, one)
		if err != nil {
			return nil, nil, fmt.Errorf("scanning %s: %w", one.Digest.Name(), err)
		}
		s.Image = one
		all = append(all, s)
	}
	if len(all) == 0 {
		return nil, []string{"the index lists no image that could be scanned"}, nil
	}
	reasons, err := p.Gate(ctx, all)
	if err != nil {
		return nil, nil, fmt.Errorf("asking the gate: %w", err)
	}
	return all, reasons, nil
}

// put writes everything, the tag last.
func (p *Promotion) put(ctx context.Context, j *journal, image name.Digest, tag name.Tag, images []Image, scanned []*Scanned, out *Promoted) error {
	to := tag.Context()
	if err := j.copy(ctx, image, to, images); err != nil {
		return err
	}
	predicates := map[string][]Predicate{image.DigestStr(): p.Attest}
	for _, s := range scanned {
		predicates[s.Image.Digest.DigestStr()] = append(predicates[s.Image.Digest.DigestStr()], s.Predicates...)
	}
	client := *p.Client
	client.put = j.record
	for _, one := range images {
		at := to.Digest(one.Digest.DigestStr())
		if err := j.before(ctx, at, p.Forms); err != nil {
			return err
		}
		done := PromotedImage{Digest: one.Digest.DigestStr(), Platform: one.Platform, Index: one.Index, Attested: []string{}}
		for _, predicate := range predicates[one.Digest.DigestStr()] {
			if err := client.Attest(ctx, at, p.Signer, p.Forms, predicate); err != nil {
				return err
			}
			done.Attested = append(done.Attested, predicate.Type)
		}
		if err := client.Sign(ctx, at, p.Signer, p.Forms, nil); err != nil {
			return err
		}
		if err := p.accepted(ctx, at); err != nil {
			return err
		}
		out.Images = append(out.Images, done)
	}
	return p.tag(ctx, to.Digest(image.DigestStr()), tag)
}

// accepted reads back what was written, as those who will verify it do.
func (p *Promotion) accepted(ctx context.Context, at name.Digest) error {
	policy := p.Accept
	if policy == nil {
		public := p.Signer.Public()
		if public == nil {
			return triad.Errorf(triad.CodeInvalid, "signing without a key, say whose signature is to be accepted")
		}
		policy = &Policy{Keys: []*PublicKey{public}}
	}
	if err := policy.check(); err != nil {
		return err
	}
	v, err := p.Client.verify(ctx, at.Name(), at, policy)
	if err != nil {
		return err
	}
	if !v.Trusted {
		return fmt.Errorf("what was signed is not trusted at the destination: %s", v.Reasons[0])
	}
	return nil
}

// tag makes the image visible. That it is not another one by now was checked before the
// scan, which may have taken long, so it is asked again.
func (p *Promotion) tag(ctx context.Context, image name.Digest, tag name.Tag) error {
	now, err := p.Client.manifest(ctx, tag)
	if err != nil {
		return err
	}
	if now != nil && now.Digest.String() != image.DigestStr() && !p.Replace {
		return triad.Errorf(triad.CodeConflict, "%s was put meanwhile, as %s", tag.Name(), now.Digest)
	}
	d, err := remote.Get(image, p.Client.options(ctx)...)
	if err != nil {
		return registry.Explain("reading "+image.Name(), err)
	}
	if err := remote.Tag(tag, d, p.Client.options(ctx)...); err != nil {
		return registry.Explain("tagging "+tag.Name(), err)
	}
	return nil
}

// journal is what a promotion has put, so that it can be taken back.
type journal struct {
	client *Client
	// puts are the manifests by digest that were not there before, in order.
	order []name.Digest
	puts  map[string]bool
	// tags are those of signatures with what they were before: nil where they were not.
	tags []tagBefore
}

type tagBefore struct {
	tag    name.Tag
	before *remote.Descriptor
}

// record is called for each manifest that is put by digest.
func (j *journal) record(image name.Digest) {
	if !j.puts[image.Name()] {
		j.puts[image.Name()] = true
		j.order = append(j.order, image)
	}
}

// copy puts an image by its digest, with everything that it is an index of.
func (j *journal) copy(ctx context.Context, image name.Digest, to name.Repository, images []Image) error {
	options := j.client.options(ctx)
	for i := len(images) - 1; i >= 0; i-- { // an index after its images
		at := to.Digest(images[i].Digest.DigestStr())
		there, err := j.client.manifest(ctx, at)
		if err != nil {
			return err
		}
		if there == nil {
			j.record(at)
		}
	}
	d, err := remote.Get(image, options...)
	if err != nil {
		return registry.Explain("reading "+image.Name(), err)
	}
	at := to.Digest(image.DigestStr())
	if d.MediaType.IsIndex() {
		var index v1.ImageIndex
		if index, err = d.ImageIndex(); err == nil {
			err = remote.WriteIndex(at, index, options...)
		}
	} else {
		var img v1.Image
		if img, err = d.Image(); err == nil {
			err = remote.Write(at, img, options...)
		}
	}
	if err != nil {
		return registry.Explain("copying "+image.Name()+" to "+to.Name(), err)
	}
	return nil
}

// before notes the tags that signing an image will write.
func (j *journal) before(ctx context.Context, image name.Digest, forms Forms) error {
	var tags []name.Tag
	if forms&FormBundle != 0 {
		// The referrers tag, which registries with the referrers API do not have.
		tags = append(tags, referrersTag(image))
	}
	if forms&FormTag != 0 {
		tags = append(tags, tagOf(image, suffixSignature), tagOf(image, suffixAttestation))
	}
	for _, tag := range tags {
		d, err := j.client.manifest(ctx, tag)
		if err != nil {
			return err
		}
		j.tags = append(j.tags, tagBefore{tag, d})
	}
	return nil
}

// undo takes back what was put, the last first, and returns what is left.
func (j *journal) undo(ctx context.Context) (remains []string) {
	options := j.client.options(ctx)
	for i := len(j.tags) - 1; i >= 0; i-- {
		t := j.tags[i]
		now, err := j.client.manifest(ctx, t.tag)
		switch {
		case err != nil:
			remains = append(remains, fmt.Sprintf("%s: %v", t.tag.Name(), err))
			continue
		case now == nil, t.before != nil && t.before.Digest == now.Digest:
			continue
		case t.before != nil:
			if err := remote.Tag(t.tag, t.before, options...); err != nil {
				remains = append(remains, fmt.Sprintf("%s: %v", t.tag.Name(), registry.Explain("restoring it", err)))
				continue
			}
		}
		remains = append(remains, remove(t.tag.Context().Digest(now.Digest.String()), options)...)
		// Most registries drop the tags of a manifest with it; of others a tag is deleted.
		if left, err := j.client.manifest(ctx, t.tag); err == nil && left != nil && t.before == nil {
			remains = append(remains, remove(t.tag, options)...)
		}
	}
	for i := len(j.order) - 1; i >= 0; i-- {
		remains = append(remains, remove(j.order[i], options)...)
	}
	return remains
}

func remove(ref name.Reference, options []remote.Option) []string {
	err := remote.Delete(ref, options...)
	switch {
	case err == nil, isStatus(err, http.StatusNotFound):
		return nil
	case isStatus(err, http.StatusMethodNotAllowed):
		err = errors.New("the registry does not permit to delete")
	}
	return []string{fmt.Sprintf("%s: %v", ref.Name(), err)}
}
