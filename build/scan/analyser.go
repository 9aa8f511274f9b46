package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	scalibrfs "github.com/google/osv-scalibr/fs"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/image"
	"github.com/triad-security/triad/build/inspect"
)

// analyser looks at the files of one layer as they stream by.
type analyser struct {
	ctx    context.Context
	spool  string // the only folder it writes to
	limits image.Limits
	rec    record
	more   int
	buf    []byte
	known  bool         // the packages are, only inspectors look
	locks  bool         // lock files and manifests are read too
	tree   scalibrfs.FS // what lock files may look into; nil is nothing
	inspecting
}

// inspecting is the analyser's other half: who looks at content, and what they say.
type inspecting struct {
	inspectors []inspect.Inspector
	content    []*content // by inspector
	watched    watched
}

func newInspecting(inspectors []inspect.Inspector) inspecting {
	i := inspecting{inspectors: inspectors, content: make([]*content, len(inspectors))}
	for n := range i.content {
		i.content[n] = &content{}
	}
	return i
}

// analyse reads one layer: its packages unless they are known, and what inspectors say. On an
// error the records hold what was found before it.
func analyse(ctx context.Context, r io.Reader, spool string, limits image.Limits, known bool, inspectors []inspect.Inspector) (*record, []*content, error) {
	a := &analyser{ctx: ctx, spool: spool, limits: limits, known: known, inspecting: newInspecting(inspectors)}
	layer, err := image.Walk(ctx, r, limits, a.visit)
	a.rec.layer = layer
	for _, c := range a.content {
		c.DiffID = layer.DiffID
		c.finish()
	}
	for _, s := range layer.Skipped {
		a.unread("%s", s)
	}
	if a.more > 0 {
		a.rec.Unread = append(a.rec.Unread, triad.Unread{Section: "packages", Reason: fmt.Sprintf("and %d more files", a.more)})
	}
	return &a.rec, a.content, err
}

func (a *analyser) unread(format string, args ...any) {
	if len(a.rec.Unread) >= maxUnread {
		a.more++
		return
	}
	a.rec.Unread = append(a.rec.Unread, triad.Unread{Section: "packages", Reason: fmt.Sprintf(format, args...)})
}

// visit looks at one file. What is wrong with it is noted; only a dead stream ends the walk.
func (a *analyser) visit(f *image.File) (int32, error) { return a.examine(f, a.watch(f)) }

// examine reads a file once, for its packages and for the inspectors that watch it.
func (a *analyser) examine(f *image.File, w *watched) (int32, error) {
	onDisk := false
	if w != nil {
		var at io.ReaderAt
		if at, onDisk = f.Reader.(io.ReaderAt); onDisk { // packages are read of any place in it
			w.r = io.NewSectionReader(at, 0, maxInspected)
		} else {
			w.r, f.Reader = f.Reader, w
		}
	}
	var e *evidence
	var err error
	if !a.known {
		e, err = a.look(f)
	}
	var cut *streamError
	if w != nil {
		if !errors.As(err, &cut) {
			if broken := w.drain(a.ctx); broken != nil {
				cut = &streamError{broken}
				err = cut
			}
		}
		var broken error
		switch {
		case cut != nil:
			broken = cut.err
		case onDisk && f.Size > maxInspected && w.live > 0:
			broken = fmt.Errorf("%d bytes: looked at no further than %d", f.Size, int64(maxInspected))
		}
		a.settle(f, w, broken)
	}
	if a.ctx.Err() != nil {
		return 0, a.ctx.Err()
	}
	if errors.As(err, &cut) {
		return 0, cut.err
	}
	if err != nil {
		a.unread("%s: %v", f.Name, err)
	}
	if e == nil {
		return 0, nil
	}
	if len(e.Packages) > maxPackages {
		a.unread("%s: only the first %d of %d packages are kept", f.Name, maxPackages, len(e.Packages))
		e.Packages = e.Packages[:maxPackages]
	}
	if err := a.limits.Budget.Take(e.bytes()); err != nil {
		return 0, err
	}
	a.rec.Evidence = append(a.rec.Evidence, *e)
	return int32(len(a.rec.Evidence)), nil //nolint:gosec // bounded by the entries
}

