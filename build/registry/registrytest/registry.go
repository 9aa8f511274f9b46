package registrytest

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"golang.org/x/crypto/bcrypt"
)

// Option changes how a registry is set up.
type Option func(*settings)

type settings struct {
	user, password string
	noDelete       bool
}

// WithLogin makes the registry ask for a user's name and password.
func WithLogin(user, password string) Option {
	return func(s *settings) { s.user, s.password = user, password }
}

// WithoutDelete makes the registry refuse to delete, as many are set up.
func WithoutDelete() Option {
	return func(s *settings) { s.noDelete = true }
}

// Start runs Debian's docker-registry and returns its address, 127.0.0.1:PORT. The test is
// skipped where the program is not installed.
func Start(t testing.TB, options ...Option) string {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		t.Skip("docker-registry is not installed: apt-get install docker-registry")
	}
	var s settings
	for _, o := range options {
		o(&s)
	}
	dir := t.TempDir()
	// The port is free when it is asked for; another program may take it before the
	// registry does, so a few are tried.
	for attempt := 1; ; attempt++ {
		address, err := start(t, program, dir, s)
		if err == nil {
			return address
		}
		if attempt == 3 {
			t.Fatalf("starting docker-registry: %v", err)
		}
	}
}

func start(t testing.TB, program, dir string, s settings) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address := listener.Addr().String()
	_ = listener.Close()
	config, err := configure(dir, address, s)
	if err != nil {
		return "", err
	}
	var output bytes.Buffer
	cmd := exec.Command(program, "serve", config)
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		// The kernel sends Pdeathsig when the thread that started the process ends.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return "", err
	}
	stop := func() {
		_ = cmd.Process.Kill()
		<-ended
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		response, err := http.Get("http://" + address + "/v2/")
		if err == nil {
			_ = response.Body.Close()
			if strings.HasPrefix(response.Header.Get("Docker-Distribution-Api-Version"), "registry/") {
				t.Cleanup(stop)
				return address, nil
			}
		}
		select {
		case <-ended:
			return "", fmt.Errorf("it ended at once: %s", output.String())
		default:
		}
		if time.Now().After(deadline) {
			stop()
			return "", fmt.Errorf("no answer at %s: %s", address, output.String())
		}
	}
}

// configure writes the registry's configuration file (docker-registry's configuration.md).
func configure(dir, address string, s settings) (string, error) {
	config := fmt.Sprintf(`version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: %q}
  delete: {enabled: %v}
  maintenance: {uploadpurging: {enabled: false}}
http: {addr: %q, secret: test}
`, filepath.Join(dir, "data"), !s.noDelete, address)
	if s.user != "" {
		hash, err := bcrypt.GenerateFromPassword([]byte(s.password), bcrypt.MinCost)
		if err != nil {
			return "", err
		}
		passwords := filepath.Join(dir, "htpasswd")
		if err := os.WriteFile(passwords, fmt.Appendf(nil, "%s:%s\n", s.user, hash), 0o600); err != nil {
			return "", err
		}
		config += fmt.Sprintf("auth:\n  htpasswd: {realm: test, path: %q}\n", passwords)
	}
	path := filepath.Join(dir, "config.yml")
	return path, os.WriteFile(path, []byte(config), 0o600)
}

// StartReferrers runs go-containerregistry's registry, which has the referrers API of OCI
// distribution 1.1, in the test's process and returns its address.
func StartReferrers(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}
