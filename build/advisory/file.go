package advisory

import (
	"io"
	"os"
	"runtime/debug"
)

// file reads a generation's file: from a mapping where the system has one, else by reads.
type file struct {
	*os.File
	mem []byte
}

// ReadAt copies out of the mapping. A mapped page that cannot be read (the disk fails, or
// somebody cut the file) is an error here and not the end of the program.
func (f *file) ReadAt(p []byte, offset int64) (n int, err error) {
	if f.mem == nil {
		return f.File.ReadAt(p, offset)
	}
	if offset < 0 || offset > int64(len(f.mem)) {
		return 0, io.EOF
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			n, err = 0, errDamaged
		}
	}()
	if n = copy(p, f.mem[offset:]); n < len(p) {
		err = io.EOF
	}
	return n, err
}

// Close unmaps and closes; nobody may read any more.
func (f *file) Close() error {
	unmapFile(f.mem)
	f.mem = nil
	return f.File.Close()
}
