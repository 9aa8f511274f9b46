package registrytest

import (
	"bytes"
	"errors"
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

// Start runs Debian's docker-registry for a test and returns its address, 127.0.0.1:PORT.
// The test is skipped where the program is not installed.
func Start(t testing.TB, options ...Option) string {
	t.Helper()
	address, stop, err := Run(t.TempDir(), options...)
	if errors.Is(err, ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return address
}

// ErrMissing says that docker-registry is not installed.
var ErrMissing = errors.New("docker-registry is not installed: apt-get install docker-registry")

// Run runs docker-registry on a folder, for those who have no testing.TB.
func Run(dir string, options ...Option) (address string, stop func(), err error) {
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		return "", nil, ErrMissing
	}
	var s settings
	for _, o := range options {
		o(&s)
	}
	// The port is free when it is asked for; another program may take it before the
	// registry does, so a few are tried.
	for range 3 {
		if address, stop, err = start(program, dir, s); err == nil {
			return address, stop, nil
		}
	}
	return "", nil, fmt.Errorf("starting docker-registry: %w", err)
}

func start(program, dir string, s settings) (address string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	address = listener.Addr().String()
	_ = listener.Close()
	config, err := configure(dir, address, s)
	if err != nil {
		return "", nil, err
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
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		<-ended
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		response, err := http.Get("http://" + address + "/v2/")
		if err == nil {
			_ = response.Body.Close()
			if strings.HasPrefix(response.Header.Get("Docker-Distribution-Api-Version"), "registry/") {
				return address, stop, nil
			}
		}
		select {
		case <-ended:
			return "", nil, fmt.Errorf("it ended at once: %s", output.String())
		default:
		}
		if time.Now().After(deadline) {
			stop()
			return "", nil, fmt.Errorf("no answer at %s: %s", address, output.String())
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
