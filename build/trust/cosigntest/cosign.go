// Package cosigntest runs cosign in tests: the program that others sign and verify images
// with, built from its own Go module by scripts/cosign.sh and kept in the user's cache.
// Building takes some eight CPU minutes, so tests only do it when TRIAD_TEST_COSIGN=build
// says so, as `make test` does, and are skipped where it is not in the cache.
package cosigntest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Version of cosign; the one that scripts/cosign.sh builds.
const Version = "v3.1.3"

var built struct {
	sync.Once
	path, missing string
	err           error
}

// Cosign is the program with what it needs around it.
type Cosign struct {
	t    testing.TB
	path string
	home string
}

// New finds cosign, or skips the test.
func New(t testing.TB) *Cosign {
	t.Helper()
	built.Do(find)
	if built.missing != "" {
		t.Skip(built.missing)
	}
	if built.err != nil {
		t.Fatal(built.err)
	}
	return &Cosign{t: t, path: built.path, home: t.TempDir()}
}

func find() {
	cache, err := os.UserCacheDir()
	if err != nil {
		built.err = err
		return
	}
	built.path = filepath.Join(cache, "triad", "cosign", "cosign-"+Version)
	if _, err := os.Stat(built.path); err == nil {
		return
	}
	if os.Getenv("TRIAD_TEST_COSIGN") != "build" {
		built.missing = "cosign " + Version + " is not in the cache (" + built.path + "); scripts/cosign.sh builds it once, which takes some eight CPU minutes"
		return
	}
	_, file, _, _ := runtime.Caller(0)
	cmd := exec.Command(filepath.Join(filepath.Dir(file), "../../../scripts/cosign.sh"))
	cmd.Stderr = os.Stderr
	_, built.err = cmd.Output()
}

// Run runs cosign in an empty home without a way out, with a password for keys of "", and
// returns what it printed.
func (c *Cosign) Run(args ...string) (output string, err error) {
	c.t.Helper()
	var text bytes.Buffer
	cmd := exec.Command(c.path, args...)
	cmd.Dir = c.home
	cmd.Env = []string{"HOME=" + c.home, "PATH=" + os.Getenv("PATH"), "COSIGN_PASSWORD=" + os.Getenv("COSIGN_PASSWORD"), "COSIGN_YES=true"}
	cmd.Stdout, cmd.Stderr = &text, &text
	err = cmd.Run()
	c.t.Logf("cosign %s\n%s", strings.Join(args, " "), text.String())
	return text.String(), err
}

// Must runs cosign and fails the test where it fails.
func (c *Cosign) Must(args ...string) string {
	c.t.Helper()
	output, err := c.Run(args...)
	if err != nil {
		c.t.Fatalf("cosign %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return output
}

// File writes a file into cosign's home and returns its path.
func (c *Cosign) File(name string, data []byte) string {
	c.t.Helper()
	path := filepath.Join(c.home, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}
