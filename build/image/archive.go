package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// files are the files of an image archive or layout, by clean name.
type files interface {
	// open returns a file and its size.
	open(name string) (io.ReadCloser, int64, error)
}

// readAll reads a metadata file whole, bounded.
func readAll(f files, name string) ([]byte, error) {
	r, _, err := f.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	data, err := io.ReadAll(io.LimitReader(r, maxMetadata+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(data) > maxMetadata {
		return nil, limitf("%s is larger than %d bytes", name, maxMetadata)
	}
	return data, nil
}

// folder is a layout in a directory. os.Root keeps links inside it.
type folder struct{ root *os.Root }

func (d folder) open(name string) (io.ReadCloser, int64, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		_ = f.Close()
		return nil, 0, fmt.Errorf("%s is not a file", name)
	}
	return f, info.Size(), nil
}

// archive is a layout inside a tar that can be read at any place: an index of it.
type archive struct {
	r     io.ReaderAt
	parts map[string]part
}

type part struct {
	offset, size int64
	link         string
}

// indexArchive reads the headers of a plain tar and skips the content.
func indexArchive(ctx context.Context, f *os.File) (*archive, error) {
	a := &archive{r: f, parts: map[string]part{}}
	t := tar.NewReader(f)
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			if n > 0 && errors.Is(err, io.ErrUnexpectedEOF) {
				return a, nil // cut short: what is there can be read, what is not is missed below
			}
			return nil, fmt.Errorf("not an image archive: %w", err)
		}
		if n >= maxArchiveEntries {
			return nil, limitf("the archive has more than %d entries", maxArchiveEntries)
		}
		name, ok := Clean(h.Name)
		if !ok || name == "" {
			continue
		}
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeRegA: //nolint:staticcheck // old archives
			// archive/tar reads headers block by block, so the file now stands at the content.
			at, err := f.Seek(0, io.SeekCurrent)
			if err != nil {
				return nil, err
			}
			a.parts[name] = part{offset: at, size: h.Size}
		case tar.TypeSymlink:
			// The classic docker save links equal layers to each other: ../ID/layer.tar.
			if target, ok := Clean(path.Join(parent(name), h.Linkname)); ok {
				a.parts[name] = part{link: target}
			}
		case tar.TypeLink:
			if target, ok := Clean(h.Linkname); ok {
				a.parts[name] = part{link: target}
			}
		}
	}
}

func (a *archive) open(name string) (io.ReadCloser, int64, error) {
	for range maxLinks {
		p, ok := a.parts[name]
		switch {
		case !ok:
			return nil, 0, fmt.Errorf("%s: %w in the archive", name, fs.ErrNotExist)
		case p.link != "":
			name = p.link
		default:
			return io.NopCloser(io.NewSectionReader(a.r, p.offset, p.size)), p.size, nil
		}
	}
	return nil, 0, fmt.Errorf("%s is a loop of links", name)
}
