package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/triad-security/triad"
)

// ErrStream says that an archive can only be read front to back: it is compressed, or a
// pipe. OpenStream reads those.
var ErrStream = errors.New("the archive can only be read front to back")

// OpenFile opens a docker save archive or an OCI layout, folder or plain tar. ref picks one
// of several images; empty is the only one.
func OpenFile(ctx context.Context, file, ref string, o Options) (*Image, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		root, err := os.OpenRoot(file)
		if err != nil {
			return nil, err
		}
		return opened(file, root.Close)(openFiles(folder{root}, ref, o))
	}
	if !info.Mode().IsRegular() {
		return nil, ErrStream
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	head := make([]byte, 4)
	if n, _ := f.ReadAt(head, 0); compressed(head[:n]) {
		_ = f.Close()
		return nil, ErrStream
	}
	a, err := indexArchive(ctx, f)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return opened(file, f.Close)(openFiles(a, ref, o))
}

func compressed(head []byte) bool {
	return bytes.HasPrefix(head, []byte{0x1f, 0x8b}) || bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}) || bytes.HasPrefix(head, []byte("BZh"))
}

func opened(file string, closer func() error) func(*Image, error) (*Image, error) {
	return func(img *Image, err error) (*Image, error) {
		if err != nil {
			_ = closer()
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		img.close = closer
		if img.Ref == "" {
			img.Ref = filepath.Base(file)
		}
		return img, nil
	}
}

// sameRef reports whether two references name the same image once Docker's defaults are
// filled in.
func sameRef(a, b string) bool {
	if a == b {
		return true
	}
	x, err := name.ParseReference(a)
	if err != nil {
		return false
	}
	y, err := name.ParseReference(b)
	return err == nil && x.Name() == y.Name()
}

// LayerFunc reads one layer as it streams by and returns its diff ID.
type LayerFunc func(ctx context.Context, r io.Reader) (diffID string, err error)

// OpenStream reads a docker save archive front to back, from a pipe or a Docker daemon, and
// hands each layer to fn on the way, before it is known to which image it belongs. known
// reports that a layer need not be read again. The image's layers cannot be opened
// afterwards: their results are with fn.
func OpenStream(ctx context.Context, r io.Reader, ref string, o Options, known func(diffID string) bool, fn LayerFunc) (*Image, map[string]error, error) {
	s := &streamed{meta: map[string][]byte{}, links: map[string]string{}, diffIDs: map[string]string{}, failed: map[string]error{}}
	if err := s.read(ctx, r, o.Limits, known, fn); err != nil {
		return nil, nil, err
	}
	img, err := openFiles(s, ref, o)
	if err != nil {
		return nil, nil, err
	}
	failed := map[string]error{}
	for i := range img.Layers {
		l := &img.Layers[i]
		r, err := l.Open(ctx)
		if err != nil {
			failed[l.DiffID] = err
		} else if got, ok := r.(passed); ok && got.err != nil {
			failed[l.DiffID] = got.err
		} else if ok && got.diffID != l.DiffID {
			failed[l.DiffID] = triad.Errorf(triad.CodeInvalid, "its content has the digest %s", got.diffID)
		}
		l.Open = nil
	}
	return img, failed, nil
}
