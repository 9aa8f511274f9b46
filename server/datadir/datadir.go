// Package datadir is the data directory: its layout, and the kernel lock that lets one process
// own it at a time. Whoever finds it held talks to the holder's socket.
package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/triad-security/triad"
)

// Dir is a data directory.
type Dir string

// Where things are in it.
func (d Dir) lock() string { return filepath.Join(string(d), "lock") }

// Store is the SQLite file of the embedded store.
func (d Dir) Store() string { return filepath.Join(string(d), "triad.db") }

// Bus is the folder of the embedded JetStream.
func (d Dir) Bus() string { return filepath.Join(string(d), "bus") }

// Socket is where the process that holds the directory listens.
func (d Dir) Socket() string { return filepath.Join(string(d), "triad.sock") }

// Advisories is the folder of the advisory database.
func (d Dir) Advisories() string { return filepath.Join(string(d), "advisories") }

// ErrHeld says that another process holds the directory.
var ErrHeld = errors.New("the data directory is held by another process")

// Lock is a held data directory. The kernel releases it when the process ends, however it ends.
type Lock struct{ file *os.File }

// Acquire makes the directory when it is not there and locks it. It does not wait: a held
// directory is ErrHeld, with the holder's process ID where it is known.
func Acquire(d Dir) (*Lock, error) {
	// Only its owner may enter: the socket inside lets in without a token.
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "making the data directory: %w; name another with --data", err)
	}
	f, err := os.OpenFile(d.lock(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "opening the data directory's lock: %w; name another with --data", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w%s", d, ErrHeld, holder(f))
		}
		return nil, fmt.Errorf("locking %s: %w", d, err)
	}
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &Lock{f}, nil
}

func holder(f *os.File) string {
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" (process %d)", pid)
}

// Release gives the directory back.
func (l *Lock) Release() error { return l.file.Close() }
