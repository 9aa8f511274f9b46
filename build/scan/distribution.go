package scan

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/triad-security/triad/build/image"
)

// loadable says by its name that a file is a program or a library: what a process can have
// mapped. Contents are not looked at, so scripts in bin count too.
func loadable(name string) bool {
	dir, base := path.Split(name)
	switch {
	case strings.HasSuffix(dir, "/bin/"), strings.HasSuffix(dir, "/sbin/"), strings.Contains(dir, "/libexec/"), dir == "bin/", dir == "sbin/":
		return true
	case strings.HasSuffix(base, ".so"), strings.Contains(base, ".so."):
		return true
	case isJava(base):
		return true
	}
	// Programs of a package's own: /usr/lib/git-core/git-upload-pack.
	return strings.HasPrefix(name, "/usr/lib/") && strings.Count(name, "/") == 4 && !strings.ContainsRune(base, '.') && !strings.HasPrefix(name, "/usr/lib/python")
}

// dpkgList reads which files a deb brought: /var/lib/dpkg/info/NAME.list, one absolute name
// a line, or NAME.md5sums of distroless images.
func dpkgList(r io.Reader) (files []string, all owns, err error) {
	s := bufio.NewScanner(r)
	for s.Scan() {
		name := s.Text()
		if len(name) > 34 && name[32] == ' ' {
			name = "/" + strings.TrimLeft(name[33:], " *") // md5sum, two spaces, name
		}
		all.add(name)
		if loadable(name) {
			if len(files) < maxFiles {
				files = append(files, name)
			}
		}
	}
	return files, all, s.Err()
}

// apkFiles adds the loadable files to packages read from the same database: F: is a folder,
// R: a file in it, a blank line ends a package.
func apkFiles(data []byte, packages []found) {
	byName := make(map[string]*found, len(packages))
	for i := range packages {
		byName[packages[i].Name+"\x00"+packages[i].Version] = &packages[i]
	}
	var name, version, dir string
	var files []string
	var all owns
	flush := func() {
		if p := byName[name+"\x00"+version]; p != nil {
			p.Files, p.Owns = files, all
		}
		name, version, dir, files, all = "", "", "", nil, nil
	}
	for line := range bytes.Lines(data) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			flush()
			continue
		}
		if len(line) < 2 || line[1] != ':' {
			continue
		}
		switch value := string(line[2:]); line[0] {
		case 'P':
			name = value
		case 'V':
			version = value
		case 'F':
			dir = "/" + value
		case 'R':
			file := path.Join(dir, value)
			if all.add(file); len(files) < maxFiles && loadable(file) {
				files = append(files, file)
			}
		}
	}
	flush()
}

// rpm spools the database, whose pages are read in any order. It is not read through scalibr:
// the library below that one dies of a damaged page, in a goroutine of its own, and takes what
// memory a header claims.
func (a *analyser) rpm(f *image.File) (*evidence, error) {
	if f.Size > maxRPM {
		return nil, fmt.Errorf("%d bytes, more than the %d that are read", f.Size, maxRPM)
	}
	ctx, cancel := context.WithTimeout(a.ctx, extractTime)
	defer cancel()
	dir, err := os.MkdirTemp(a.spool, "rpm-*")
	if err != nil {
		return nil, fmt.Errorf("spooling to the cache: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	name := path.Base(f.Name)
	file, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("spooling to the cache: %w", err)
	}
	in := &body{r: f}
	size, err := io.Copy(file, in)
	defer func() { _ = file.Close() }()
	if in.err != nil {
		return nil, &streamError{in.err}
	}
	if err != nil {
		return nil, fmt.Errorf("spooling to the cache: %w", err)
	}
	e := &evidence{Kind: kindRPM}
	var damaged error
	err = rpmHeaders(ctx, file.Name(), file, size, func(header []byte) error {
		if len(e.Packages) > maxPackages {
			return fmt.Errorf("more than %d packages", maxPackages)
		}
		p, files, err := rpmPackageOf(header)
		for _, name := range files {
			p.Owns.add(name)
			if len(p.Files) < maxFiles && loadable(name) {
				p.Files = append(p.Files, name)
			}
		}
		if p.Name != "" {
			e.Packages = append(e.Packages, p)
		}
		if damaged == nil {
			damaged = err // the others are as good as before
		}
		return nil
	})
	if err == nil {
		err = damaged
	}
	return e, err
}
