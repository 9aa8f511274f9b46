package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// One engine serves all tests of a binary.
var engine struct {
	once    sync.Once
	dir     string
	process *os.Process
	ended   chan struct{}
	err     error
	missing string
}

// Start returns the socket of the test binary's engine, starting it if it does not run. It
// skips the test where an engine cannot run: not as root, or without Debian's docker.io.
// The engine ends with the test binary; call Main from TestMain to remove its files too.
func Start(t testing.TB) (socket string) {
	t.Helper()
	engine.once.Do(start)
	if engine.missing != "" {
		t.Skip(engine.missing)
	}
	if engine.err != nil {
		t.Fatal(engine.err)
	}
	return filepath.Join(engine.dir, "docker.sock")
}

// Main runs a package's tests, then stops the engine if one was started. It is for TestMain.
func Main(m *testing.M) int {
	defer Stop()
	return m.Run()
}

func start() {
	if os.Getuid() != 0 {
		engine.missing = "a Docker engine runs as root only; run the tests as root to include it"
		return
	}
	for _, program := range []string{"dockerd", "containerd", "runc"} {
		if _, err := exec.LookPath(program); err != nil {
			engine.missing = program + " is not installed; apt-get install docker.io containerd runc iptables"
			return
		}
	}
	sweep()
	// Short, for a socket's path has 108 bytes.
	dir, err := os.MkdirTemp("", "triad-engine-")
	if err != nil {
		engine.err = err
		return
	}
	engine.dir = dir
	engine.err = run(dir)
	if engine.err != nil {
		Stop()
	}
}

func run(dir string) error {
	config := filepath.Join(dir, "daemon.json")
	if err := os.WriteFile(config, []byte("{}"), 0o600); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("dockerd", "--config-file="+config, "--data-root="+filepath.Join(dir, "data"),
		"--exec-root="+filepath.Join(dir, "exec"), "--pidfile="+filepath.Join(dir, "pid"),
		"--host=unix://"+filepath.Join(dir, "docker.sock"), "--shutdown-timeout=3", "--log-level=warn")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGTERM, // it never outlives the tests
	}
	started := make(chan error)
	engine.ended = make(chan struct{})
	go func() {
		// The kernel sends Pdeathsig when the thread that started the process ends. The thread's
		// network namespace passes to the engine, so the thread is never used for anything else.
		runtime.LockOSThread()
		err := isolate()
		if err == nil {
			err = cmd.Start()
		}
		if err == nil {
			engine.process = cmd.Process
		}
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(engine.ended)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("starting dockerd: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		if ping(ctx, filepath.Join(dir, "docker.sock")) == nil {
			return nil
		}
		select {
		case <-engine.ended:
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
			continue
		}
		text, _ := os.ReadFile(filepath.Join(dir, "log"))
		return fmt.Errorf("dockerd did not come up:\n%s", text[max(0, len(text)-4096):])
	}
}

// isolate gives the calling thread a network namespace with nothing but loopback, so that the
// engine's bridge and firewall rules are its own.
func isolate() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("making a network namespace: %w", err)
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, request)
}

func ping(ctx context.Context, socket string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/_ping", nil)
	if err != nil {
		return err
	}
	client := client(socket)
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

func client(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
}

// Stop ends the engine and removes its files. The next Start starts another.
func Stop() {
	defer func() { engine.once = sync.Once{} }()
	if engine.process != nil {
		_ = engine.process.Signal(syscall.SIGTERM)
		select {
		case <-engine.ended:
		case <-time.After(20 * time.Second):
			_ = engine.process.Kill()
			<-engine.ended
		}
		engine.process = nil
	}
	if engine.dir != "" {
		remove(engine.dir)
		engine.dir = ""
	}
}

// sweep removes what engines left behind whose tests were killed.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), "triad-engine-*"))
	for _, dir := range dirs {
		pid, err := os.ReadFile(filepath.Join(dir, "pid"))
		if err != nil {
			if info, err := os.Stat(dir); err != nil || time.Since(info.ModTime()) < time.Hour {
				continue
			}
		}
		if n, err := strconv.Atoi(strings.TrimSpace(string(pid))); err == nil {
			name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", n))
			if bytes.Equal(bytes.TrimSpace(name), []byte("dockerd")) {
				continue
			}
		}
		remove(dir)
	}
}

// remove unmounts what is mounted below a folder and deletes it.
func remove(dir string) {
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	var points []string
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			points = append(points, fields[4])
		}
	}
	slices.Sort(points)
	for _, point := range slices.Backward(points) {
		_ = syscall.Unmount(point, syscall.MNT_DETACH)
	}
	_ = os.RemoveAll(dir)
}
