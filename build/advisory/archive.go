package advisory

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
)

// Limits on what one feed may unpack to. OSV's largest all.zip holds some 250,000 records;
// JSON of this kind shrinks to between a fifth and a thirtieth.
const (
	maxEntries  = 4 << 20
	maxUnpacked = 64 << 30
	maxRatio    = 200       // of unpacked to packed bytes, once
	ratioFloor  = 256 << 20 // this much came out
)

// budget bounds what is unpacked, across goroutines.
type budget struct {
	packed   int64
	unpacked atomic.Int64
}

func (b *budget) take(n int) error {
	total := b.unpacked.Add(int64(n))
	if total > maxUnpacked || b.packed > 0 && total > ratioFloor && total/maxRatio > b.packed {
		return fmt.Errorf("it unpacks to more than %d MiB from %d KiB and is taken for an archive bomb", total>>20, b.packed>>10)
	}
	return nil
}

// blob is one file of a feed, unread.
type blob struct {
	name string
	size int64 // claimed; -1 where unknown
	open func() (io.ReadCloser, error)
}

var errTooLarge = errors.New("is too large")

// read reads the blob whole, at most limit bytes.
func (b blob) read(limit int64, left *budget) ([]byte, error) {
	if b.size > limit {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", errTooLarge, b.size, limit)
	}
	r, err := b.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	buf := make([]byte, 0, max(512, b.size+1))
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return nil, errors.Join(fmt.Errorf("%w: more than %d bytes", errTooLarge, limit), left.take(len(buf)))
		}
		if err == io.EOF {
			return buf, left.take(len(buf))
		}
		if err != nil {
			return nil, err
		}
	}
}

// zipBlobs lists the files of a zip archive in order of their names.
func zipBlobs(z *zip.ReadCloser) ([]blob, error) {
	if len(z.File) > maxEntries {
		return nil, fmt.Errorf("it has %d entries; at most %d are read", len(z.File), maxEntries)
	}
	blobs := make([]blob, 0, len(z.File))
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		size := int64(min(f.UncompressedSize64, 1<<62))
		blobs = append(blobs, blob{name: f.Name, size: size, open: f.Open})
	}
	slices.SortStableFunc(blobs, func(a, b blob) int { return strings.Compare(a.name, b.name) })
	return blobs, nil
}

// walkDir calls fn for every regular file below dir, in order, never leaving it through a link.
func walkDir(dir string, fn func(blob) error) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	entries := 0
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entries++; entries > maxEntries {
			return fmt.Errorf("it has more than %d files", maxEntries)
		}
		if d.IsDir() {
			if name != "." && strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir // .git, .github of a checkout
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return fn(blob{name: name, size: info.Size(), open: func() (io.ReadCloser, error) { return root.Open(name) }})
	})
}

// walkArchive calls fn for every regular file of a zip, tar or tar.gz. ok is false for other files.
func walkArchive(file string, fn func(blob) error) (ok bool, err error) {
	switch name := strings.ToLower(filepath.Base(file)); {
	case strings.HasSuffix(name, ".zip"):
		z, err := zip.OpenReader(file)
		if err != nil {
			return true, err
		}
		defer z.Close()
		blobs, err := zipBlobs(z)
		if err != nil {
			return true, err
		}
		for _, b := range blobs {
			if err := fn(b); err != nil {
				return true, err
			}
		}
		return true, nil
	case strings.HasSuffix(name, ".tar"), strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"):
		f, err := os.Open(file)
		if err != nil {
			return true, err
		}
		defer f.Close()
		return true, walkTar(f, !strings.HasSuffix(name, ".tar"), fn)
	}
	return false, nil
}

func walkTar(r io.Reader, zipped bool, fn func(blob) error) error {
	if zipped {
		z, err := gzip.NewReader(bufio.NewReader(r))
		if err != nil {
			return err
		}
		defer z.Close()
		r = z
	}
	t := tar.NewReader(io.LimitReader(r, maxUnpacked))
	for entries := 0; ; entries++ {
		h, err := t.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case entries > maxEntries:
			return fmt.Errorf("it has more than %d entries", maxEntries)
		case h.Typeflag != tar.TypeReg:
			continue
		}
		if err := fn(blob{name: h.Name, size: h.Size, open: func() (io.ReadCloser, error) { return io.NopCloser(t), nil }}); err != nil {
			return err
		}
	}
}

// checkEntryName refuses names that an all.zip does not have: anything but ID.json at the top.
func checkEntryName(name string) error {
	if path.Base(name) != name || strings.ContainsAny(name, `\:`) && strings.Contains(name, "..") || name == ".." || strings.ContainsAny(name, "\\\x00") {
		return errors.New("its name has a path")
	}
	if !strings.HasSuffix(name, ".json") {
		return errors.New("is not a .json file")
	}
	return nil
}
