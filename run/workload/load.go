package workload

import (
	"bytes"
	"os"
	"path"
	"strconv"
	"strings"
)

// codeSuffixes are files that hold code and that their runtimes map or keep open without the
// right to execute: Java archives and modules, native add-ons, .NET assemblies, PHP archives.
var codeSuffixes = []string{".jar", ".war", ".ear", ".jmod", ".aar", ".node", ".dll", ".phar", ".whl", ".egg", ".zip", ".wasm", ".pyz"}

func holdsCode(file string) bool {
	base := strings.ToLower(path.Base(file))
	for _, suffix := range codeSuffixes {
		if strings.HasSuffix(base, suffix) {
			return true
		}
	}
	return strings.HasSuffix(base, ".so") || strings.Contains(base, ".so.") || base == "modules" && strings.HasSuffix(path.Dir(file), "/lib")
}

// mapped returns the files that a process has mapped as code.
func (r *Reader) mapped(pid int) ([]string, error) {
	data, err := readSome(r.path(pid, "maps"), maxMaps)
	if err != nil {
		return nil, err
	}
	return parseMaps(data), nil
}

// parseMaps reads /proc/PID/maps (proc(5)): address, permissions, offset, device, inode, path.
// The path may hold spaces; a line feed in it is written \012.
func parseMaps(data []byte) []string {
	seen := map[string]bool{}
	var files []string
	for line := range bytes.Lines(data) {
		slash := bytes.IndexByte(line, '/') // nothing before the path holds one
		if slash < 0 {
			continue
		}
		fields := bytes.Fields(line[:slash])
		if len(fields) != 5 || len(fields[1]) < 4 {
			continue
		}
		file := cleanPath(strings.ReplaceAll(string(bytes.TrimRight(line[slash:], "\n")), `\012`, "\n"))
		if seen[file] || strings.HasPrefix(file, "/memfd:") || strings.HasPrefix(file, "/dev/") || strings.HasPrefix(file, "/SYSV") {
			continue
		}
		if fields[1][2] == 'x' || holdsCode(file) {
			seen[file] = true
			files = append(files, file)
			if len(files) == maxLoads {
				break
			}
		}
	}
	return files
}

// opened returns the archives of code that a process holds open, and the inodes of its sockets.
func (r *Reader) opened(pid int) (files []string, inodes map[uint64]bool, err error) {
	dir, err := os.Open(r.path(pid, "fd"))
	if err != nil {
		return nil, nil, err
	}
	defer dir.Close()
	inodes = map[uint64]bool{}
	for total := 0; total < maxFDs; {
		names, err := dir.Readdirnames(1024)
		for _, name := range names {
			target, err := os.Readlink(r.path(pid, "fd/"+name))
			if err != nil {
				continue // closed meanwhile
			}
			if inode, ok := socketInode(target); ok {
				inodes[inode] = true
			} else if strings.HasPrefix(target, "/") && holdsCode(cleanPath(target)) {
				files = append(files, cleanPath(target))
			}
		}
		total += len(names)
		if err != nil || len(names) == 0 {
			break
		}
	}
	return files, inodes, nil
}

// socketInode reads socket:[12345].
func socketInode(target string) (uint64, bool) {
	digits, ok := strings.CutPrefix(target, "socket:[")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(digits, "]"), 10, 64)
	return inode, err == nil
}
