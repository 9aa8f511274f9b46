package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// File is one regular file as it streams by. Its content is valid during the visit only,
// and need not be read.
type File struct {
	Name     string
	Size     int64
	Mode     fs.FileMode
	UID, GID int
	io.Reader
}

// Visit looks at a regular file and returns a number by which its caller will know it
// again: Entry.Evidence. Zero is nothing worth remembering. An error ends the walk.
type Visit func(f *File) (evidence int32, err error)

// Whiteout marks of the OCI image specification, layer.md.
const (
	whiteoutPrefix = ".wh."
	whiteoutOpaque = ".wh..wh..opq"
	whiteoutMeta   = ".wh..wh." // other marks of AUFS itself
)

// Walk reads one layer, compressed or not, once. When it fails midway it returns what it
// read so far together with the error; DiffID is then empty.
func Walk(ctx context.Context, r io.Reader, limits Limits, visit Visit) (*Layer, error) {
	w := &walker{limits: limits.withDefaults(), visit: visit, names: newTable(), seqs: []int32{0}}
	s, done, err := newStream(ctx, r, w.limits)
	if err != nil {
		return w.finish(), err
	}
	defer done()
	err = w.walk(s)
	if err != nil {
		layer := w.finish()
		layer.Size = s.pos
		return layer, err
	}
	digest, err := s.digest()
	layer := w.finish()
	layer.Size, layer.DiffID = s.total, digest
	return layer, err
}

type walker struct {
	limits    Limits
	visit     Visit
	names     *table
	seqs      []int32          // by node: the moment it was written, to know what a later one removed
	held      int64            // bytes of the budget
	replaced  map[uint32]int32 // folders that were something else before: when
	killed    bool             // some folder was replaced by a file: its content is gone
	seq       int32
	nameBytes int64
	symlinks  int
	skipped   []string
	more      int
	lastDir   string // of the entry before: most share it
	lastReal  string
}

func (w *walker) walk(s *stream) error {
	t := tar.NewReader(s)
	for entries := 0; ; entries++ {
		h, err := t.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("tar entry %d: %w", entries+1, err)
		case entries >= w.limits.MaxEntries:
			return limitf("more than %d entries", w.limits.MaxEntries)
		}
		if w.nameBytes += int64(len(h.Name) + len(h.Linkname)); w.nameBytes > maxNameBytes {
			return limitf("more than %d bytes of names", maxNameBytes)
		}
		if err := w.entry(t, h); err != nil {
			return err
		}
		if now := w.names.bytes(); now > w.held {
			if err := w.limits.Budget.Take(now - w.held); err != nil {
				return err
			}
			w.held = now
		}
	}
}

func (w *walker) entry(t *tar.Reader, h *tar.Header) error {
	name, ok := Clean(h.Name)
	if !ok {
		w.skip("entry %q is not inside the image", h.Name)
		return nil
	}
	if name == "" {
		return nil // the root itself
	}
	dir, base := parent(name), path.Base(name)
	if dir, ok = w.realDir(dir); !ok {
		w.skip("entry %q leads through a loop of links", h.Name)
		return nil
	}
	name = join(dir, base)
	if strings.HasPrefix(base, whiteoutPrefix) {
		w.whiteout(dir, base)
		return nil
	}
	e := Entry{Type: Special}
	switch h.Typeflag {
	case tar.TypeDir:
		e.Type = Dir
	case tar.TypeSymlink:
		e = Entry{Type: Symlink, Target: h.Linkname}
	case tar.TypeLink:
		target, ok := Clean(h.Linkname)
		if !ok || target == "" {
			w.skip("hard link %q leads outside the image", h.Name)
			return nil
		}
		d, ok := w.realDir(parent(target))
		if !ok {
			w.skip("hard link %q leads through a loop of links", h.Name)
			return nil
		}
		target = join(d, path.Base(target))
		if old, ok := w.live(target); ok && old.Type != Dir {
			e = old
		} else {
			e = Entry{Type: HardLink, Target: target}
		}
	case tar.TypeReg, tar.TypeRegA, tar.TypeCont, tar.TypeGNUSparse: //nolint:staticcheck // TypeRegA stands in old archives
		e.Type = Regular
		evidence, err := w.visit(&File{Name: name, Size: h.Size, Mode: h.FileInfo().Mode(), UID: h.Uid, GID: h.Gid, Reader: t})
		if err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		e.Evidence = evidence
	case tar.TypeXGlobalHeader:
		return nil
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
	default:
		w.skip("entry %q has the unknown type %q", h.Name, h.Typeflag)
		return nil
	}
	w.put(name, e)
	return nil
}

