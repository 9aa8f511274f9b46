package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/triad-security/triad/deploy/docker/enginetest"
	"github.com/triad-security/triad/deploy/kubernetes/apitest"
)

var build struct {
	once sync.Once
	path string
	err  error
	out  []byte
}

// program builds cmd/triad once for all tests.
func program(t *testing.T) string {
	t.Helper()
	build.once.Do(func() {
		dir, err := os.MkdirTemp("", "triad-e2e-")
		if err != nil {
			build.err = err
			return
		}
		build.path = filepath.Join(dir, "triad")
		cmd := exec.Command("go", "build", "-o", build.path, "../cmd/triad")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		build.out, build.err = cmd.CombinedOutput()
	})
	if build.err != nil {
		t.Fatalf("building triad: %v\n%s", build.err, build.out)
	}
	return build.path
}

func TestMain(m *testing.M) {
	status := enginetest.Main(m)
	apitest.Stop()
	if build.path != "" {
		_ = os.RemoveAll(filepath.Dir(build.path))
	}
	os.Exit(status)
}

// run runs the program to its end and returns its standard output.
func run(t *testing.T, bin string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(bin, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("triad %v: %v\n%s", args, err, errs.Bytes())
	}
	return out
}

// running is the program in the background.
type running struct {
	cmd *exec.Cmd
	mu  sync.Mutex
	out bytes.Buffer
}

func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.Write(p)
}

func (r *running) text() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.out.Bytes())
}

// start starts the program; it is asked to stop when the test ends, and must.
func start(t *testing.T, bin string, args ...string) *running {
	t.Helper()
	r := &running{cmd: exec.Command(bin, args...)}
	r.cmd.Stdout, r.cmd.Stderr = r, r
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.cmd.Wait() }()
	t.Cleanup(func() {
		_ = r.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("triad %v ended with %v\n%s", args, err, r.text())
			}
		case <-time.After(20 * time.Second):
			_ = r.cmd.Process.Kill()
			t.Errorf("triad %v did not stop when asked\n%s", args, r.text())
		}
	})
	return r
}

// waitFor returns what the expression's first group matches in the output.
func (r *running) waitFor(t *testing.T, e *regexp.Regexp, limit time.Duration) string {
	t.Helper()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if m := e.FindSubmatch(r.text()); m != nil {
			return string(m[1])
		}
	}
	t.Fatalf("%q did not appear in %v:\n%s", e, limit, r.text())
	return ""
}
