package trust

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Cache keeps verdicts of trust by digest and policy, in memory and in a folder. A verdict
// admits an image, so what is kept is authenticated with a key that only its owner can read;
// what was altered, is of another image or policy, or has expired is not there. Refusals are
// not kept: the image may be signed the next moment.
type Cache struct {
	dir string
	key []byte
	now func() time.Time

	mu     sync.Mutex
	recent map[cacheKey]*Verdict
}

type cacheKey [sha256.Size]byte

// Bounds of a cache: entries in memory, files in each of the 256 folders, bytes of a file.
const (
	maxRecent      = 16384
	maxCacheFiles  = 512
	maxCachedBytes = 1 << 20
)

// OpenCache opens a cache, making its folder and key where they are not there.
func OpenCache(dir string) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the verdicts: %w", err)
	}
	key, err := cacheSecret(filepath.Join(dir, "key"))
	if err != nil {
		return nil, fmt.Errorf("opening the verdicts: %w", err)
	}
	return &Cache{dir: dir, key: key, now: time.Now, recent: map[cacheKey]*Verdict{}}, nil
}

// cacheSecret reads the key, or makes one. A key that others can read is replaced, which
// makes what was kept with it worthless.
func cacheSecret(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 == 0 && info.Size() == sha256.Size:
		return os.ReadFile(path)
	case err == nil:
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // does not fail
	temporary, err := os.CreateTemp(filepath.Dir(path), "key-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	_, err = temporary.Write(key)
	if err = errors.Join(err, temporary.Close()); err != nil {
		return nil, err
	}
	// Link, not rename: of two processes that start together one makes the key.
	if err := os.Link(temporary.Name(), path); errors.Is(err, fs.ErrExist) {
		return cacheSecret(path)
	} else if err != nil {
		return nil, err
	}
	return key, nil
}

func keyOf(digest, policy string) cacheKey {
	return sha256.Sum256([]byte(digest + "\n" + policy))
}

func (c *Cache) path(k cacheKey) string {
	name := hex.EncodeToString(k[:])
	return filepath.Join(c.dir, name[:2], name)
}

// Get returns the verdict kept for a digest under a policy, nil where there is none.
func (c *Cache) Get(digest, policy string) *Verdict {
	k := keyOf(digest, policy)
	c.mu.Lock()
	v := c.recent[k]
	c.mu.Unlock()
	if v == nil {
		if v = c.read(k); v == nil {
			return nil
		}
		c.remember(k, v)
	}
	if now := c.now(); v.Digest != digest || v.Policy != policy || !v.Trusted ||
		!now.Before(v.ValidUntil) || v.CheckedAt.After(now.Add(maxSkew)) {
		return nil
	}
	hit := *v
	hit.Cached = true
	return &hit
}

// Put keeps a verdict of trust.
func (c *Cache) Put(v *Verdict) error {
	if !v.Trusted || v.Cached {
		return nil
	}
	k := keyOf(v.Digest, v.Policy)
	kept := *v
	kept.Rejected = []Rejection{} // of no use later, and as many as anybody likes
	body, err := json.Marshal(&kept)
	if err != nil {
		return fmt.Errorf("keeping the verdict: %w", err)
	}
	if len(body) > maxCachedBytes {
		return nil
	}
	c.remember(k, &kept)
	path := c.path(k)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keeping the verdict: %w", err)
	}
	c.prune(filepath.Dir(path))
	temporary, err := os.CreateTemp(filepath.Dir(path), "new-*")
	if err != nil {
		return fmt.Errorf("keeping the verdict: %w", err)
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	_, err = temporary.Write(append(c.mac(k, body), body...))
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("keeping the verdict: %w", err)
	}
	return nil
}

func (c *Cache) read(k cacheKey) *Verdict {
	f, err := os.Open(c.path(k))
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxCachedBytes+sha256.Size))
	if err != nil || len(data) < sha256.Size {
		return nil
	}
	if !hmac.Equal(data[:sha256.Size], c.mac(k, data[sha256.Size:])) {
		return nil
	}
	var v Verdict
	if json.Unmarshal(data[sha256.Size:], &v) != nil {
		return nil
	}
	return &v
}

// mac binds what is kept to its name: a verdict cannot be moved to another image.
func (c *Cache) mac(k cacheKey, body []byte) []byte {
	h := hmac.New(sha256.New, c.key)
	h.Write(k[:])
	h.Write(body)
	return h.Sum(nil)
}

func (c *Cache) remember(k cacheKey, v *Verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.recent) >= maxRecent {
		for old := range c.recent { // any one: the folder still has it
			delete(c.recent, old)
			break
		}
	}
	c.recent[k] = v
}

// prune makes room in a folder that is full: what has expired goes, then the oldest half.
func (c *Cache) prune(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < maxCacheFiles {
		return
	}
	edge := c.now().Add(-verdictTTL)
	for pass := range 2 {
		left := 0
		for i, e := range entries {
			info, err := e.Info()
			if err != nil {
				continue
			}
			if info.ModTime().Before(edge) || pass == 1 && i%2 == 0 {
				_ = os.Remove(filepath.Join(dir, e.Name()))
			} else {
				left++
			}
		}
		if left < maxCacheFiles {
			return
		}
	}
}

// Verifier holds images against one policy and remembers those that it trusts.
type Verifier struct {
	Client *Client
	Policy *Policy
	Cache  *Cache // nil remembers nothing

	once sync.Once
	hash string
	err  error
}

// Verify is Client.Verify, by way of the cache. Of a digest that is in it nobody is asked.
func (v *Verifier) Verify(ctx context.Context, reference string) (*Verdict, error) {
	v.once.Do(func() {
		if v.err = v.Policy.check(); v.err == nil {
			v.hash = v.Policy.Hash()
		}
	})
	if v.err != nil {
		return nil, v.err
	}
	image, err := v.Client.Resolve(ctx, reference)
	if err != nil {
		return nil, err
	}
	if v.Cache != nil {
		if hit := v.Cache.Get(image.DigestStr(), v.hash); hit != nil {
			hit.Reference = reference
			return hit, nil
		}
	}
	verdict, err := v.Client.verify(ctx, reference, image, v.Policy)
	if err != nil || v.Cache == nil {
		return verdict, err
	}
	return verdict, v.Cache.Put(verdict)
}
