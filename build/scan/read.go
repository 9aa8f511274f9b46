package scan

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/triad-security/triad/build/image"
	"github.com/triad-security/triad/build/inspect"
)

// layerRead is what is known of one layer: its packages, and what each inspector says.
type layerRead struct {
	record     *record
	content    []*content // by inspector of this scan
	hadRecord  bool       // the cache knew the packages
	hadContent []bool     // and what this inspector says
	err        error      // why what the cache lacks was not read, or not to its end
}

// whole: nothing is left to be read.
func (r *layerRead) whole() bool {
	for _, c := range r.content {
		if c == nil {
			return false
		}
	}
	return r.record != nil
}

// missing reports whether what an inspector says of the layer is not known to its end.
func (r *layerRead) missing(n int) bool {
	return r.err != nil && (n >= len(r.hadContent) || !r.hadContent[n])
}

// known takes from the cache what it knows of a layer.
func (s *Scanner) known(diffID string, j *job) *layerRead {
	r := &layerRead{content: make([]*content, len(j.able)), hadContent: make([]bool, len(j.able))}
	if s.Fresh {
		return r
	}
	if data, ok := s.Cache.Get(diffID); ok {
		if rec, err := decodeRecord(data); err == nil && rec.layer.DiffID == diffID {
			if r.err = j.limits.Budget.Take(rec.bytes()); r.err != nil {
				return r
			}
			r.record, r.hadRecord = rec, true
		}
	}
	for n, in := range j.able {
		if data, ok := s.Cache.Get(contentKey(diffID, in)); ok {
			if c, err := decodeContent(data); err == nil && c.DiffID == diffID {
				if r.err = j.limits.Budget.Take(c.bytes()); r.err != nil {
					return r
				}
				r.content[n], r.hadContent[n] = c, true
			}
		}
	}
	return r
}

// layer returns what is known of a layer, from the cache or by reading it once.
func (s *Scanner) layer(ctx context.Context, l image.Layerer, failed error, j *job) (read *layerRead, hit bool) {
	read = s.known(l.DiffID, j)
	if read.whole() {
		return read, true
	}
	switch {
	case read.err != nil:
		return read, false
	case failed != nil:
		read.err = failed
		return read, false
	case l.Open == nil:
		read.err = errors.New("it is not in the archive")
		return read, false
	}
	r, err := l.Open(ctx)
	if err != nil {
		read.err = err
		return read, false
	}
	defer func() { _ = r.Close() }()
	got, err := s.read(ctx, r, read, j)
	switch {
	case err != nil:
		read.err = err
	case got != l.DiffID:
		// Kept under neither name: the one is not known to be wanted, the other is a lie.
		read.err = fmt.Errorf("its content has the digest %s: the image is damaged or was changed", got)
	default:
		read.err = s.keep(l.DiffID, read, j)
	}
	return read, false
}

// read reads a layer for what is not known of it. It returns the layer's digest.
func (s *Scanner) read(ctx context.Context, r io.Reader, read *layerRead, j *job) (string, error) {
	if s.BeforeRead != nil {
		s.BeforeRead()
	}
	var asked []inspect.Inspector
	var index []int
	for n, in := range j.able {
		if read.content[n] == nil {
			asked, index = append(asked, in), append(index, n)
		}
	}
	rec, contents, err := analyse(ctx, r, s.Cache.Spool(), j.limits, read.record != nil, asked)
	if read.record == nil {
		read.record = rec
	}
	for i, c := range contents {
		read.content[index[i]] = c
	}
	return rec.layer.DiffID, err
}

// keep puts what was read now into the cache.
func (s *Scanner) keep(diffID string, read *layerRead, j *job) error {
	if !read.hadRecord {
		data, err := read.record.encode()
		if err == nil {
			err = s.Cache.Put(diffID, data)
		}
		if err != nil {
			return err
		}
	}
	for n, in := range j.able {
		if n < len(read.hadContent) && read.hadContent[n] || read.content[n].passing {
			continue
		}
		data, err := read.content[n].encode()
		if err == nil {
			err = s.Cache.Put(contentKey(diffID, in), data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
