package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver
)

// Server is a PostgreSQL server with a data directory and socket of its own.
type Server struct {
	run    func() (*exec.Cmd, error)
	cmd    *exec.Cmd
	socket string
	made   int
}

// Start starts the newest PostgreSQL that Debian's packages installed, or skips the test
// where there is none. It stops when the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s, stop, err := StartServer(context.Background())
	if err != nil {
		if os.IsNotExist(err) {
			t.Skipf("PostgreSQL is not installed (%v): as root, apt-get install postgresql", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return s
}

// StartServer starts the server; the error satisfies os.IsNotExist where none is installed.
// stop ends it, by its process ID, and removes its files.
func StartServer(ctx context.Context) (_ *Server, stop func(), err error) {
	programs, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(programs) == 0 {
		return nil, nil, &os.PathError{Op: "looking for", Path: "/usr/lib/postgresql/*/bin/postgres", Err: os.ErrNotExist}
	}
	slices.SortFunc(programs, func(a, b string) int { return version(a) - version(b) })
	bin := filepath.Dir(programs[len(programs)-1])
	as, err := account()
	if err != nil {
		return nil, nil, err
	}
	// A socket's path has at most 107 bytes, so no test name in it.
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		return nil, nil, err
	}
	remove := func() { os.RemoveAll(dir) }
	if as != nil {
		if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
			remove()
			return nil, nil, err
		}
	}
	data := filepath.Join(dir, "data")
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir = dir
		cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=/usr/bin:/bin"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGQUIT}
		return cmd
	}
	if out, err := run("initdb", "--pgdata", data, "--username", "triad", "--auth", "trust", "--encoding", "UTF8", "--no-sync").CombinedOutput(); err != nil {
		remove()
		return nil, nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	s := &Server{socket: dir, run: func() (*exec.Cmd, error) {
		log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return nil, err
		}
		defer log.Close()
		cmd := run("postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "max_wal_size=4GB")
		cmd.Stdout, cmd.Stderr = log, log
		return cmd, cmd.Start()
	}}
	stop = func() {
		s.end(syscall.SIGINT) // fast shutdown
		remove()
	}
	if s.cmd, err = s.run(); err != nil {
		remove()
		return nil, nil, err
	}
	if err := s.ready(ctx); err != nil {
		text, _ := os.ReadFile(filepath.Join(dir, "log"))
		stop()
		return nil, nil, fmt.Errorf("starting PostgreSQL: %w: %s", err, text)
	}
	return s, stop, nil
}

func (s *Server) end(signal syscall.Signal) {
	s.cmd.Process.Signal(signal)
	s.cmd.Wait()
}

// Crash ends the server without writing anything more, as a power cut would, and starts it
// again: it recovers from its log.
func (s *Server) Crash(t testing.TB) {
	s.end(syscall.SIGQUIT) // immediate shutdown; SIGKILL would leave its children behind
	var err error
	if s.cmd, err = s.run(); err == nil {
		err = s.ready(context.Background())
	}
	if err != nil {
		t.Errorf("starting PostgreSQL again: %v", err)
	}
}

// account is who runs the server; it refuses to run as root.
func account() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("PostgreSQL does not run as root and there is no user postgres or nobody")
}

func version(program string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(program))))
	return n
}

func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		db, err := sql.Open("pgx", s.address("postgres"))
		if err != nil {
			return err
		}
		err = db.PingContext(ctx)
		db.Close()
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *Server) address(database string) string {
	return "postgres:///" + database + "?" + url.Values{"host": {s.socket}, "user": {"triad"}}.Encode()
}

// Database makes an empty database and returns its address.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	db, err := sql.Open("pgx", s.address("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s.made++
	name := "t" + strconv.Itoa(s.made)
	if _, err := db.ExecContext(t.Context(), "create database "+name); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(s.address(name))
}
