package image

import (
	"hash/maphash"
	"iter"
	"strings"
)

// table holds names and what stands at each, in some 45 bytes a name: images have millions.
// It is a tree of folders: a node knows its folder and its own part of the name, and is found
// by both in one hash table. Nothing is ever moved, so that growing costs no second copy.
type table struct {
	nodes  chunks[tableNode]
	text   chunks[byte] // parts of names, targets of links
	slots  []uint32     // index of a node plus one, by hash; a power of two
	seed   maphash.Seed
	count  int    // of entries
	last   string // folder that was asked for last: most names share it
	lastAt uint32
}

// tableNode is one name. Node 0 is the root.
type tableNode struct {
	parent uint32
	name   uint32 // in text
	value  uint32 // evidence of a file, or where in text a link's target is
	length uint16 // of name
	flags  uint8
	kind   EntryType
}

// What stands at a node; it may be there only as a folder of others.
const (
	flagEntry uint8 = 1 << iota
	flagWhiteout
	flagOpaque
)

const (
	nodeChunk  = 1 << 10 // 16 KiB
	textChunk  = 1 << 14
	maxTarget  = maxName
	minSlots   = 1 << 6
	loadFactor = 4 // of 5 parts: the slots that may be full
)

// chunks is a list that grows without moving.
type chunks[T any] struct {
	parts [][]T
	len   int
}

func newTable() *table {
	t := &table{seed: maphash.MakeSeed(), slots: make([]uint32, minSlots)}
	t.addNode(tableNode{kind: Dir})
	return t
}

// bytes is what the table takes in memory.
func (t *table) bytes() int64 {
	return int64(len(t.nodes.parts))*nodeChunk*16 + int64(len(t.text.parts))*textChunk + int64(len(t.slots))*4
}

func (t *table) node(i uint32) *tableNode { return &t.nodes.parts[i/nodeChunk][i%nodeChunk] }

func (t *table) addNode(n tableNode) uint32 {
	if t.nodes.len%nodeChunk == 0 {
		t.nodes.parts = append(t.nodes.parts, make([]tableNode, nodeChunk))
	}
	i := uint32(t.nodes.len) //nolint:gosec // bounded by the entries
	t.nodes.len++
	*t.node(i) = n
	return i
}

// addText keeps a text of at most maxTarget bytes and two, whole in one chunk.
func (t *table) addText(s string) uint32 {
	last := len(t.text.parts) - 1
	at := t.text.len - last*textChunk
	if last < 0 || at+len(s) > textChunk {
		t.text.parts = append(t.text.parts, make([]byte, textChunk))
		last, at = last+1, 0
		t.text.len = last * textChunk
	}
	copy(t.text.parts[last][at:], s)
	off := t.text.len
	t.text.len += len(s)
	return uint32(off) //nolint:gosec // bounded by maxNameBytes
}

func (t *table) bytesAt(off uint32, n uint16) []byte {
	at := off % textChunk
	return t.text.parts[off/textChunk][at : at+uint32(n)]
}

// target of a link: two bytes of length before it.
func (t *table) target(off uint32) string {
	b := t.text.parts[off/textChunk][off%textChunk:]
	n := int(b[0]) | int(b[1])<<8
	return string(b[2 : 2+n])
}

func (t *table) hash(parent uint32, base string) uint64 {
	return maphash.String(t.seed, base) ^ uint64(parent+1)*0x9e3779b97f4a7c15
}

// child finds the node of a name in a folder.
func (t *table) child(parent uint32, base string) (uint32, bool) {
	mask := uint64(len(t.slots) - 1)
	for h := t.hash(parent, base); ; h++ {
		i := t.slots[h&mask]
		if i == 0 {
			return 0, false
		}
		if n := t.node(i - 1); n.parent == parent && int(n.length) == len(base) && string(t.bytesAt(n.name, n.length)) == base {
			return i - 1, true
		}
	}
}

