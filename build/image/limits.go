package image

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// Limits bound what one layer may cost. Zero fields take the default.
type Limits struct {
	// MaxEntries of one layer's tar.
	MaxEntries int
	// MaxLayerBytes of one layer, uncompressed.
	MaxLayerBytes int64
	// Budget is the memory that the names of all layers of one scan share; nil is a layer's own.
	Budget *Budget
	// MaxRatio of uncompressed to compressed bytes, looked at once ratioFloor bytes came out.
	MaxRatio int64
}

// The defaults. Each is far above what real images need and small enough to survive.
const (
	// DefaultMaxEntries: large real layers (texlive, node_modules) have some 300,000 entries.
	// Four million names take near 200 MiB.
	DefaultMaxEntries = 4_000_000
	// DefaultBudget of the names of all layers, and of what is found in them.
	DefaultBudget = 256 << 20
	// DefaultMaxLayerBytes: the largest layers in use (CUDA, model weights) are near 30 GiB.
	DefaultMaxLayerBytes = 64 << 30
	// DefaultMaxRatio: source trees compress 4:1, sparse database files 200:1; gzip ends at 1032:1.
	DefaultMaxRatio = 300
	// ratioFloor: below this even a bomb is cheap to read, and small layers of zeros are common.
	ratioFloor = 256 << 20
	// maxNameBytes of all names of a layer together, as the tar writes them.
	maxNameBytes = 1 << 30
	// maxName is Linux' PATH_MAX; a longer name cannot be unpacked.
	maxName = 4096
	// maxDepth of folders in a name, so that looking at every ancestor stays cheap.
	maxDepth = 256
	// maxLinks followed for one name: Linux' limit before ELOOP.
	maxLinks = 40
	// maxNotes kept of one layer; more are counted.
	maxNotes = 50
	// maxWindow of a zstd frame; the format's level 19 uses 8 MiB, level 22 128 MiB.
	maxWindow = 128 << 20
	// maxMetadata of a manifest, index or config. Registries refuse manifests above 4 MiB.
	maxMetadata = 8 << 20
	// maxArchiveEntries of a docker save archive or OCI layout itself.
	maxArchiveEntries = 100_000
	// maxLayers of an image. Docker's own limit is 127.
	maxLayers = 1024
)

func (l Limits) withDefaults() Limits {
	if l.MaxEntries <= 0 {
		l.MaxEntries = DefaultMaxEntries
	}
	if l.MaxLayerBytes <= 0 {
		l.MaxLayerBytes = DefaultMaxLayerBytes
	}
	if l.MaxRatio <= 0 {
		l.MaxRatio = DefaultMaxRatio
	}
	if l.Budget == nil {
		l.Budget = NewBudget(DefaultBudget)
	}
	return l
}

// Budget is memory that several share. It bounds what hostile images can make of small input.
type Budget struct{ left atomic.Int64 }

// NewBudget returns a budget of some bytes.
func NewBudget(bytes int64) *Budget {
	b := &Budget{}
	b.left.Store(bytes)
	return b
}

// Take takes bytes out of the budget for good, or says that they are no longer there.
func (b *Budget) Take(n int64) error {
	if b == nil || n <= 0 || b.left.Add(-n) >= 0 {
		return nil
	}
	return limitf("what is known of the files takes more memory than the %d MiB allowed for one image", DefaultBudget>>20)
}

// ErrLimit is in the chain of every error that says a limit was reached.
var ErrLimit = errors.New("limit reached")

func limitf(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrLimit}, args...)...)
}
