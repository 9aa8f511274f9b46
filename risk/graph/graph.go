package graph

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// ID names a computation: what it computes, of what.
type ID struct{ Kind, Of string }

// Graph holds computations, their values and what each of them read. It is not safe for
// concurrent use.
type Graph struct {
	view  reach.View
	nodes map[ID]*node
	keys  map[string]*key
	// sections are the keys of sections, found without writing their names.
	sections map[section]*key
	made     uint64 // keys made so far
	runs     uint64
	touched  map[*node]struct{} // nodes with causes since the last Settle

	// Computed counts computations carried out, by kind, since the graph was made.
	Computed map[string]int
}

// key is an estate key that somebody read. Its readers may hold nodes that no longer read
// it; they are dropped when the key is touched.
type key struct {
	name    string
	order   uint64 // keys are sorted by when they were made
	run     uint64 // the computation that read it last
	lasting bool   // kept without readers, because sections names it
	readers []*node
}

type section struct{ scope, name string }

type state uint8

const (
	dirty   state = iota // a key it read has changed
	check                // something it uses may have changed
	clean                // the value stands
	running              // being computed
	dropped              // nobody uses it any more
)

type node struct {
	id      ID
	compute func(*Context) any
	value   any
	state   state
	root    bool
	reads   []*key
	uses    []*node
	usedBy  map[*node]struct{}
	// version grows when the value changes; seen are the versions of uses at the last computation.
	version uint32
	seen    []uint32
	causes  []int
}

// maxCauses bounds the causes kept for one computation between two Settles.
const maxCauses = 4

// New returns an empty graph over a view.
func New(view reach.View) *Graph {
	return &Graph{
		view: view, nodes: map[ID]*node{}, keys: map[string]*key{}, sections: map[section]*key{},
		touched: map[*node]struct{}{}, Computed: map[string]int{},
	}
}

// Context is a computation's view of the estate and of other computations.
type Context struct {
	g     *Graph
	n     *node
	run   uint64
	reads []*key
	uses  []*node
	seen  []uint32
}

var _ reach.Memo = (*Context)(nil)

// Memo implements reach.Memo: a computation like any other.
func (c *Context) Memo(kind, of string, compute func(reach.View) any) any {
	return Get(c, ID{kind, of}, func(c *Context) any { return compute(c) })
}

// Rows implements reach.View.
func (c *Context) Rows(name string) []*reach.Row {
	c.Note(name)
	return c.g.view.Rows(name)
}

// Section implements reach.View.
func (c *Context) Section(scope, name string) triad.Section {
	k := c.g.sections[section{scope, name}]
	if k == nil {
		k = c.g.key(reach.SectionKey(scope, name))
		k.lasting = true
		c.g.sections[section{scope, name}] = k
	}
	c.read(k)
	return c.g.view.Section(scope, name)
}

// Note records that a key outside the estate was read.
func (c *Context) Note(name string) {
	c.read(c.g.key(name))
}

// read records a key once; again where a computation in between read it too.
func (c *Context) read(k *key) {
	if k.run != c.run {
		k.run = c.run
		c.reads = append(c.reads, k)
	}
}

func (g *Graph) key(name string) *key {
	k := g.keys[name]
	if k == nil {
		g.made++
		k = &key{name: name, order: g.made}
		g.keys[name] = k
	}
	return k
}

// Get returns a computation's value, computing it when it is new or out of date. Every Get of
// one ID must pass an equal computation: what it takes from outside has to be in the ID.
func Get[T any](c *Context, id ID, compute func(*Context) T) T {
	n := c.g.node(id, func(c *Context) any { return compute(c) })
	c.g.refresh(n)
	if !slices.Contains(c.uses, n) {
		c.uses, c.seen = append(c.uses, n), append(c.seen, n.version)
		if n.usedBy == nil {
			n.usedBy = map[*node]struct{}{}
		}
		n.usedBy[c.n] = struct{}{}
	}
	v, _ := n.value.(T)
	return v
}

// Root computes, or brings up to date, a value that nothing else uses, and keeps it.
// It reports whether the value is new or another than before.
func Root[T any](g *Graph, id ID, compute func(*Context) T) (T, bool) {
	n := g.node(id, func(c *Context) any { return compute(c) })
	before := n.version
	n.root = true
	g.refresh(n)
	v, _ := n.value.(T)
	return v, n.version != before
}

// Value returns a root's last value without bringing it up to date.
func Value[T any](g *Graph, id ID) (T, bool) {
	if n := g.nodes[id]; n != nil {
		v, ok := n.value.(T)
		return v, ok
	}
	var zero T
	return zero, false
}

