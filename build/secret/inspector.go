package secret

import (
	"context"

	"github.com/triad-security/triad/build/inspect"
)

// Inspector finds secrets in files and in an image's config. It is safe for concurrent use.
type Inspector struct{}

var (
	_ inspect.Inspector  = (*Inspector)(nil)
	_ inspect.Configurer = (*Inspector)(nil)
)

// New returns the inspector with all rules.
func New() *Inspector { return &Inspector{} }

// Section is secrets.
func (*Inspector) Section() string { return inspect.SectionSecrets }

// Key names the rules.
func (*Inspector) Key() string { return key() }

// Ready is always: nothing but the content is needed.
func (*Inspector) Ready(context.Context) error { return nil }

// Open returns nil for what cannot hold a secret in clear, and for what everybody has.
func (*Inspector) Open(ctx context.Context, f inspect.File) inspect.Sink {
	if f.Size < 8 {
		return nil
	}
	c, wanted := classify(f.Name)
	named := namedFormat(f.Name)
	if !wanted && named == nil {
		return nil
	}
	return &sink{ctx: ctx, name: f.Name, class: c, named: named}
}
