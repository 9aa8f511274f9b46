//go:build unix

package scan

import (
	"io/fs"
	"syscall"
)

// fileOwner returns the user and group of a file on disk.
func fileOwner(info fs.FileInfo) (uid, gid int) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid), int(s.Gid)
	}
	return 0, 0
}
