package image

import (
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
	Entries map[string]Entry
	// Whiteouts are the names below this layer that it removes, Opaque the folders whose
	// content below this layer it removes. Neither touches the layer's own entries.
	Whiteouts map[string]bool
	Opaque    map[string]bool
	// Skipped says which parts of the tar were not understood, bounded.
	Skipped []string
	// Size is the number of bytes of the tar, DiffID its digest; empty when the end was not
	// reached.
	Size   int64
	DiffID string
}

// Names lists the layer's names in order.
func (l *Layer) Names() []string {
	names := make([]string, 0, len(l.Entries))
	for name := range l.Entries {
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
