package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"
)

// Cache keeps what was learned of layers, by diff ID, in files that survive a crash: each
// is written beside and renamed, and carries a checksum. A damaged one is as good as none.
type Cache struct {
	dir     string
	version string
	pruned  sync.Once
}

const (
	cacheMagic = "triad-layer-1\n"
	// maxRecord of a cached record, unpacked: a million names.
	maxRecord = 512 << 20
	// cacheBytes is the size above which the records not used for longest are removed. A
	// record is near 1 % of its layer, so this stands for some 100 GiB of layers.
	cacheBytes = 1 << 30
	// staleSpool: spool files older than this are left from a crash.
	staleSpool = 24 * time.Hour
)

// OpenCache opens a cache directory, making it. version is the analyser's: its records are
// kept apart from those of others.
func OpenCache(dir, version string) (*Cache, error) {
	c := &Cache{dir: dir, version: version}
	for _, d := range []string{filepath.Join(dir, "layers"), c.Spool()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("cache: %w; choose another with --cache-dir", err)
		}
	}
	return c, nil
}

// Spool is the only place where parts of layers are ever written, one file at a time.
func (c *Cache) Spool() string { return filepath.Join(c.dir, "spool") }

func (c *Cache) file(key string) (string, bool) {
	hexDigest, ok := strings.CutPrefix(key, "sha256:")
	if _, err := hex.DecodeString(hexDigest); !ok || err != nil || len(hexDigest) != 64 {
		return "", false
	}
	sum := sha256.Sum256([]byte(c.version))
	return filepath.Join(c.dir, "layers", hexDigest[:2], hexDigest+"."+hex.EncodeToString(sum[:6])), true
}

// Has reports whether there is a record, without reading it.
func (c *Cache) Has(digest string) bool {
	file, ok := c.file(digest)
	if !ok {
		return false
	}
	_, err := os.Stat(file)
	return err == nil
}

// Get returns a record, or false where there is none or it is damaged.
func (c *Cache) Get(digest string) ([]byte, bool) {
	file, ok := c.file(digest)
	if !ok {
		return nil, false
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, false
	}
	const head = len(cacheMagic) + sha256.Size
	if len(data) < head || !bytes.HasPrefix(data, []byte(cacheMagic)) {
		return nil, false
	}
	if sum := sha256.Sum256(data[head:]); !bytes.Equal(sum[:], data[len(cacheMagic):head]) {
		return nil, false
	}
	if n, err := s2.DecodedLen(data[head:]); err != nil || n > maxRecord {
		return nil, false
	}
	record, err := s2.Decode(nil, data[head:])
	if err != nil {
		return nil, false
	}
	if info, err := os.Stat(file); err == nil && time.Since(info.ModTime()) > time.Hour {
		now := time.Now()
		_ = os.Chtimes(file, now, now) // used: pruned last
	}
	return record, true
}

// Put writes a record, whole or not at all.
func (c *Cache) Put(digest string, record []byte) (err error) {
	file, ok := c.file(digest)
	if !ok {
		return fmt.Errorf("cache: %q is not a sha256 digest", digest)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing the cache: %w", err)
		}
	}()
	packed := s2.Encode(nil, record)
	sum := sha256.Sum256(packed)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(append([]byte(cacheMagic), sum[:]...), packed...))
	// No sync: after a power cut a half-written record fails its checksum and is made anew.
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	c.pruned.Do(c.prune)
	return nil
}

// prune removes the records not used for longest while there are too many bytes, and what
// crashes left.
func (c *Cache) prune() {
	type old struct {
		path string
		size int64
		used time.Time
	}
	var all []old
	var total int64
	files, _ := filepath.Glob(filepath.Join(c.dir, "layers", "*", "*"))
	hidden, _ := filepath.Glob(filepath.Join(c.dir, "layers", "*", ".new-*"))
	spooled, _ := filepath.Glob(filepath.Join(c.Spool(), "*"))
	for _, path := range append(hidden, spooled...) {
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > staleSpool {
			_ = os.RemoveAll(path)
		}
	}
	for _, path := range files {
		if info, err := os.Stat(path); err == nil && !strings.HasPrefix(info.Name(), ".") {
			all = append(all, old{path, info.Size(), info.ModTime()})
			total += info.Size()
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].used.Before(all[j].used) })
	for _, o := range all {
		if total <= cacheBytes {
			return
		}
		if os.Remove(o.path) == nil {
			total -= o.size
		}
	}
}
