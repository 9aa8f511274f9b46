package scan

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	rpmdb "github.com/erikvarga/go-rpmdb/pkg"
	"github.com/google/osv-scalibr/extractor/filesystem"

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

// rpm spools the database, which its reader needs as a file with a real path, and reads it
// twice: the packages through scalibr, their files directly.
func (a *analyser) rpm(f *image.File) (*evidence, error) {
	if f.Size > maxRPM {
		return nil, fmt.Errorf("%d bytes, more than the %d that are read", f.Size, maxRPM)
	}
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
	if err == nil && name == "Packages.db" {
		if damaged := checkNDB(file, size); damaged != nil {
			_ = file.Close()
			return nil, damaged
		}
	}
	if e := file.Close(); err == nil {
		err = e
	}
	if in.err != nil {
		return nil, &streamError{in.err}
	}
	if err != nil {
		return nil, fmt.Errorf("spooling to the cache: %w", err)
	}
	packages, err := a.run(rpmExtractor, &filesystem.ScanInput{FS: emptyFS{}, Root: dir, Path: name, Info: info{name, f.Size, 0o600}})
	e := &evidence{Kind: kindRPM, Packages: packages}
	if err != nil {
		return e, err
	}
	return e, rpmFiles(file.Name(), packages)
}

func rpmFiles(file string, packages []found) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("file lists: %v", p)
		}
	}()
	db, err := rpmdb.Open(file)
	if err != nil {
		return fmt.Errorf("file lists: %w", err)
	}
	defer func() { _ = db.Close() }()
	all, err := db.ListPackages()
	if err != nil {
		return fmt.Errorf("file lists: %w", err)
	}
	byName := make(map[string]*found, len(packages))
	for i := range packages {
		p := &packages[i]
		byName[p.Name+"\x00"+p.Version+"\x00"+p.Arch] = p
	}
	for _, info := range all {
		p := byName[info.Name+"\x00"+info.Version+"-"+info.Release+"\x00"+info.Arch]
		if p == nil {
			continue
		}
		p.Module, p.Vendor = info.Modularitylabel, info.Vendor
		names, err := info.InstalledFileNames()
		if err != nil {
			continue
		}
		for _, name := range names {
			p.Owns.add(name)
			if len(p.Files) < maxFiles && loadable(name) {
				p.Files = append(p.Files, name)
			}
		}
	}
	return nil
}
