//go:build unix

package advisory

import (
	"os"
	"syscall"
)

// mapFile maps a file for reading. A generation's file is never written again, only replaced,
// and a look-up in the mapping spares it a system call for each small read.
func mapFile(f *os.File, size int64) []byte {
	if size <= 0 || size != int64(int(size)) {
		return nil
	}
	mem, err := syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil // it is read instead
	}
	return mem
}

func unmapFile(mem []byte) {
	if mem != nil {
		_ = syscall.Munmap(mem) // nothing is written, nothing is lost
	}
}
