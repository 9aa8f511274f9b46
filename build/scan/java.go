package scan

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/google/osv-scalibr/extractor/filesystem"
	"github.com/google/osv-scalibr/extractor/filesystem/language/java/archive"

	"github.com/triad-security/triad/build/image"
)

func isJava(base string) bool { return archive.IsArchive(base) }

// java reads an archive and those inside it.
func (a *analyser) java(f *image.File) (*evidence, error) {
	s, err := a.spoolFile(f, f.Size, maxArchive)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	ctx, cancel := context.WithTimeout(a.ctx, archiveTime)
	defer cancel()
	j := &jar{analyser: &analyser{ctx: ctx, spool: a.spool}, outer: f.Name, left: maxNestedBytes, archives: maxArchives}
	if err := j.open(s, f.Name, "", 1); errors.Is(err, zip.ErrFormat) {
		switch strings.ToLower(path.Ext(f.Name)) {
		case ".jar", ".war", ".ear":
			return nil, errors.New("not a zip archive, whatever its name says")
		}
		return nil, nil // the other endings have other uses
	} else if ctx.Err() != nil && a.ctx.Err() == nil {
		j.errs = append(j.errs, fmt.Errorf("not read within %s", archiveTime))
	} else if err != nil {
		j.errs = append(j.errs, err)
	}
	return &evidence{Kind: kindJava, Packages: j.packages}, errors.Join(j.errs...)
}

type jar struct {
	*analyser
	outer    string
	packages []found
	errs     []error
	left     int64 // bytes that archives inside may still unpack to
	archives int   // that may still be opened
}

// open reads one archive; inner is its path inside the outermost.
func (j *jar) open(s *spooled, name, inner string, depth int) error {
	z, err := openZip(s, s.size)
	if err != nil {
		return err
	}
	texts := uint64(0)
	for _, m := range z.File {
		if base := path.Base(m.Name); base != "pom.properties" && !strings.EqualFold(base, "manifest.mf") {
			continue
		}
		if m.UncompressedSize64 > maxMember {
			return fmt.Errorf("its %s is larger than %d bytes", m.Name, maxMember)
		}
		if texts += m.UncompressedSize64; texts > maxMembers {
			return fmt.Errorf("its files that name packages are larger than %d bytes together", maxMembers)
		}
	}
	packages, err := j.run(javaExtractor, &filesystem.ScanInput{FS: emptyFS{}, Path: name, Info: info{name, s.size, 0o644}, Reader: io.NewSectionReader(s, 0, s.size)})
	for _, p := range packages {
		p.Inner = inner
		j.packages = append(j.packages, p)
	}
	if err := besideDepth(err); err != nil {
		j.fail(inner, err)
	}
	for _, m := range z.File {
		if !isJava(m.Name) || m.FileInfo().IsDir() {
			continue
		}
		if err := j.ctx.Err(); err != nil {
			return err
		}
		if len(j.packages) > maxPackages {
			return fmt.Errorf("it names more than %d packages", maxPackages)
		}
		if j.archives--; j.archives < 0 {
			return fmt.Errorf("it holds more than %d archives", maxArchives)
		}
		if depth >= maxNested {
			j.fail(inner, fmt.Errorf("archives nested deeper than %d are not opened: %s", maxNested, m.Name))
			return nil
		}
		if err := j.nested(m, inner, depth); err != nil {
			if j.ctx.Err() != nil {
				return err
			}
			j.fail(join(inner, m.Name), err)
		}
	}
	return nil
}

func (j *jar) nested(m *zip.File, inner string, depth int) error {
	size := int64(min(m.UncompressedSize64, maxNestedBytes+1)) //nolint:gosec // bounded here
	if size > j.left {
		return fmt.Errorf("the archives inside unpack to more than %d bytes", int64(maxNestedBytes))
	}
	r, err := m.Open()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	s, err := j.spoolFile(r, size, maxArchive)
	var cut *streamError
	if errors.As(err, &cut) {
		return cut.err // broken inside this archive, not in the layer
	}
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	j.left -= s.size
	return j.open(s, m.Name, join(inner, m.Name), depth+1)
}

func (j *jar) fail(inner string, err error) {
	if inner != "" {
		err = fmt.Errorf("%s: %w", inner, err)
	}
	if len(j.errs) < maxUnread {
		j.errs = append(j.errs, err)
	}
}

func join(outer, inner string) string {
	if outer == "" || inner == "" {
		return outer + inner
	}
	return outer + "!" + inner
}

// besideDepth drops from the extractor's errors that it did not go deeper, which is done here.
func besideDepth(err error) error {
	if err == nil {
		return nil
	}
	var all interface{ Unwrap() []error }
	if errors.As(err, &all) {
		var kept []error
		for _, e := range all.Unwrap() {
			if !strings.Contains(e.Error(), "reached max zip depth") {
				kept = append(kept, e)
			}
		}
		return errors.Join(kept...)
	}
	if strings.Contains(err.Error(), "reached max zip depth") {
		return nil
	}
	return err
}

// openZip reads an archive's directory, bounded: its size is nowhere stated truthfully.
func openZip(r io.ReaderAt, size int64) (*zip.Reader, error) {
	b := &bounded{r: r, left: maxDirectory}
	z, err := zip.NewReader(b, size)
	if b.left < 0 {
		return nil, fmt.Errorf("its directory is larger than %d bytes", maxDirectory)
	}
	b.free = true
	return z, err
}

type bounded struct {
	r    io.ReaderAt
	left int64
	free bool
}

func (b *bounded) ReadAt(p []byte, off int64) (int, error) {
	if !b.free {
		if b.left -= int64(len(p)); b.left < 0 {
			return 0, errors.New("directory too large")
		}
	}
	return b.r.ReadAt(p, off)
}
