package image

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// chunk is how much is read, hashed and scanned at once.
const chunk = 256 << 10

// stream is a layer's uncompressed tar: hashed as it goes by, bounded, and able to skip
// forward without copying, which archive/tar uses for bodies that nobody reads.
type stream struct {
	ctx        context.Context
	src        io.Reader
	compressed *counter
	limits     Limits
	hash       hash.Hash
	buf        []byte
	rest       []byte // the unread part of buf
	pos        int64  // bytes handed out or skipped
	total      int64  // bytes that came out of src
	err        error
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// newStream decompresses r as its first bytes say: gzip, zstd, bzip2 or plain tar.
func newStream(ctx context.Context, r io.Reader, limits Limits) (*stream, func(), error) {
	s := &stream{ctx: ctx, limits: limits.withDefaults(), hash: sha256.New(), buf: make([]byte, chunk)}
	s.compressed = &counter{r: r}
	head := make([]byte, 6)
	n, err := io.ReadFull(s.compressed, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	in := io.MultiReader(bytes.NewReader(head[:n]), s.compressed)
	done := func() {}
	switch {
	case bytes.HasPrefix(head[:n], []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(bufio.NewReaderSize(in, 64<<10))
		if err != nil {
			return nil, nil, fmt.Errorf("gzip: %w", err)
		}
		s.src, done = z, func() { _ = z.Close() }
	case bytes.HasPrefix(head[:n], []byte{0x28, 0xb5, 0x2f, 0xfd}), n >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18}):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nil, fmt.Errorf("zstd: %w", err)
		}
		s.src, done = z, z.Close
	case bytes.HasPrefix(head[:n], []byte("BZh")):
		s.src = bzip2.NewReader(in)
	case bytes.HasPrefix(head[:n], []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		return nil, nil, errors.New("xz compression is not read; save the image with gzip or zstd")
	default:
		s.src, s.compressed = in, nil
	}
	return s, done, nil
}

func (s *stream) fill() error {
	if s.err != nil {
		return s.err
	}
	if err := s.ctx.Err(); err != nil {
		s.err = err
		return err
	}
	n, err := io.ReadFull(s.src, s.buf)
	if errors.Is(err, io.ErrUnexpectedEOF) && s.cleanEnd() {
		err = io.EOF
	}
	s.rest = s.buf[:n]
	s.hash.Write(s.rest)
	s.total += int64(n)
	switch {
	case s.total > s.limits.MaxLayerBytes:
		err = limitf("more than %d bytes uncompressed", s.limits.MaxLayerBytes)
	case s.compressed != nil && s.total > ratioFloor && s.total/max(s.compressed.n, 1) > s.limits.MaxRatio:
		err = limitf("decompresses more than %d:1, like a bomb", s.limits.MaxRatio)
	}
	s.err = err
	if n > 0 && (err == nil || errors.Is(err, io.EOF)) {
		return nil
	}
	if err != nil {
		s.rest = nil
	}
	return err
}

// cleanEnd reports whether a short read is the plain end of the source: decompressors say
// ErrUnexpectedEOF themselves when their input is cut, and so would ReadFull at a plain end.
func (s *stream) cleanEnd() bool {
	var one [1]byte
	n, err := s.src.Read(one[:])
	return n == 0 && errors.Is(err, io.EOF)
}

func (s *stream) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	s.pos += int64(n)
	return n, nil
}

// Seek skips forward from the current position; nothing else.
func (s *stream) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekCurrent || offset < 0 {
		return 0, errors.New("a layer can only be skipped forward")
	}
	for offset > 0 {
		if len(s.rest) == 0 {
			if err := s.fill(); err != nil {
				if errors.Is(err, io.EOF) {
					err = io.ErrUnexpectedEOF
				}
				return s.pos, err
			}
		}
		n := min(int64(len(s.rest)), offset)
		s.rest = s.rest[n:]
		s.pos += n
		offset -= n
	}
	return s.pos, nil
}

// digest reads to the end and returns the diff ID.
func (s *stream) digest() (string, error) {
	for {
		s.pos += int64(len(s.rest))
		s.rest = nil
		if err := s.fill(); errors.Is(err, io.EOF) {
			return "sha256:" + hex.EncodeToString(s.hash.Sum(nil)), nil
		} else if err != nil {
			return "", err
		}
	}
}
