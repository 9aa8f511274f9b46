package image

import (
	"iter"
	"path"
	"sort"
	"strings"
)

// EntryType is what stands at a name of a layer.
type EntryType byte

// The entry types.
const (
	Dir EntryType = iota
	Regular
	Symlink
	HardLink // to a name that this layer does not hold: resolved below it
	Special  // device, fifo, socket
)

// Entry is what a layer holds at one name.
type Entry struct {
	Type EntryType
	// Target of a link: as written for a symbolic link, a clean name for a hard link.
	Target string
	// Evidence is what the visitor said of the regular file, or of the one a hard link leads
	// to; zero is nothing.
	Evidence int32
}

// Layer is what one layer's tar comes to: its last word on every name. Names are clean,
// relative, with slashes: "usr/bin/python3".
type Layer struct {
	names *table
	// Skipped says which parts of the tar were not understood, bounded.
	Skipped []string
	// Size is the number of bytes of the tar, DiffID its digest; empty when the end was not
	// reached.
	Size   int64
	DiffID string
}

// NewLayer returns a layer without entries.
func NewLayer() *Layer { return &Layer{names: newTable()} }

// Put writes an entry. It makes no parents. It must not run beside other calls.
func (l *Layer) Put(name string, e Entry) { l.names.set(l.names.make(name), e) }

// Entry returns what the layer itself holds at a name.
func (l *Layer) Entry(name string) (Entry, bool) {
	if i, ok := l.find(name, flagEntry); ok {
		return l.names.entry(i), true
	}
	return Entry{}, false
}

// Whiteout reports whether the layer removes a name of those below it, Opaque whether it
// removes all that a folder holds below it. Neither touches the layer's own entries.
func (l *Layer) Whiteout(name string) bool { _, ok := l.find(name, flagWhiteout); return ok }

// Opaque: see Whiteout.
func (l *Layer) Opaque(name string) bool { _, ok := l.find(name, flagOpaque); return ok }

func (l *Layer) find(name string, flag uint8) (uint32, bool) {
	if l.names == nil {
		return 0, false
	}
	i, ok := l.names.find(name)
	return i, ok && l.names.node(i).flags&flag != 0
}

// Len is the number of entries.
func (l *Layer) Len() int {
	if l.names == nil {
		return 0
	}
	return l.names.count
}

// Bytes is near what the layer takes in memory.
func (l *Layer) Bytes() int64 {
	if l.names == nil {
		return 0
	}
	return l.names.bytes()
}

// All lists the entries, in no order.
func (l *Layer) All() iter.Seq2[string, Entry] {
	return l.each(func(*tableNode) bool { return true })
}

// Evidence lists the entries that say something, and those that may lead to one.
func (l *Layer) Evidence() iter.Seq2[string, Entry] {
	return l.each(func(n *tableNode) bool { return n.kind == HardLink || n.kind == Regular && n.value != 0 })
}

func (l *Layer) each(wanted func(*tableNode) bool) iter.Seq2[string, Entry] {
	return func(yield func(string, Entry) bool) {
		if l.names == nil {
			return
		}
		for i := range l.names.with(flagEntry) {
			if wanted(l.names.node(i)) && !yield(l.names.path(i), l.names.entry(i)) {
				return
			}
		}
	}
}

// Names lists the layer's names in order.
func (l *Layer) Names() []string {
	names := make([]string, 0, l.Len())
	for name := range l.All() {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Clean makes a tar entry's name relative to the root, without "." and "..". It reports
// false for a name that climbs above the root or that no file system could hold.
func Clean(name string) (string, bool) {
	if len(name) > maxName || strings.IndexByte(name, 0) >= 0 {
		return "", false
	}
	clean := path.Clean(strings.TrimLeft(name, "/"))
	switch {
	case clean == ".":
		return "", true
	case clean == "..", strings.HasPrefix(clean, "../"), strings.Count(clean, "/") >= maxDepth:
		return "", false
	}
	return clean, true
}

func parent(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i]
	}
	return ""
}

func join(dir, base string) string {
	if dir == "" {
		return base
	}
	return dir + "/" + base
}
