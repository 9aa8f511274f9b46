package scan

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/triad-security/triad/build/dockerfile"
	"github.com/triad-security/triad/build/inspect"
	"github.com/triad-security/triad/build/malware"
	"github.com/triad-security/triad/build/scan/scantest"
	"github.com/triad-security/triad/build/secret"
)

// childCase names the case that a child process scans: a process' peak memory is its own.
const childCase = "TRIAD_TEST_HOSTILE"

// everything is every inspector that needs nothing but the content.
func everything(t testing.TB) []inspect.Inspector {
	t.Helper()
	all, err := malware.New(malware.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return append(all, secret.New(), dockerfile.NewInspector())
}

// TestHostileImages scans each image in a process of its own and holds its peak memory to
// what the scanner promises. TRIAD_TEST_LARGE=1 takes the sizes that are meant for real.
func TestHostileImages(t *testing.T) {
	large := os.Getenv("TRIAD_TEST_LARGE") != ""
	if only := os.Getenv(childCase); only != "" {
		hostileChild(t, only)
		return
	}
	for _, c := range scantest.Cases {
		t.Run(c.Name, func(t *testing.T) {
			start := time.Now()
			size := c.Small
			if large {
				size = c.Large
			}
			r, w := io.Pipe() // the image is made here, so that the child's memory is the scanner's
			go func() { _ = w.CloseWithError(c.Image(w, size)) }()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHostileImages$", "-test.v") //nolint:gosec // this test
			cmd.Env = append(os.Environ(), childCase+"="+c.Name, "GOGC=30")
			cmd.Stdin = r
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out[max(0, len(out)-3000):])
			}
			peak := int64(0)
			if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
				peak = u.Maxrss >> 10 // KiB on Linux
			}
			for line := range strings.Lines(string(out)) {
				if _, said, ok := strings.Cut(line, "result: "); ok {
					t.Logf("%d %s: %s; peak %d MiB, %s", size, c.Unit, strings.TrimSpace(said), peak, time.Since(start).Round(10*time.Millisecond))
				}
			}
			if peak > 512 {
				t.Errorf("peak memory %d MiB", peak)
			}
		})
	}
}

func hostileChild(t *testing.T, name string) {
	for _, c := range scantest.Cases {
		if c.Name != name {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
		defer cancel()
		s := scanner(t)
		s.Inspectors = everything(t)
		result, err := s.Stream(ctx, os.Stdin, "")
		if err != nil {
			t.Fatal(err)
		}
		reasons, err := json.Marshal(result.Unread)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(reasons), c.Unread) {
			t.Errorf("no reason says %q: %.2000s", c.Unread, reasons)
		}
		t.Logf("result: %d packages, %d findings, %d unread: %.300s", len(result.Packages), len(result.Findings()), len(result.Unread), reasons)
	}
}
