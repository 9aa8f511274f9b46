package scan

import (
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/google/osv-scalibr/extractor/filesystem"

	"github.com/triad-security/triad/build/image"
)

// python reads a package's metadata file, or a wheel or egg, which is a zip.
func (a *analyser) python(f *image.File, r *body) (*evidence, error) {
	e := &evidence{Kind: kindPython}
	var err error
	if !strings.HasSuffix(f.Name, ".egg") && !strings.HasSuffix(f.Name, ".whl") {
		if e.Packages, err = a.extract(pythonExtractor, f, r); r.err != nil {
			return e, &streamError{r.err}
		}
		return e, err
	}
	s, err := a.spoolFile(f, f.Size, maxArchive)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	z, err := openZip(s, s.size)
	if errors.Is(err, zip.ErrFormat) {
		return nil, nil // a folder's worth of other things have this ending
	}
	if err != nil {
		return nil, err
	}
	for _, m := range z.File {
		if k, _ := classify(m.Name); k == kindPython && m.UncompressedSize64 > maxMember {
			return nil, fmt.Errorf("its %s is larger than %d bytes", m.Name, maxMember)
		}
	}
	e.Packages, err = a.run(pythonExtractor, &filesystem.ScanInput{FS: emptyFS{}, Path: f.Name, Info: info{f.Name, s.size, f.Mode}, Reader: io.NewSectionReader(s, 0, s.size)})
	return e, err
}

// pythonFiles reads what a Python package brought into its site-packages folder: the
// modules at the top, and extension modules. RECORD is CSV with the name first.
func pythonFiles(name string, r io.Reader) ([]string, owns, error) {
	site := path.Dir(path.Dir(name))
	record := path.Base(name) == "RECORD"
	seen := map[string]bool{}
	var files []string
	var all owns
	add := func(file string) {
		if !seen[file] && len(files) < maxFiles {
			seen[file] = true
			files = append(files, "/"+path.Join(site, file))
		}
	}
	s := bufio.NewScanner(r)
	for s.Scan() {
		file := strings.TrimSpace(s.Text())
		if record {
			file, _, _ = strings.Cut(file, ",")
		}
		file = strings.Trim(file, `"`)
		if record && !path.IsAbs(file) {
			all.add(path.Join(site, file)) // also ../../../bin/pip
		}
		if file == "" || strings.HasPrefix(file, "..") || path.IsAbs(file) {
			continue
		}
		top, _, deep := strings.Cut(file, "/")
		switch {
		case strings.HasSuffix(top, "-info"), top == "__pycache__":
		case deep || strings.HasSuffix(top, ".py") || !record:
			add(top)
		}
		if strings.HasSuffix(file, ".so") {
			add(file)
		}
	}
	return files, all, s.Err()
}