// Drop forgets a root.
func (g *Graph) Drop(id ID) {
	if n := g.nodes[id]; n != nil {
		n.root = false
		g.collect(n)
	}
}

// Len is the number of computations held.
func (g *Graph) Len() int { return len(g.nodes) }

// Touch marks what depends on the keys as out of date, and notes the cause (any number of
// the caller's) for each of them until Settle.
func (g *Graph) Touch(names []string, cause int) {
	for _, name := range names {
		k := g.keys[name]
		if k == nil {
			continue
		}
		live := k.readers[:0]
		for _, n := range k.readers {
			if n.state == dropped || !containsKey(n.reads, k) {
				continue
			}
			live = append(live, n)
		}
		clear(k.readers[len(live):])
		k.readers = live
		for _, n := range live {
			g.mark(n, dirty, cause)
		}
		if len(live) == 0 && !k.lasting {
			delete(g.keys, name)
		}
	}
}

// Note notes a cause for what depends on the keys, as Touch does, and marks nothing.
func (g *Graph) Note(names []string, cause int) {
	for _, name := range names {
		if k := g.keys[name]; k != nil {
			for _, n := range k.readers {
				if n.state != dropped && containsKey(n.reads, k) {
					g.mark(n, clean, cause)
				}
			}
		}
	}
}

func (g *Graph) mark(n *node, s state, cause int) {
	if n.state == clean || n.state == check {
		if s < n.state {
			n.state = s
		}
	}
	if slices.Contains(n.causes, cause) || len(n.causes) >= maxCauses {
		return
	}
	n.causes = append(n.causes, cause)
	g.touched[n] = struct{}{}
	if s == dirty {
		s = check
	}
	for user := range n.usedBy {
		g.mark(user, s, cause)
	}
}

// Touched returns the roots touched since the last Settle, with their causes.
func (g *Graph) Touched() map[ID][]int {
	roots := map[ID][]int{}
	for n := range g.touched {
		if n.root && n.state != dropped {
			roots[n.id] = n.causes
		}
	}
	return roots
}

// Settle returns what Touched does, and forgets it.
func (g *Graph) Settle() map[ID][]int {
	roots := g.Touched()
	for n := range g.touched {
		n.causes = nil
	}
	clear(g.touched)
	return roots
}

func (g *Graph) node(id ID, compute func(*Context) any) *node {
	n := g.nodes[id]
	if n == nil {
		n = &node{id: id, compute: compute}
		g.nodes[id] = n
	}
	return n
}

// refresh brings a node up to date, repeating no computation whose inputs are what they were.
func (g *Graph) refresh(n *node) {
	switch n.state {
	case clean:
		return
	case running:
		panic("risk/graph: computation " + n.id.Kind + " of " + n.id.Of + " uses itself")
	case check:
		n.state = running
		same := true
		for i, u := range n.uses {
			g.refresh(u)
			if u.version != n.seen[i] {
				same = false
				break
			}
		}
		if same {
			n.state = clean
			return
		}
	}
	g.run(n)
}

func (g *Graph) run(n *node) {
	n.state = running
	g.runs++
	c := &Context{g: g, n: n, run: g.runs}
	value := n.compute(c)
	g.Computed[n.id.Kind]++

	// Several reads of one key count once. The order does not matter.
	slices.SortFunc(c.reads, compareKeys)
	reads := slices.Compact(c.reads)
	for _, k := range reads {
		if !containsKey(n.reads, k) {
			k.readers = append(k.readers, n)
		}
	}
	before := n.uses
	n.reads, n.uses, n.seen = slices.Clip(slices.Clone(reads)), c.uses, c.seen
	if n.version == 0 || !reflect.DeepEqual(n.value, value) {
		n.value = value
		n.version++
	}
	n.state = clean
	for _, u := range before {
		if !slices.Contains(n.uses, u) {
			delete(u.usedBy, n)
			g.collect(u)
		}
	}
}

// collect drops a node that nobody uses, and what only it used.
func (g *Graph) collect(n *node) {
	if n.root || len(n.usedBy) > 0 || n.state == dropped || n.state == running {
		return
	}
	n.state = dropped
	delete(g.nodes, n.id)
	n.reads, n.value, n.compute = nil, nil, nil
	for _, u := range n.uses {
		delete(u.usedBy, n)
		g.collect(u)
	}
	n.uses = nil
}

func compareKeys(a, b *key) int { return cmp.Compare(a.order, b.order) }

func containsKey(sorted []*key, k *key) bool {
	_, ok := slices.BinarySearchFunc(sorted, k, compareKeys)
	return ok
}
