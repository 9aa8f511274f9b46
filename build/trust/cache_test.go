package trust_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/triad-security/triad/build/registry/registrytest"
	"github.com/triad-security/triad/build/trust"
)

func verdict(digest, policy string) *trust.Verdict {
	return &trust.Verdict{Digest: digest, Policy: policy, Trusted: true, CheckedAt: time.Now(), ValidUntil: time.Now().Add(time.Hour)}
}

func openCache(t testing.TB, dir string) *trust.Cache {
	t.Helper()
	c, err := trust.OpenCache(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// kept returns the files of a cache without its key.
func kept(t testing.TB, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && d.Name() != "key" {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestAKeptVerdictIsThereForItsImageAndPolicyAlone(t *testing.T) {
	dir := t.TempDir()
	c := openCache(t, dir)
	if err := c.Put(verdict("sha256:aa", "p")); err != nil {
		t.Fatal(err)
	}
	for name, cache := range map[string]*trust.Cache{"in memory": c, "on disk": openCache(t, dir)} {
		if v := cache.Get("sha256:aa", "p"); v == nil || !v.Cached || !v.Trusted {
			t.Errorf("%s: %+v", name, v)
		}
		if cache.Get("sha256:ab", "p") != nil || cache.Get("sha256:aa", "q") != nil {
			t.Errorf("%s: there for another image or policy", name)
		}
	}
}

func TestAVerdictIsNotKept(t *testing.T) {
	for name, change := range map[string]func(*trust.Verdict){
		"that refuses":           func(v *trust.Verdict) { v.Trusted = false },
		"that has expired":       func(v *trust.Verdict) { v.ValidUntil = time.Now().Add(-time.Second) },
		"that never expires":     func(v *trust.Verdict) { v.ValidUntil = time.Time{} },
		"from the future":        func(v *trust.Verdict) { v.CheckedAt = time.Now().Add(time.Hour) },
		"that was itself cached": func(v *trust.Verdict) { v.Cached = true },
	} {
		t.Run(name, func(t *testing.T) {
			c := openCache(t, t.TempDir())
			v := verdict("sha256:aa", "p")
			change(v)
			if err := c.Put(v); err != nil {
				t.Fatal(err)
			}
			if v := c.Get("sha256:aa", "p"); v != nil {
				t.Errorf("kept: %+v", v)
			}
		})
	}
}

func TestWhatWasTamperedWithIsNotThere(t *testing.T) {
	for name, tamper := range map[string]func(t *testing.T, dir, file string){
		"altered": func(t *testing.T, _, file string) {
			data := must(os.ReadFile(file))
			write(t, file, bytes.Replace(data, []byte(`"trusted":true`), []byte(`"trusted":true `), 1))
		},
		"cut short": func(t *testing.T, _, file string) { write(t, file, must(os.ReadFile(file))[:40]) },
		"empty":     func(t *testing.T, _, file string) { write(t, file, nil) },
		"of another image, moved here": func(t *testing.T, dir, file string) {
			other := t.TempDir()
			write(t, filepath.Join(other, "key"), must(os.ReadFile(filepath.Join(dir, "key"))))
			if err := openCache(t, other).Put(verdict("sha256:bb", "p")); err != nil {
				t.Fatal(err)
			}
			write(t, file, must(os.ReadFile(kept(t, other)[0])))
		},
		"authenticated with another key": func(t *testing.T, dir, _ string) {
			write(t, filepath.Join(dir, "key"), bytes.Repeat([]byte{1}, 32))
		},
		"authenticated with a key that others can read": func(t *testing.T, dir, _ string) {
			if err := os.Chmod(filepath.Join(dir, "key"), 0o644); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := openCache(t, dir).Put(verdict("sha256:aa", "p")); err != nil {
				t.Fatal(err)
			}
			tamper(t, dir, kept(t, dir)[0])
			if v := openCache(t, dir).Get("sha256:aa", "p"); v != nil {
				t.Errorf("taken: %+v", v)
			}
		})
	}
}

func TestACacheIsTheOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "verdicts")
	if err := openCache(t, dir).Put(verdict("sha256:aa", "p")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{dir: 0o700, filepath.Join(dir, "key"): 0o600, kept(t, dir)[0]: 0o600} {
		if have := must(os.Stat(path)).Mode().Perm(); have != want {
			t.Errorf("%s is %o, want %o", path, have, want)
		}
	}
}

func TestACachedDigestIsAskedOfNobody(t *testing.T) {
	address := registrytest.Start(t)
	image := push(t, address+"/shop/web:1.0")
	key := newKey(t, trust.AlgorithmECDSA)
	sign(t, image, key, trust.FormBundle)
	dir := t.TempDir()
	v := &trust.Verifier{Client: &trust.Client{}, Policy: byKey(key), Cache: openCache(t, dir)}
	first, err := v.Verify(t.Context(), image.Name())
	if err != nil || !first.Trusted || first.Cached {
		t.Fatalf("%+v, %v", first, err)
	}
	v = &trust.Verifier{Client: &trust.Client{Transport: deaf{t}}, Policy: byKey(key), Cache: openCache(t, dir)}
	if again, err := v.Verify(t.Context(), image.Name()); err != nil || !again.Trusted || !again.Cached {
		t.Fatalf("%+v, %v", again, err)
	}
}

func BenchmarkVerifyCached(b *testing.B) {
	dir := b.TempDir()
	key := newKey(b, trust.AlgorithmECDSA)
	digest := "sha256:" + string(bytes.Repeat([]byte("a"), 64))
	policy := byKey(key)
	v := verdict(digest, policy.Hash())
	v.Signatures = []trust.Statement{{Form: "bundle", Source: digest, Key: key.Public().ID()}}
	if err := openCache(b, dir).Put(v); err != nil {
		b.Fatal(err)
	}
	reference := "registry.example.com/shop/web@" + digest
	b.Run("in memory", func(b *testing.B) {
		verifier := &trust.Verifier{Client: &trust.Client{Transport: deaf{b}}, Policy: policy, Cache: openCache(b, dir)}
		for b.Loop() {
			if v, err := verifier.Verify(b.Context(), reference); err != nil || !v.Cached {
				b.Fatal(v, err)
			}
		}
	})
	b.Run("on disk", func(b *testing.B) {
		for b.Loop() {
			verifier := &trust.Verifier{Client: &trust.Client{Transport: deaf{b}}, Policy: policy, Cache: openCache(b, dir)}
			if v, err := verifier.Verify(b.Context(), reference); err != nil || !v.Cached {
				b.Fatal(v, err)
			}
		}
	})
}
