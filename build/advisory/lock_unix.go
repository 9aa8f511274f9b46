//go:build unix

package advisory

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/triad-security/triad"
)

// lock keeps other importers away until unlock; the kernel frees it when the process ends.
func lock(dir string) (unlock func(), err error) { return lockNamed(dir, "lock") }

func lockNamed(dir, name string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, triad.Errorf(triad.CodeUnavailable, "another import or update of the advisories in %s is running: try again when it has ended", dir)
		}
		return nil, err
	}
	return func() { f.Close() }, nil
}
