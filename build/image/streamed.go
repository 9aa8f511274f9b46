package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// streamed is what was kept of an archive that went by: its metadata, and the diff ID of
// each layer.
type streamed struct {
	meta    map[string][]byte
	bytes   int64
	links   map[string]string
	diffIDs map[string]string
	failed  map[string]error
}

// maxStreamMetadata of all metadata files of a streamed archive together.
const maxStreamMetadata = 64 << 20

func (s *streamed) read(ctx context.Context, r io.Reader, limits Limits, known func(string) bool, fn LayerFunc) error {
	// The archive's own compression; its bound is that of an image, not of a layer.
	limits = limits.withDefaults()
	outer, done, err := newStream(ctx, r, Limits{MaxLayerBytes: 8 * limits.MaxLayerBytes, MaxRatio: limits.MaxRatio})
	if err != nil {
		return err
	}
	defer done()
	outer.hash = noHash{}
	t := tar.NewReader(outer)
	for n := 0; ; n++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			if n > 0 && errors.Is(err, io.ErrUnexpectedEOF) {
				return nil // cut short: what is missing is missed when the image is opened
			}
			return fmt.Errorf("not an image archive: %w", err)
		}
		if n >= maxArchiveEntries {
			return limitf("the archive has more than %d entries", maxArchiveEntries)
		}
		name, ok := Clean(h.Name)
		if !ok || name == "" {
			continue
		}
		switch h.Typeflag {
		case tar.TypeSymlink:
			if target, ok := Clean(path.Join(parent(name), h.Linkname)); ok {
				s.links[name] = target
			}
		case tar.TypeLink:
			if target, ok := Clean(h.Linkname); ok {
				s.links[name] = target
			}
		case tar.TypeReg, tar.TypeRegA: //nolint:staticcheck // old archives
			if err := s.file(ctx, name, t, h.Size, known, fn); err != nil {
				return err
			}
		}
	}
}

// file keeps a metadata file, and hands on what looks like a layer.
func (s *streamed) file(ctx context.Context, name string, r io.Reader, size int64, known func(string) bool, fn LayerFunc) error {
	b := bufio.NewReaderSize(r, 64<<10)
	head, _ := b.Peek(512)
	if !compressed(head) && !(len(head) >= 262 && string(head[257:262]) == "ustar") && path.Base(name) != "layer.tar" {
		if size > maxMetadata {
			return nil
		}
		if s.bytes += size; s.bytes > maxStreamMetadata {
			return limitf("more than %d bytes of metadata", maxStreamMetadata)
		}
		data, err := io.ReadAll(b)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.meta[name] = data
		return nil
	}
	// Docker names uncompressed blobs by their digest, which is their diff ID.
	if hex, ok := strings.CutPrefix(name, "blobs/sha256/"); ok && !compressed(head) && known("sha256:"+hex) {
		s.diffIDs[name] = "sha256:" + hex
		return nil
	}
	diffID, err := fn(ctx, b)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.diffIDs[name], s.failed[name] = diffID, err
	return nil
}

// passed stands for a layer that has gone by.
type passed struct {
	io.Reader
	diffID string
	err    error
}

func (passed) Close() error { return nil }

func (s *streamed) open(name string) (io.ReadCloser, int64, error) {
	for range maxLinks {
		if data, ok := s.meta[name]; ok {
			return io.NopCloser(bytes.NewReader(data)), int64(len(data)), nil
		}
		if diffID, ok := s.diffIDs[name]; ok {
			return passed{bytes.NewReader(nil), diffID, s.failed[name]}, 0, nil
		}
		target, ok := s.links[name]
		if !ok {
			break
		}
		name = target
	}
	return nil, 0, fmt.Errorf("%s: %w in the archive", name, fs.ErrNotExist)
}

// noHash is for streams whose digest nobody asks for.
type noHash struct{}

func (noHash) Write(p []byte) (int, error) { return len(p), nil }
func (noHash) Sum(b []byte) []byte         { return b }
func (noHash) Reset()                      {}
func (noHash) Size() int                   { return 0 }
func (noHash) BlockSize() int              { return 64 }