func (t *table) addChild(parent uint32, base string) uint32 {
	if t.nodes.len*5 >= len(t.slots)*loadFactor {
		t.grow()
	}
	i := t.addNode(tableNode{parent: parent, name: t.addText(base), length: uint16(len(base))}) //nolint:gosec // bounded by maxName
	mask := uint64(len(t.slots) - 1)
	h := t.hash(parent, base)
	for t.slots[h&mask] != 0 {
		h++
	}
	t.slots[h&mask] = i + 1
	return i
}

// reserve makes room for a number of nodes.
func (t *table) reserve(n int) {
	for n*5 >= len(t.slots)*loadFactor {
		t.slots = make([]uint32, 2*len(t.slots))
	}
}

func (t *table) grow() {
	t.slots = make([]uint32, 2*len(t.slots))
	mask := uint64(len(t.slots) - 1)
	for i := uint32(1); int(i) < t.nodes.len; i++ {
		n := t.node(i)
		h := maphash.Bytes(t.seed, t.bytesAt(n.name, n.length)) ^ uint64(n.parent+1)*0x9e3779b97f4a7c15
		for t.slots[h&mask] != 0 {
			h++
		}
		t.slots[h&mask] = i + 1
	}
}

// find returns the node of a clean name.
func (t *table) find(name string) (uint32, bool) {
	at := uint32(0)
	if i := strings.LastIndexByte(name, '/'); i > 0 && len(t.last) == i && name[:i] == t.last {
		return t.child(t.lastAt, name[i+1:])
	}
	for name != "" {
		part, rest, _ := strings.Cut(name, "/")
		next, ok := t.child(at, part)
		if !ok {
			return 0, false
		}
		at, name = next, rest
	}
	return at, true
}

// make returns the node of a clean name, with those of its folders. Only the one who builds
// the table calls it, so only then the folder is remembered.
func (t *table) make(name string) uint32 {
	at := uint32(0)
	dir := parent(name)
	if dir != "" && dir == t.last {
		at, name = t.lastAt, name[len(dir)+1:]
	}
	for name != "" {
		part, rest, more := strings.Cut(name, "/")
		next, ok := t.child(at, part)
		if !ok {
			next = t.addChild(at, part)
		}
		at, name = next, rest
		if more && !strings.Contains(rest, "/") {
			t.last, t.lastAt = dir, at
		}
	}
	return at
}

// path writes a node's whole name.
func (t *table) path(i uint32) string {
	n := 0
	for at := i; at != 0; at = t.node(at).parent {
		n += int(t.node(at).length) + 1
	}
	if n == 0 {
		return ""
	}
	b := make([]byte, n-1)
	end := len(b)
	for at := i; at != 0; {
		node := t.node(at)
		copy(b[end-int(node.length):], t.bytesAt(node.name, node.length))
		end -= int(node.length) + 1
		if at = node.parent; at != 0 {
			b[end] = '/'
		}
	}
	return string(b)
}

func (t *table) entry(i uint32) Entry {
	n := t.node(i)
	e := Entry{Type: n.kind}
	switch n.kind {
	case Symlink, HardLink:
		e.Target = t.target(n.value)
	case Regular:
		e.Evidence = int32(n.value) //nolint:gosec // written from an int32
	}
	return e
}

func (t *table) set(i uint32, e Entry) {
	n := t.node(i)
	if n.flags&flagEntry == 0 {
		n.flags |= flagEntry
		t.count++
	}
	n.kind, n.value = e.Type, 0
	switch e.Type {
	case Symlink, HardLink:
		target := e.Target
		if len(target) > maxTarget {
			target = target[:maxTarget]
		}
		n.value = t.addText(string([]byte{byte(len(target)), byte(len(target) >> 8)}) + target)
	case Regular:
		n.value = uint32(e.Evidence) //nolint:gosec // read back as an int32
	}
}

func (t *table) unset(i uint32) {
	if n := t.node(i); n.flags&flagEntry != 0 {
		n.flags &^= flagEntry
		t.count--
	}
}

// with lists the nodes that have a flag, in the order in which they were made.
func (t *table) with(flag uint8) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for i := uint32(0); int(i) < t.nodes.len; i++ {
			if t.node(i).flags&flag != 0 && !yield(i) {
				return
			}
		}
	}
}