// put writes an entry over what its name held, and makes its parents folders.
func (w *walker) put(name string, e Entry) {
	w.seq++
	i := w.node(name)
	old, was := w.names.node(i).kind, w.liveAt(i)
	switch {
	case was && old == Dir && e.Type == Dir:
		return
	case was && old == Dir:
		w.killed = true
	case was && e.Type == Dir:
		w.mark(i)
	}
	if e.Type == Symlink || was && old == Symlink {
		w.symlinks++
		w.lastDir, w.lastReal = "", ""
	}
	w.names.set(i, e)
	w.seqs[i] = w.seq
	for at := w.names.node(i).parent; at != 0; at = w.names.node(at).parent {
		live := w.liveAt(at)
		if live && w.names.node(at).kind == Dir {
			return
		}
		if live {
			w.mark(at)
		}
		w.names.set(at, Entry{Type: Dir})
		w.seqs[at] = w.seq
	}
}

// node returns the number of a name, also of one that holds nothing yet.
func (w *walker) node(name string) uint32 {
	i := w.names.make(name)
	for len(w.seqs) < w.names.nodes.len {
		w.seqs = append(w.seqs, 0)
	}
	return i
}

// live returns the entry at a name unless a file that replaced one of its folders removed it.
func (w *walker) live(name string) (Entry, bool) {
	i, ok := w.names.find(name)
	if !ok || !w.liveAt(i) {
		return Entry{}, false
	}
	return w.names.entry(i), true
}

func (w *walker) liveAt(i uint32) bool {
	n := w.names.node(i)
	if n.flags&flagEntry == 0 {
		return false
	}
	if !w.killed {
		return true
	}
	for at := n.parent; at != 0; at = w.names.node(at).parent {
		if d := w.names.node(at); d.flags&flagEntry != 0 && d.kind != Dir || w.replaced[at] >= w.seqs[i] {
			return false
		}
	}
	return true
}

func (w *walker) mark(i uint32) {
	if w.replaced == nil {
		w.replaced = map[uint32]int32{}
	}
	w.replaced[i] = max(w.replaced[i], w.seqs[i])
}

func (w *walker) whiteout(dir, base string) {
	switch hidden := strings.TrimPrefix(base, whiteoutPrefix); {
	case base == whiteoutOpaque:
		w.names.node(w.node(dir)).flags |= flagOpaque
		if dir != "" {
			w.put(dir, Entry{Type: Dir})
		}
	case strings.HasPrefix(base, whiteoutMeta):
	case hidden == "" || hidden == "." || hidden == "..":
		w.skip("whiteout %q names nothing", join(dir, base))
	default:
		w.names.node(w.node(join(dir, hidden))).flags |= flagWhiteout
		if dir != "" {
			w.put(dir, Entry{Type: Dir}) // whoever removes from a folder has that folder
		}
	}
}

// realDir follows the symbolic links that this layer has written so far, as unpacking it
// into an empty folder would.
func (w *walker) realDir(dir string) (string, bool) {
	if w.symlinks == 0 || dir == "" {
		return dir, true
	}
	if dir == w.lastDir {
		return w.lastReal, true
	}
	real, ok := resolve(dir, func(name string) (string, bool) {
		n, ok := w.live(name)
		return n.Target, ok && n.Type == Symlink
	})
	if ok {
		w.lastDir, w.lastReal = dir, real
	}
	return real, ok
}

// resolve follows symbolic links in every component of name, never above the root, at most
// maxLinks of them.
func resolve(name string, link func(string) (target string, ok bool)) (string, bool) {
	done, rest := "", name
	for links := 0; rest != ""; {
		part, tail, _ := strings.Cut(rest, "/")
		rest = tail
		switch part {
		case "", ".":
			continue
		case "..":
			done = parent(done)
			continue
		}
		next := join(done, part)
		target, ok := link(next)
		if !ok {
			done = next
			continue
		}
		if links++; links > maxLinks || len(target)+len(rest) > maxName {
			return "", false
		}
		if strings.HasPrefix(target, "/") {
			done = ""
		}
		rest = target + "/" + rest
	}
	return done, true
}

func (w *walker) skip(format string, args ...any) {
	if len(w.skipped) >= maxNotes {
		w.more++
		return
	}
	w.skipped = append(w.skipped, fmt.Sprintf(format, args...))
}

// finish keeps what is still there at the end.
func (w *walker) finish() *Layer {
	l := &Layer{names: w.names, Skipped: w.skipped}
	if w.killed {
		var dead []uint32
		for i := range w.names.with(flagEntry) {
			if !w.liveAt(i) {
				dead = append(dead, i)
			}
		}
		for _, i := range dead {
			w.names.unset(i)
		}
	}
	if w.more > 0 {
		l.Skipped = append(l.Skipped, fmt.Sprintf("and %d more", w.more))
	}
	return l
}
