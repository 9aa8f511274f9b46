package origin

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Index is a folder with a file for each chain of layers and one for each repository. Files
// only grow, a line for each image; a line carries its checksum, and what is damaged counts
// as absent. Writers exclude each other by a lock of the kernel; readers need none.
type Index struct{ dir string }

// Bounds of the index.
const (
	// maxFile bytes of one file before it is written anew with its latest lines.
	maxFile = 256 << 10
	// maxLine of one image: 127 layers take some 10 KiB.
	maxLine = 64 << 10
	// maxKept images of one chain or repository, when a file is written anew.
	maxKept = 100
	// maxShard files of one of the 256 folders: near 130,000 images in all. The ones not
	// written to for longest go first.
	maxShard = 512
	// maxLayers of an image that is taken in; builders stop at 127.
	maxLayers = 1024
)

// Open opens an index in a folder, which is made when something is first recorded.
func Open(dir string) *Index { return &Index{dir} }

func (x *Index) chainFile(chain string) string {
	return x.file("chains", chain[len("sha256:"):])
}

func (x *Index) repositoryFile(repository string) string {
	sum := sha256.Sum256([]byte(repository))
	return x.file("repositories", hex.EncodeToString(sum[:]))
}

func (x *Index) file(kind, hexName string) string {
	return filepath.Join(x.dir, kind, hexName[:2], hexName)
}

// Record notes an image that was scanned. One that is known already, as it is, costs a read.
func (x *Index) Record(img Image) error {
	if len(img.Layers) == 0 || len(img.Layers) > maxLayers || slices.ContainsFunc(img.Layers, func(l string) bool { return !isDigest(l) }) {
		return nil // an image without layers is nobody's base
	}
	all := chains(img.Layers)
	files := []string{x.chainFile(all[len(all)-1])}
	if r := Repository(img.Name); r != "" {
		files = append(files, x.repositoryFile(r))
	}
	line, err := encode(img)
	if err != nil {
		return err
	}
	var missing []string
	for _, file := range files {
		have, err := read(file)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(have, func(o Image) bool {
			return o.Digest == img.Digest && o.Name == img.Name && img.Scanned.Sub(o.Scanned) < 24*time.Hour
		}) {
			missing = append(missing, file)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := os.MkdirAll(x.dir, 0o700); err != nil {
		return fmt.Errorf("index of base images: %w", err)
	}
	unlock, err := lock(filepath.Join(x.dir, "lock"))
	if err != nil {
		return fmt.Errorf("index of base images: %w", err)
	}
	defer unlock()
	for _, file := range missing {
		if err := add(file, line); err != nil {
			return fmt.Errorf("index of base images: %w", err)
		}
	}
	return nil
}

// Longest finds the image whose layers are the longest proper beginning of these: the newest
// of several. It looks at one file for each layer at most.
func (x *Index) Longest(layers []string) (img Image, also []string, ok bool, err error) {
	if len(layers) > maxLayers || slices.ContainsFunc(layers, func(l string) bool { return !isDigest(l) }) {
		return img, nil, false, nil
	}
	all := chains(layers)
	for n := len(layers) - 1; n > 0; n-- {
		found, err := read(x.chainFile(all[n-1]))
		if err != nil {
			return img, nil, false, err
		}
		// The file is named by the chain; what it says is still held against the layers.
		found = slices.DeleteFunc(found, func(o Image) bool { return !slices.Equal(o.Layers, layers[:n]) })
		if len(found) == 0 {
			continue
		}
		img = newest(found)
		for _, o := range found {
			if o.Name != img.Name && !slices.Contains(also, o.Name) {
				also = append(also, o.Name)
			}
		}
		return img, also, true, nil
	}
	return img, nil, false, nil
}

// newest prefers what was scanned last; of equals the one that has a name.
func newest(all []Image) Image {
	return slices.MaxFunc(all, func(a, b Image) int {
		return cmp.Or(cmp.Compare(named(a), named(b)), a.Scanned.Compare(b.Scanned), cmp.Compare(b.Name, a.Name))
	})
}

func named(i Image) int {
	if Repository(i.Name) == "" {
		return 0
	}
	return 1
}

// Repository lists the images of a repository that were scanned, the newest built first, one
// line for each digest and name.
func (x *Index) Repository(repository string) ([]Image, error) {
	all, err := read(x.repositoryFile(repository))
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(i Image) bool { return Repository(i.Name) != repository })
	slices.SortStableFunc(all, func(a, b Image) int {
		return cmp.Or(b.Created.Compare(a.Created), b.Scanned.Compare(a.Scanned), cmp.Compare(a.Name, b.Name))
	})
	return latest(all), nil
}

// latest keeps of each image and name the line scanned last.
func latest(all []Image) []Image {
	type key struct{ name, digest string }
	last := map[key]time.Time{}
	for _, i := range all {
		k := key{i.Name, i.Digest}
		if last[k].Before(i.Scanned) {
			last[k] = i.Scanned
		}
	}
	seen := map[key]bool{}
	return slices.DeleteFunc(all, func(i Image) bool {
		k := key{i.Name, i.Digest}
		if seen[k] || !i.Scanned.Equal(last[k]) {
			return true
		}
		seen[k] = true
		return false
	})
}

var table = crc32.MakeTable(crc32.Castagnoli)

// encode writes a line: the checksum of what follows, and the image.
func encode(img Image) ([]byte, error) {
	data, err := json.Marshal(img)
	if err != nil {
		return nil, fmt.Errorf("index of base images: %w", err)
	}
	if len(data) > maxLine {
		return nil, fmt.Errorf("index of base images: %s takes %d bytes, more than the %d that are kept", img.Name, len(data), maxLine)
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(data, table), data), nil
}

// decode reads lines and leaves out what is damaged: the end of a line that a crash cut.
func decode(data []byte) []Image {
	var all []Image
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		sum, body, ok := bytes.Cut(line, []byte(" "))
		if !ok || len(sum) != 8 || len(body) > maxLine {
			continue
		}
		want, err := hex.DecodeString(string(sum))
		if err != nil || crc32.Checksum(body, table) != uint32(want[0])<<24|uint32(want[1])<<16|uint32(want[2])<<8|uint32(want[3]) {
			continue
		}
		var img Image
		if json.Unmarshal(body, &img) == nil && img.Digest != "" {
			all = append(all, img)
		}
	}
	return all
}

