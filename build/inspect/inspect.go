package inspect

import (
	"context"
	"errors"
	"io"
	"io/fs"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/triad-security/triad"
)

// Sections of a scan that inspectors fill, and by which they are said to be unread.
const (
	SectionSecrets           = "secrets"
	SectionMalware           = "malware"
	SectionCode              = "code"
	SectionMisconfigurations = "misconfigurations"
)

// File is a regular file before its content: all that decides whether it is wanted.
type File struct {
	Name     string // without a leading slash, cleaned
	Size     int64
	Mode     fs.FileMode
	UID, GID int
}

// Found is a finding in one file. The scanner fills in Asset, Section, Layer, Step and Origin.
type Found struct {
	triad.Finding
	// UnlessOwned: it holds only if no package of the merged image owns the file.
	UnlessOwned bool
	// NeedsPackages: it says nothing but that, so it is not said where there is no package
	// that names its files (an image made from scratch).
	NeedsPackages bool
}

// ErrEnough is what a Sink's Write returns when it needs no more of the file: no failure. What
// nobody reads is skipped, which is cheaper than throwing it away.
var ErrEnough = errors.New("enough of this file was seen")

// Sink takes one file's content in pieces of any size. Close says what was found; it is
// called once, also when the content broke off. Its error is noted as unread of the
// inspector's section, and never ends the scan; one with a method Temporary that returns true
// (an engine that does not answer) is not kept for the next scan.
type Sink interface {
	io.Writer
	Close() ([]Found, error)
}

// Inspector looks at the content of files. It is used by several layers at once.
type Inspector interface {
	// Section is the part of the scan that it fills.
	Section() string
	// Key names all that its answers depend on beside the content: its version, its rules,
	// its signatures. Records made under another key are not used.
	Key() string
	// Open returns nil when the file's content is not wanted.
	Open(ctx context.Context, f File) Sink
	// Ready says why nothing can be inspected now (an engine that does not answer): the whole
	// section is then unread with that reason, and no file is opened.
	Ready(ctx context.Context) error
}

// Configurer is an inspector that also looks at the image's config: environment, labels, history, user.
type Configurer interface {
	Config(ctx context.Context, c *v1.ConfigFile) ([]triad.Finding, error)
}
