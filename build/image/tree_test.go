package image

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// disk is a file system in memory, unpacked the plain way: each layer into an empty one,
// then laid over those below. It is slow and obvious.
type disk struct{ nodes map[string]string } // "/" is a folder, "=…" a file, "->…" a link, "=>…" a hard link to elsewhere

func (d disk) isDir(name string) bool { return name == "" || d.nodes[name] == "/" }

func (d disk) removeAll(name string) {
	for n := range d.nodes {
		if n == name || strings.HasPrefix(n, name+"/") {
			delete(d.nodes, n)
		}
	}
}

func (d disk) mkdirAll(name string) {
	if name == "" || d.isDir(name) {
		return
	}
	d.mkdirAll(parent(name))
	d.removeAll(name)
	d.nodes[name] = "/"
}

// real follows the links on the way to a folder.
func (d disk) real(name string) (string, bool) {
	done := ""
	rest := strings.Split(name, "/")
	for hops := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			done = parent(done)
			continue
		}
		next := join(done, part)
		target, ok := strings.CutPrefix(d.nodes[next], "->")
		if !ok {
			done = next
			continue
		}
		if hops++; hops > maxLinks {
			return "", false
		}
		if strings.HasPrefix(target, "/") {
			done = ""
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return done, true
}

type overlay struct {
	disk
	white, opaque map[string]bool
}

func unpack(entries []entry) overlay {
	o := overlay{disk{map[string]string{}}, map[string]bool{}, map[string]bool{}}
	for _, e := range entries {
		clean := path.Clean(e.name)
		dir, ok := o.real(parent(clean))
		if !ok {
			continue
		}
		base := path.Base(clean)
		name := join(dir, base)
		switch {
		case base == whiteoutOpaque:
			o.mkdirAll(dir)
			o.opaque[dir] = true
		case strings.HasPrefix(base, whiteoutPrefix):
			o.mkdirAll(dir)
			o.white[join(dir, strings.TrimPrefix(base, whiteoutPrefix))] = true
		case e.kind == tar.TypeDir:
			o.mkdirAll(name)
		default:
			what := "=" + e.body
			if e.kind == tar.TypeSymlink {
				what = "->" + e.link
			}
			if e.kind == tar.TypeLink {
				td, ok := o.real(parent(e.link))
				if !ok {
					continue
				}
				what = o.nodes[join(td, path.Base(e.link))]
				if what == "" || what == "/" {
					what = "=>" + join(td, path.Base(e.link)) // to another layer, or to nothing
				}
			}
			o.removeAll(name)
			o.mkdirAll(parent(name))
			o.nodes[name] = what
		}
	}
	return o
}

// lay puts one unpacked layer over what is below it.
func (d disk) lay(o overlay) {
	linkable := func(what string) bool { return what != "" && what != "/" && !strings.HasPrefix(what, "=>") }
	resolved := map[string]string{}
	for name, what := range o.nodes {
		if target, ok := strings.CutPrefix(what, "=>"); ok {
			if own, ok := o.nodes[target]; ok {
				if linkable(own) {
					resolved[name] = own
				}
			} else if linkable(d.nodes[target]) {
				resolved[name] = d.nodes[target]
			}
		}
	}
	maps.Copy(o.nodes, resolved)
	for name := range o.white {
		d.removeAll(name)
	}
	for dir := range o.opaque {
		for n := range d.nodes {
			if dir == "" || strings.HasPrefix(n, dir+"/") {
				delete(d.nodes, n)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.nodes)) {
		what := o.nodes[name]
		if what == "/" && d.isDir(name) {
			continue
		}
		d.removeAll(name)
		d.nodes[name] = what
	}
}

func TestTreeEqualsUnpacking(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		part := rapid.SampledFrom([]string{"a", "b", "c"})
		name := rapid.Custom(func(r *rapid.T) string {
			return strings.Join(rapid.SliceOfN(part, 1, 4).Draw(r, "parts"), "/")
		})
		content := 0
		one := rapid.Custom(func(r *rapid.T) entry {
			n := name.Draw(r, "name")
			switch rapid.IntRange(0, 9).Draw(r, "kind") {
			case 0:
				return entry{name: join(parent(n), whiteoutPrefix+path.Base(n))}
			case 1:
				return entry{name: join(n, whiteoutOpaque)}
			case 2, 3:
				return entry{name: n, kind: tar.TypeDir}
			case 4:
				target := name.Draw(r, "target")
				if rapid.Bool().Draw(r, "absolute") {
					target = "/" + target
				} else if rapid.Bool().Draw(r, "up") {
					target = "../" + target
				}
				return entry{name: n, kind: tar.TypeSymlink, link: target}
			case 5:
				return entry{name: n, kind: tar.TypeLink, link: name.Draw(r, "target")}
			}
			content++
			return entry{name: n, body: fmt.Sprint(content)}
		})
		stack := rapid.SliceOfN(rapid.SliceOfN(one, 0, 12), 1, 4).Draw(r, "layers")

		want := disk{map[string]string{}}
		var layers []*Layer
		var c contents
		for _, entries := range stack {
			l, err := Walk(context.Background(), bytes.NewReader(makeTar(t, entries...)), Limits{}, c.visit)
			if err != nil {
				r.Fatal(err)
			}
			data := AppendLayer(nil, l)
			if l, _, err = DecodeLayer(data); err != nil {
				r.Fatal(err)
			}
			layers = append(layers, l)
			want.lay(unpack(entries))
		}
		got := map[string]string{}
		tree := NewTree(layers)
		tree.Each(func(name string, e Entry, _ int) {
			switch e.Type {
			case Dir:
				got[name] = "/"
			case Symlink:
				got[name] = "->" + e.Target
			case HardLink:
				got[name] = "=>" + e.Target
			case Regular:
				got[name] = "=" + c[e.Evidence-1]
			}
		})
		if !reflect.DeepEqual(got, want.nodes) {
			r.Fatalf("got  %v\nwant %v", got, want.nodes)
		}
		for name := range want.nodes {
			real, ok := want.real(name)
			gotReal, there := tree.Resolve(name)
			if exists := ok && (real == "" || want.nodes[real] != ""); there != exists || exists && gotReal != real {
				r.Fatalf("%s resolves to %q %v, want %q %v", name, gotReal, there, real, exists)
			}
		}
	})
}

func TestTreeHardLinkAcrossLayers(t *testing.T) {
	walk := func(c *contents, entries ...entry) *Layer {
		l, err := Walk(context.Background(), bytes.NewReader(makeTar(t, entries...)), Limits{}, c.visit)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	var c contents
	tree := NewTree([]*Layer{walk(&c, entry{name: "a", body: "base"}), walk(&contents{}, entry{name: "b", kind: tar.TypeLink, link: "a"}), walk(&contents{}, entry{name: ".wh.a"})})
	if e, layer, ok := tree.Lookup("b"); !ok || layer != 1 || e.Type != Regular || c[e.Evidence-1] != "base" {
		t.Errorf("b is %+v of layer %d", e, layer)
	}
	if _, _, ok := tree.Lookup("a"); ok {
		t.Error("a was removed")
	}
	loop := NewTree([]*Layer{walk(&contents{}, entry{name: "a", kind: tar.TypeLink, link: "b"}), walk(&contents{}, entry{name: "b", kind: tar.TypeLink, link: "a"})})
	if e, _, _ := loop.Lookup("b"); e.Type != HardLink {
		t.Errorf("links that lead nowhere are %+v", e)
	}
}
