package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/image"
	"github.com/triad-security/triad/build/match"
)

// checker is a matcher that also says what it could not compare, and that keeps what it found:
// the same packages and the same advisories come to the same.
type checker struct {
	*match.Matcher
	cache  *image.Cache
	unread []triad.Unread
}

// checked is what the cache keeps of a look-up.
type checked struct {
	Found  []triad.Vulnerability
	Unread []triad.Unread
}

func (c *checker) Match(ctx context.Context, packages []triad.Package) ([]triad.Vulnerability, error) {
	key := c.key(packages)
	if data, ok := c.cache.Get(key); ok {
		var known checked
		if gob.NewDecoder(bytes.NewReader(data)).Decode(&known) == nil {
			c.unread = known.Unread
			return known.Found, nil
		}
	}
	r, err := c.Check(ctx, packages)
	if err != nil {
		return nil, err
	}
	c.unread = r.Unread()
	if key != "" && r.Revision == c.Revision() {
		var data bytes.Buffer
		if gob.NewEncoder(&data).Encode(checked{r.Vulnerabilities, c.unread}) == nil {
			_ = c.cache.Put(key, data.Bytes()) // only slower without it
		}
	}
	return r.Vulnerabilities, nil
}

// key names all that a look-up depends on: the packages, the advisories, and this program,
// by its file, for another one may compare otherwise. It is empty where that is not known.
func (c *checker) key(packages []triad.Package) string {
	exe, err := os.Executable()
	if err != nil {
		return ""
	}
	info, err := os.Stat(exe)
	if err != nil {
		return ""
	}
	h := sha256.New()
	fmt.Fprintf(h, "matched\n%s\n%s %d %d\n", c.Revision(), version, info.Size(), info.ModTime().UnixNano())
	for i := range packages {
		p := &packages[i]
		for _, s := range []string{p.Asset, p.Name, p.Version, p.Ecosystem, p.PURL, p.Source, p.SourceVersion, p.Owner, p.Path, p.Layer, p.Step} {
			_, _ = io.WriteString(h, s) // a hash takes all
			_, _ = h.Write([]byte{0})
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
