package image

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestCache(t *testing.T) {
	dir := t.TempDir()
	c, err := OpenCache(dir, "1")
	if err != nil {
		t.Fatal(err)
	}
	digest := "sha256:" + strings.Repeat("ab", 32)
	if _, ok := c.Get(digest); ok || c.Has(digest) {
		t.Error("an empty cache knows a layer")
	}
	if err := c.Put(digest, []byte("record")); err != nil {
		t.Fatal(err)
	}
	if got, ok := c.Get(digest); !ok || string(got) != "record" {
		t.Errorf("got %q %v", got, ok)
	}
	t.Run("another version of the analyser does not see it", func(t *testing.T) {
		other, err := OpenCache(dir, "2")
		if err != nil {
			t.Fatal(err)
		}
		if other.Has(digest) {
			t.Error("it does")
		}
	})
	t.Run("what is no digest has no file", func(t *testing.T) {
		for _, bad := range []string{"", "../../etc/passwd", "sha256:../../x", "sha512:" + strings.Repeat("ab", 32)} {
			if err := c.Put(bad, nil); err == nil {
				t.Errorf("%q was kept", bad)
			}
		}
	})
	file, _ := c.file(digest)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("a damaged record is as good as none, and is written again", func(t *testing.T) {
		for i := range whole {
			bad := append([]byte(nil), whole...)
			bad[i] ^= 1
			for _, data := range [][]byte{bad, whole[:i]} {
				if err := os.WriteFile(file, data, 0o600); err != nil {
					t.Fatal(err)
				}
				if got, ok := c.Get(digest); ok {
					t.Fatalf("byte %d: got %q", i, got)
				}
			}
		}
		if err := c.Put(digest, []byte("new")); err != nil {
			t.Fatal(err)
		}
		if got, ok := c.Get(digest); !ok || string(got) != "new" {
			t.Errorf("got %q %v", got, ok)
		}
	})
	t.Run("writers at the same time leave one whole record", func(t *testing.T) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 20 {
					if err := c.Put(digest, []byte(strings.Repeat("x", 10_000))); err != nil {
						t.Error(err)
					}
					if got, ok := c.Get(digest); !ok || len(got) != 10_000 {
						t.Errorf("got %d bytes", len(got))
					}
				}
			})
		}
		wg.Wait()
		if left, _ := filepath.Glob(filepath.Join(dir, "layers", "*", ".new-*")); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
	})
}

func FuzzDecodeLayer(f *testing.F) {
	l := NewLayer()
	l.Put("a", Entry{Type: Symlink, Target: "b"})
	l.Put("a/b", Entry{Type: Regular, Evidence: 3})
	l.names.node(l.names.make("x")).flags |= flagWhiteout
	l.DiffID = "sha256:1"
	f.Add(AppendLayer(nil, l))
	f.Add([]byte{255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, data []byte) {
		l, rest, err := DecodeLayer(data)
		if err != nil {
			return
		}
		again, _, err := DecodeLayer(AppendLayer(nil, l))
		if err != nil || again.Len() != l.Len() || len(rest) > len(data) {
			t.Fatalf("written and read again: %v, %d entries of %d", err, again.Len(), l.Len())
		}
		for name, e := range l.All() { // names that a damaged record has twice are found once
			if got, ok := again.Entry(name); !ok || got.Type != e.Type && l.Len() == len(slices.Compact(l.Names())) {
				t.Fatalf("%q: %v, was %v", name, got, e)
			}
		}
	})
}
