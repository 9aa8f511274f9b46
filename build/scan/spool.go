package scan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/triad-security/triad/build/image"
)

// spooled is a file that can be read at any place: in memory while it is small, else in
// the cache's spool folder, one at a time, gone when closed.
type spooled struct {
	io.ReaderAt
	size int64
	file *os.File
}

// spoolFile takes over a stream of at most limit bytes.
func (a *analyser) spoolFile(r io.Reader, size, limit int64) (*spooled, error) {
	if size > limit {
		return nil, fmt.Errorf("%d bytes, more than the %d that are read", size, limit)
	}
	if f, ok := r.(*image.File); ok {
		if at, ok := f.Reader.(io.ReaderAt); ok {
			return &spooled{ReaderAt: at, size: size}, nil // a file on disk already
		}
	}
	in := &body{r: r}
	if size <= inMemory {
		data := make([]byte, size)
		n, err := io.ReadFull(in, data)
		if in.err != nil {
			return nil, &streamError{in.err}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = nil // shorter than was said: its reader will find out
		}
		return &spooled{ReaderAt: bytes.NewReader(data[:n]), size: int64(n)}, err
	}
	f, err := os.CreateTemp(a.spool, "file-*")
	if err != nil {
		return nil, fmt.Errorf("spooling to the cache: %w", err)
	}
	s := &spooled{ReaderAt: f, file: f}
	s.size, err = io.Copy(f, io.LimitReader(in, limit))
	if in.err != nil {
		err = &streamError{in.err}
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close removes what is on disk.
func (s *spooled) Close() error {
	if s.file == nil {
		return nil
	}
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}
