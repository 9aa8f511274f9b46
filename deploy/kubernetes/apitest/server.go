package apitest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Versions of the programs; those of the modules in e2e/kubernetes.
const (
	kubernetesVersion = "v1.37.2"
	etcdVersion       = "v3.7.3"
)

// Server is a running API server.
type Server struct {
	URL   string // https://127.0.0.1:…
	Token string // of a member of system:masters
}

var server struct {
	once      sync.Once
	dir       string
	processes []*process
	Server
	err     error
	missing string
}

type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	log   string
}

// Start returns the test binary's API server, starting it if it does not run. The server ends
// with the test binary; call Main from TestMain to remove its files too.
func Start(t testing.TB) Server {
	t.Helper()
	server.once.Do(start)
	if server.missing != "" {
		t.Skip(server.missing)
	}
	if server.err != nil {
		t.Fatal(server.err)
	}
	return server.Server
}

// Main runs a package's tests, then stops the server if one was started. It is for TestMain.
func Main(m *testing.M) int {
	defer Stop()
	return m.Run()
}

// Stop ends the server and removes its files. The next Start starts another.
func Stop() {
	for i := len(server.processes) - 1; i >= 0; i-- {
		p := server.processes[i]
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(10 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.ended
		}
	}
	server.processes = nil
	if server.dir != "" {
		_ = os.RemoveAll(server.dir)
	}
	server.dir, server.once = "", sync.Once{}
}

func start() {
	etcd, err := program("etcd", etcdVersion, "github.com/triad-security/triad/e2e/kubernetes/etcd")
	var apiserver string
	if err == nil {
		apiserver, err = program("apiserver", kubernetesVersion, "k8s.io/kubernetes/cmd/kube-apiserver")
	}
	if errors.Is(err, errNotBuilt) {
		server.missing = err.Error()
		return
	}
	if err == nil {
		server.dir, err = os.MkdirTemp("", "triad-apiserver-")
	}
	if err == nil {
		err = run(etcd, apiserver, server.dir)
	}
	if err != nil {
		Stop()
		server.once.Do(func() {}) // another try would fail as well
		server.err = err
	}
}

var errNotBuilt = errors.New("not in the cache")

// program returns a program from the cache, building it there when that is asked for.
func program(module, version, pkg string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	name := pkg[strings.LastIndexByte(pkg, '/')+1:] + "-" + version
	path := filepath.Join(cache, "triad", "kubernetes", name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if os.Getenv("TRIAD_TEST_APISERVER") != "build" {
		return "", fmt.Errorf("%s is %w (%s); set TRIAD_TEST_APISERVER=build to build it once, which takes about ten CPU minutes", name, errNotBuilt, filepath.Dir(path))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	_, file, _, _ := runtime.Caller(0)
	partial := fmt.Sprintf("%s.%d", path, os.Getpid())
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X k8s.io/component-base/version.gitVersion="+version, "-o", partial, pkg)
	cmd.Dir = filepath.Join(filepath.Dir(file), "../../../e2e/kubernetes", module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, text)
	}
	return path, os.Rename(partial, path)
}

func run(etcd, apiserver, dir string) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", ports[0]), fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	if err := spawn(dir, etcd, "--data-dir="+filepath.Join(dir, "etcd"), "--listen-client-urls="+client,
		"--advertise-client-urls="+client, "--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer,
		"--initial-cluster=default="+peer, "--unsafe-no-fsync", "--log-level=warn"); err != nil {
		return err
	}
	key := filepath.Join(dir, "sa.key")
	if err := writeKey(key); err != nil {
		return err
	}
	server.Token = rand.Text()
	tokens := filepath.Join(dir, "tokens.csv")
	if err := os.WriteFile(tokens, []byte(server.Token+",admin,admin,\"system:masters\"\n"), 0o600); err != nil {
		return err
	}
	server.URL = fmt.Sprintf("https://127.0.0.1:%d", ports[2])
	if err := spawn(dir, apiserver, "--etcd-servers="+client, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", ports[2]), "--endpoint-reconciler-type=none", "--cert-dir="+filepath.Join(dir, "certs"),
		"--service-cluster-ip-range=172.20.0.0/16", "--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-signing-key-file="+key, "--service-account-key-file="+key, "--token-auth-file="+tokens,
		"--authorization-mode=Node,RBAC", "--allow-privileged=true", "--disable-admission-plugins=ServiceAccount"); err != nil {
		return err
	}
	return ready(server.Server, server.processes)
}

// spawn starts a program that ends with the tests.
func spawn(dir, path string, args ...string) error {
	log, err := os.Create(filepath.Join(dir, filepath.Base(path)+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	p := &process{cmd: exec.Command(path, args...), ended: make(chan struct{}), log: log.Name()}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	started := make(chan error)
	go func() {
		// The kernel sends Pdeathsig when the thread that started the process ends.
		runtime.LockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
			close(p.ended)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("starting %s: %w", filepath.Base(path), err)
	}
	server.processes = append(server.processes, p)
	return nil
}

func ready(s Server, processes []*process) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for {
		if s.get(ctx, "/readyz") == nil {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-processes[0].ended:
		case <-processes[1].ended:
		case <-time.After(200 * time.Millisecond):
			continue
		}
		var text strings.Builder
		for _, p := range processes {
			log, _ := os.ReadFile(p.log)
			fmt.Fprintf(&text, "%s:\n%s\n", filepath.Base(p.log), log[max(0, len(log)-4096):])
		}
		return fmt.Errorf("the API server did not come up\n%s", text.String())
	}
}

func (s Server) get(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	// Its certificate is signed by itself, on loopback.
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return nil
}

func writeKey(path string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return os.WriteFile(path, pem.EncodeToMemory(block), 0o600)
}

func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