// look decides by name which reader a file is for.
func (a *analyser) look(f *image.File) (*evidence, error) {
	k, limit := classify(f.Name)
	switch k {
	case "":
		return a.program(f)
	case kindJava:
		return a.java(f)
	case kindRPM:
		return a.rpm(f)
	}
	fm := formats[k]
	if fm != nil && fm.limit > 0 {
		limit = fm.limit
	}
	if k.isLock() && !a.locks {
		return nil, nil
	}
	if f.Size > limit {
		return nil, fmt.Errorf("%d bytes, more than the %d that are read", f.Size, limit)
	}
	e := &evidence{Kind: k}
	r := &body{r: f}
	var err error
	switch k {
	case kindRelease:
		var data []byte
		if data, err = a.read(r); len(data) < 64<<10 {
			e.Text = string(data)
		}
	case kindDpkgList:
		e.Files, e.Owns, err = dpkgList(r)
	case kindPyFiles:
		e.Files, e.Owns, err = pythonFiles(f.Name, r)
	case kindApk:
		var data []byte
		if data, err = a.read(r); err == nil {
			e.Packages, err = a.extract(apkExtractor, f, bytes.NewReader(data))
			apkFiles(data, e.Packages)
		}
	case kindDpkg:
		e.Packages, err = a.extract(dpkgExtractor, f, r)
	case kindNPM:
		e.Packages, err = a.extract(npmExtractor, f, r)
		if err != nil && r.err == nil && !inNodeModules(f.Name) && !strings.Contains(err.Error(), "exceeded max depth") {
			err = nil // many files of this name are templates, not JSON: no package, and no gap
		}
	case kindPython:
		return a.python(f, r)
	default:
		return a.formatted(k, fm, f)
	}
	if r.err != nil {
		return e, &streamError{r.err}
	}
	return e, err
}

// classify says by a file's name what it is evidence of, and how large it may be.
func classify(name string) (kind, int64) {
	base := path.Base(name)
	switch {
	case base == "os-release":
		return kindRelease, maxText
	case name == "var/lib/dpkg/status":
		return kindDpkg, maxDatabase
	case strings.HasPrefix(name, "var/lib/dpkg/status.d/"):
		if strings.HasSuffix(name, ".md5sums") {
			return kindDpkgList, maxText
		}
		return kindDpkg, maxText
	case strings.HasPrefix(name, "var/lib/dpkg/info/") && strings.HasSuffix(name, ".list"):
		return kindDpkgList, maxText
	case base == "installed" && (name == "lib/apk/db/installed" || name == "var/lib/apk/db/installed" || name == "usr/lib/apk/db/installed"):
		return kindApk, maxDatabase
	case isRPM(name, base):
		return kindRPM, maxRPM
	case base == "package.json":
		return kindNPM, maxText
	case base == "METADATA" && strings.HasSuffix(name, ".dist-info/METADATA"),
		base == "PKG-INFO" && (strings.HasSuffix(name, "EGG-INFO/PKG-INFO") || strings.HasSuffix(name, ".egg-info/PKG-INFO")),
		strings.HasSuffix(base, ".egg-info"), strings.HasSuffix(base, ".egg"), strings.HasSuffix(base, ".whl"):
		return kindPython, maxText
	case base == "RECORD" && strings.HasSuffix(name, ".dist-info/RECORD"),
		base == "top_level.txt" && strings.HasSuffix(name, "-info/top_level.txt"):
		return kindPyFiles, maxText
	case isJava(base):
		return kindJava, maxArchive
	}
	if k := installedKind(name, base); k != "" {
		return k, formats[k].limit
	}
	if k := lockKind(name, base); k != "" {
		return k, maxLock
	}
	return "", 0
}

func isRPM(name, base string) bool {
	switch base {
	case "Packages", "Packages.db", "rpmdb.sqlite":
		dir := strings.TrimSuffix(name, "/"+base)
		return dir == "var/lib/rpm" || dir == "usr/lib/sysimage/rpm" || dir == "usr/share/rpm"
	}
	return false
}

// read reads a small file whole, into a buffer that the next call uses again.
func (a *analyser) read(r io.Reader) ([]byte, error) {
	w := bytes.NewBuffer(a.buf[:0])
	_, err := w.ReadFrom(r)
	if w.Cap() <= inMemory {
		a.buf = w.Bytes()
	}
	return w.Bytes(), err
}

// body is a file's content; it remembers whether the layer broke off inside it, which
// extractors may hide.
type body struct {
	r   io.Reader
	err error
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// streamError is a failure of the layer itself, not of the file.
type streamError struct{ err error }

func (e *streamError) Error() string { return e.err.Error() }
func (e *streamError) Unwrap() error { return e.err }
