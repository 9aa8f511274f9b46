package scan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/image"
)

// Dir scans a folder: a source tree, or the root of a machine or unpacked image. Nothing is
// cached, since nothing says when a folder changes.
func (s *Scanner) Dir(ctx context.Context, name string) (*Result, error) {
	if s.BeforeRead != nil {
		s.BeforeRead()
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("scanning a folder: %w", err)
	}
	defer func() { _ = root.Close() }()
	j := s.begin(ctx)
	d := &dir{
		analyser: analyser{ctx: ctx, spool: s.Cache.Spool(), limits: j.limits, inspecting: newInspecting(j.able)},
		root:     root, machine: abs == "/", left: s.Options.Limits.MaxEntries,
		layer: image.NewLayer(),
	}
	if d.left <= 0 {
		d.left = image.DefaultMaxEntries
	}
	d.rec.layer = d.layer
	if !systemRoot(root) {
		d.locks, d.tree = true, tree{root}
	}
	result := newResult(Artifact{Type: ArtifactDir, Name: name})
	result.root = abs
	if err := d.walk(".", 0); err != nil {
		if ctx.Err() != nil || !errors.Is(err, image.ErrLimit) {
			return nil, err
		}
		d.gap("", err)
	}
	all := mergeContent([]*record{&d.rec}, [][]*content{d.content}, j.able, "")
	if all.Distro.ID == "" { // no root of a machine: names are those of this machine
		for _, p := range all.Packages {
			for j, f := range p.Files {
				p.Files[j] = filepath.Join(abs, f)
			}
		}
	}
	result.setPackages(all.Packages, all.Distro)
	result.code = all.Code
	result.Unread = append(append(result.Unread, d.rec.Unread...), all.Unread...)
	if d.more > 0 {
		result.Unread = append(result.Unread, triad.Unread{Section: sectionPackages, Reason: fmt.Sprintf("and %d more files", d.more)})
	}
	result.looked(j.able)
	result.place(all.Findings...)
	result.Unread = append(append(result.Unread, j.unread...), d.unreadContent()...)
	result.own()
	return result, nil
}

type dir struct {
	analyser
	root    *os.Root
	layer   *image.Layer
	machine bool // the running machine's own root
	left    int  // entries that may still be looked at
	// skip and done are a machine's: folders not to look into, and those looked into already.
	skip func(path string) bool
	done map[string]bool
	// lean leaves out the names of files that say nothing: a developer's home has millions.
	lean bool
}

// maxDirDepth of folders in folders.
const maxDirDepth = 256

// walk looks at one folder. Links are noted, never followed; os.Root keeps every open
// inside the folder.
func (d *dir) walk(name string, depth int) error {
	if err := d.ctx.Err(); err != nil {
		return err
	}
	if depth > maxDirDepth {
		d.gap(name, fmt.Errorf("folders nested deeper than %d", maxDirDepth))
		return nil
	}
	f, err := d.root.Open(name)
	if err != nil {
		d.gap("", err)
		return nil
	}
	entries, err := f.ReadDir(d.left + 1)
	_ = f.Close()
	if err != nil && len(entries) == 0 && depth == 0 {
		return fmt.Errorf("reading the folder: %w", err)
	}
	if d.left -= len(entries); d.left < 0 {
		return fmt.Errorf("%w: more than the allowed number of entries; the rest was not read (raise it with --max-entries)", image.ErrLimit)
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
	for _, e := range entries {
		path := e.Name()
		if name != "." {
			path = name + "/" + path
		}
		if err := d.entry(path, e, depth); err != nil {
			return err
		}
	}
	return nil
}

func (d *dir) entry(path string, e fs.DirEntry, depth int) error {
	switch t := e.Type(); {
	case t.IsDir():
		d.layer.Put(path, image.Entry{Type: image.Dir})
		if d.done[path] || d.skip != nil && d.skip(path) {
			return nil
		}
		if d.machine && (path == "proc" || path == "sys" || path == "dev") || e.Name() == ".git" {
			return nil
		}
		return d.walk(path, depth+1)
	case t&fs.ModeSymlink != 0:
		target, err := d.root.Readlink(path)
		if err != nil {
			d.unread("%v", err)
		}
		d.layer.Put(path, image.Entry{Type: image.Symlink, Target: target})
	case t.IsRegular():
		evidence, err := d.file(path)
		if err != nil {
			return err
		}
		if evidence != 0 || !d.lean || ofSystem(path) {
			d.layer.Put(path, image.Entry{Type: image.Regular, Evidence: evidence})
		}
	default:
		d.layer.Put(path, image.Entry{Type: image.Special})
	}
	return nil
}

func (d *dir) file(path string) (int32, error) {
	if d.done != nil && len(d.inspectors) == 0 && noProgram(path) {
		return 0, nil
	}
	info, err := d.root.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return 0, nil //nolint:nilerr // gone in the meantime
	}
	file := &image.File{Name: path, Size: info.Size(), Mode: info.Mode()}
	file.UID, file.GID = fileOwner(info)
	w := d.watch(file)
	k, _ := classify(path)
	if k.isLock() && !d.locks {
		k = ""
	}
	if w == nil && k == "" && (info.Size() < minProgram || info.Mode()&0o111 == 0 && !isLibrary(path)) {
		return 0, nil // not worth opening
	}
	f, err := d.root.Open(path)
	if err != nil {
		d.unread("%v", err)
		if w != nil {
			d.settle(file, w, err)
		}
		return 0, nil
	}
	defer func() { _ = f.Close() }()
	file.Reader = f
	evidence, err := d.examine(file, w)
	if err != nil && d.ctx.Err() == nil {
		d.unread("%s: %v", path, err) // a file that fails is no reason to stop
		err = nil
	}
	return evidence, err
}

// gap notes a part of the tree that nobody looked into: neither for packages nor for content.
func (d *dir) gap(name string, err error) {
	if name != "" {
		err = fmt.Errorf("%s: %w", name, err)
	}
	d.unread("%v", err)
	for _, c := range d.content {
		c.Unread = append(c.Unread, err.Error())
	}
}

// unreadContent takes what inspectors could not look at.
func (d *dir) unreadContent() (unread []triad.Unread) {
	for n, c := range d.content {
		c.finish()
		for _, reason := range c.Unread {
			unread = append(unread, triad.Unread{Section: d.inspectors[n].Section(), Reason: reason})
		}
		c.Unread = nil
	}
	return unread
}