func read(file string) ([]Image, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("index of base images: %w", err)
	}
	if info.Size() > maxFile+2*maxLine {
		return nil, nil // not written by Record: as good as none
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("index of base images: %w", err)
	}
	return decode(data), nil
}

// add appends a line. A file that has grown too large is written anew, beside and renamed.
func add(file string, line []byte) error {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := prune(filepath.Dir(file)); err != nil {
			return err
		}
	case err != nil:
		return err
	case info.Size() > maxFile:
		return rewrite(file, line)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if info, err := f.Stat(); err == nil && info.Size() > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			line = append([]byte("\n"), line...) // a crash cut the line before
		}
	}
	_, err = f.Write(line)
	return errors.Join(err, f.Close())
}

func rewrite(file string, line []byte) error {
	all, err := read(file)
	if err != nil {
		return err
	}
	all = append(all, decode(line)...)
	slices.SortStableFunc(all, func(a, b Image) int { return b.Scanned.Compare(a.Scanned) })
	all = latest(all)
	var out []byte
	for _, img := range all[:min(len(all), maxKept)] {
		l, err := encode(img)
		if err != nil {
			return err
		}
		if len(out)+len(l) > maxFile/2 {
			break
		}
		out = append(out, l...)
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(out)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// prune makes a folder, and room in it for one more file.
func prune(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < maxShard {
		return err
	}
	type old struct {
		name string
		used time.Time
	}
	var all []old
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			all = append(all, old{e.Name(), info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b old) int { return a.used.Compare(b.used) })
	for _, o := range all[:max(len(all)-maxShard*3/4, 0)] {
		_ = os.Remove(filepath.Join(dir, o.name))
	}
	return nil
}
