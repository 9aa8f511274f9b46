package image

import (
	"sort"
	"strings"
)

// Tree is layers laid over each other, lowest first, as a container sees them. It answers
// for single names and builds nothing whole.
type Tree struct {
	layers []*Layer
	floors map[string]int    // by folder: the lowest layer whose entries in it still show
	real   map[string]string // by folder: where it really is
	below  []*Tree
}

// NewTree lays layers over each other, lowest first. A nil layer is one that could not be
// read; it hides nothing.
func NewTree(layers []*Layer) *Tree {
	t := &Tree{floors: map[string]int{}, real: map[string]string{}}
	for _, l := range layers {
		if l == nil {
			l = &Layer{}
		}
		t.layers = append(t.layers, l)
	}
	return t
}

// Below returns the tree of the first n layers.
func (t *Tree) Below(n int) *Tree {
	if n == len(t.layers) {
		return t
	}
	if t.below == nil {
		t.below = make([]*Tree, len(t.layers))
	}
	if t.below[n] == nil {
		t.below[n] = NewTree(t.layers[:n])
	}
	return t.below[n]
}

// Lookup returns what stands at a name and the index of the layer it comes from. It
// follows no symbolic link; a hard link is what it leads to.
func (t *Tree) Lookup(name string) (Entry, int, bool) {
	e, layer, ok := t.lookup(name)
	if !ok || e.Type != HardLink {
		return e, layer, ok
	}
	if target, ok := t.layers[layer].Entry(e.Target); ok {
		if target.Type == Dir || target.Type == HardLink {
			return e, layer, true // leads nowhere
		}
		return target, layer, true
	}
	if target, _, ok := t.Below(layer).Lookup(e.Target); ok && target.Type != Dir && target.Type != HardLink {
		return target, layer, true
	}
	return e, layer, true
}

func (t *Tree) lookup(name string) (Entry, int, bool) {
	if name == "" {
		return Entry{Type: Dir}, 0, true
	}
	floor := t.floor(parent(name))
	for i := len(t.layers) - 1; i >= floor; i-- {
		if e, ok := t.layers[i].Entry(name); ok {
			return e, i, true
		}
		if t.layers[i].Whiteout(name) {
			return Entry{}, 0, false
		}
	}
	return Entry{}, 0, false
}

// floor returns the lowest layer whose entries inside dir still show in the whole tree.
// Where dir is no folder at all it is past the last layer.
func (t *Tree) floor(dir string) int {
	if floor, ok := t.floors[dir]; ok {
		return floor
	}
	floor := 0
	if dir != "" {
		floor = t.floor(parent(dir))
	}
	for i := len(t.layers) - 1; i >= floor; i-- {
		l := t.layers[i]
		e, ok := l.Entry(dir)
		if ok && e.Type != Dir {
			floor = i + 1
			break
		}
		if l.Opaque(dir) || l.Whiteout(dir) {
			floor = i
			break
		}
	}
	t.floors[dir] = floor
	return floor
}

// Resolve follows every symbolic link of a name, the last component's too, and reports
// whether something stands there.
func (t *Tree) Resolve(name string) (string, bool) {
	name, ok := Clean(name)
	if !ok {
		return "", false
	}
	if dir := parent(name); dir != "" {
		real, ok := t.real[dir]
		if !ok {
			if real, ok = resolve(dir, t.link); !ok {
				real = "\x00" // a loop: nothing can stand there
			}
			t.real[dir] = real
		}
		name = join(real, name[len(dir)+1:])
	}
	e, _, ok := t.Lookup(name)
	if !ok || e.Type != Symlink {
		return name, ok
	}
	if name, ok = resolve(name, t.link); !ok {
		return "", false
	}
	_, _, ok = t.Lookup(name)
	return name, ok
}

func (t *Tree) link(name string) (string, bool) {
	e, _, ok := t.Lookup(name)
	return e.Target, ok && e.Type == Symlink
}

// Each calls fn for every name that shows, in order.
func (t *Tree) Each(fn func(name string, e Entry, layer int)) {
	seen := map[string]bool{}
	var names []string
	for _, l := range t.layers {
		for name := range l.All() {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	sort.Slice(names, func(i, j int) bool { return strings.Compare(names[i], names[j]) < 0 })
	for _, name := range names {
		if e, layer, ok := t.Lookup(name); ok {
			fn(name, e, layer)
		}
	}
}
