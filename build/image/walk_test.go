package image

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// entry is one tar entry of a test: a regular file unless it says otherwise.
type entry struct {
	name, body, link string
	kind             byte
}

func makeTar(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Mode: 0o644, Size: int64(len(e.body))}
		if e.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstded(t testing.TB, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(data, nil)
}

// contents is a visitor that remembers every file's content by number.
type contents []string

func (c *contents) visit(f *File) (int32, error) {
	data, err := io.ReadAll(f)
	*c = append(*c, string(data))
	return int32(len(*c)), err
}

// show writes a layer as "name=content", "name/" and "name->target", in order.
func show(l *Layer, c contents) string {
	var out []string
	for _, name := range l.Names() {
		switch e, _ := l.Entry(name); e.Type {
		case Dir:
			out = append(out, name+"/")
		case Symlink:
			out = append(out, name+"->"+e.Target)
		case HardLink:
			out = append(out, name+"=>"+e.Target)
		case Regular:
			out = append(out, name+"="+c[e.Evidence-1])
		default:
			out = append(out, name+"?")
		}
	}
	return strings.Join(out, " ")
}

func TestWalk(t *testing.T) {
	tests := []struct {
		name    string
		entries []entry
		want    string
		skipped string
	}{
		{"parents that the tar leaves out are folders", []entry{{name: "a/b/c", body: "1"}}, "a/ a/b/ a/b/c=1", ""},
		{"of equal names the last one counts", []entry{{name: "a", body: "1"}, {name: "./a", body: "2"}, {name: "/a", body: "3"}}, "a=3", ""},
		{"a file in a folder's place removes what was in it", []entry{{name: "a/b", body: "1"}, {name: "a", body: "2"}}, "a=2", ""},
		{"a folder in a file's place is empty", []entry{{name: "a", body: "1"}, {name: "a", kind: tar.TypeDir}}, "a/", ""},
		{"what a file removed stays gone when the folder is back", []entry{{name: "a/b/c", body: "1"}, {name: "a", body: "2"}, {name: "a/d", body: "3"}}, "a/ a/d=3", ""},
		{"a folder again keeps its content", []entry{{name: "a/b", body: "1"}, {name: "a", kind: tar.TypeDir}}, "a/ a/b=1", ""},
		{"a hard link is what it leads to", []entry{{name: "a", body: "1"}, {name: "b", kind: tar.TypeLink, link: "./a"}}, "a=1 b=1", ""},
		{"a hard link outlives its target", []entry{{name: "a", body: "1"}, {name: "b", kind: tar.TypeLink, link: "a"}, {name: "a", body: "2"}}, "a=2 b=1", ""},
		{"a hard link to another layer waits for the merge", []entry{{name: "b", kind: tar.TypeLink, link: "/x/a"}}, "b=>x/a", ""},
		{"a file below a link goes where the link leads", []entry{{name: "lib", kind: tar.TypeSymlink, link: "usr/lib"}, {name: "lib/x", body: "1"}}, "lib->usr/lib usr/ usr/lib/ usr/lib/x=1", ""},
		{"an absolute link starts at the image's root", []entry{{name: "a/lib", kind: tar.TypeSymlink, link: "/usr"}, {name: "a/lib/x", body: "1"}}, "a/ a/lib->/usr usr/ usr/x=1", ""},
		{"a link above the root stays at the root", []entry{{name: "a", kind: tar.TypeSymlink, link: "../../../etc"}, {name: "a/passwd", body: "1"}}, "a->../../../etc etc/ etc/passwd=1", ""},
		{"a link that was removed leads nowhere", []entry{{name: "a/l", kind: tar.TypeSymlink, link: "/b"}, {name: "a", body: "f"}, {name: "a/l/x", body: "1"}}, "a/ a/l/ a/l/x=1", ""},
		{"a name that climbs out is left out and said", []entry{{name: "../../etc/passwd", body: "1"}, {name: "ok", body: "3"}}, "ok=3", `entry "../../etc/passwd" is not inside the image`},
		{"a hard link that climbs out is left out and said", []entry{{name: "a", kind: tar.TypeLink, link: "../../etc/shadow"}}, "", `hard link "a" leads outside the image`},
		{"links in a circle end", []entry{{name: "a", kind: tar.TypeSymlink, link: "b"}, {name: "b", kind: tar.TypeSymlink, link: "a"}, {name: "a/x", body: "1"}}, "a->b b->a", `entry "a/x" leads through a loop of links`},
		{"devices are special", []entry{{name: "dev/null", kind: tar.TypeChar}}, "dev/ dev/null?", ""},
		{"a whiteout of nothing is said", []entry{{name: "a/.wh...", body: ""}}, "", `whiteout "a/.wh..." names nothing`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for form, data := range map[string][]byte{"plain": makeTar(t, test.entries...), "gzip": gzipped(t, makeTar(t, test.entries...)), "zstd": zstded(t, makeTar(t, test.entries...))} {
				var c contents
				l, err := Walk(context.Background(), bytes.NewReader(data), Limits{}, c.visit)
				if err != nil {
					t.Fatalf("%s: %v", form, err)
				}
				if got := show(l, c); got != test.want {
					t.Errorf("%s: got %q, want %q", form, got, test.want)
				}
				if got := strings.Join(l.Skipped, "; "); got != test.skipped {
					t.Errorf("%s: skipped %q, want %q", form, got, test.skipped)
				}
				if want := digestOf(makeTar(t, test.entries...)); l.DiffID != want {
					t.Errorf("%s: diff ID %s, want %s", form, l.DiffID, want)
				}
			}
		})
	}
}

func TestWalkMarks(t *testing.T) {
	l, err := Walk(context.Background(), bytes.NewReader(makeTar(t,
		entry{name: "etc/.wh.passwd"}, entry{name: "opt/.wh..wh..opq"}, entry{name: ".wh..wh.plnk/1"}, entry{name: "opt/x", body: "1"})), Limits{}, (&contents{}).visit)
	if err != nil {
		t.Fatal(err)
	}
	if !l.Whiteout("etc/passwd") || l.Whiteout("opt") || l.Whiteout("etc") || !l.Opaque("opt") || l.Opaque("etc") {
		t.Errorf("whiteout of etc/passwd %v, opaque opt %v", l.Whiteout("etc/passwd"), l.Opaque("opt"))
	}
	if _, ok := l.Entry("etc"); !ok {
		t.Error("a folder from which something is removed is a folder of the layer")
	}
}

func TestWalkHostile(t *testing.T) {
	good := makeTar(t, entry{name: "a", body: strings.Repeat("x", 100_000)}, entry{name: "b", body: "2"})
	many := make([]entry, 50)
	for i := range many {
		many[i].name = fmt.Sprint("f", i)
	}
	lying := makeTar(t, entry{name: "a", body: "1"})
	copy(lying[124:136], "77777777777\x00") // 8 GiB follow, says the header
	fixChecksum(lying)
	deep := strings.Repeat("d/", 300) + "x"
	tests := []struct {
		name   string
		data   []byte
		limits Limits
		want   string // in the error; empty is none
		found  int    // entries found all the same
	}{
		{"a tar that breaks off keeps what came before", good[:60_000], Limits{}, "unexpected EOF", 0},
		{"a gzip that breaks off is an error", gzipped(t, good)[:120], Limits{}, "unexpected EOF", 0},
		{"a size that lies is an error", lying, Limits{}, "unexpected EOF", 0},
		{"too many entries end it, with those before", makeTar(t, many...), Limits{MaxEntries: 10}, "more than 10 entries", 10},
		{"too many bytes end it", good, Limits{MaxLayerBytes: 50_000}, "more than 50000 bytes uncompressed", 0},
		{"a zstd bomb ends by its ratio", zstded(t, make([]byte, 300<<20)), Limits{MaxRatio: 200}, "like a bomb", 0},
		{"a gzip bomb ends by its ratio", gzipped(t, makeTar(t, entry{name: "z", body: string(make([]byte, 300<<20))})), Limits{MaxRatio: 200}, "like a bomb", 0},
		{"xz says what to do", []byte("\xfd7zXZ\x00rest"), Limits{}, "save the image with gzip or zstd", 0},
		{"what is no tar is an error", []byte(strings.Repeat("no tar at all ", 100)), Limits{}, "tar entry 1", 0},
		{"nothing at all is an empty layer", nil, Limits{}, "", 0},
		{"a name too deep is left out", makeTar(t, entry{name: deep, body: "1"}), Limits{}, "", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, err := Walk(context.Background(), bytes.NewReader(test.data), test.limits, func(f *File) (int32, error) {
				_, err := io.Copy(io.Discard, f)
				return 0, err
			})
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Fatalf("error %v, want %q", err, test.want)
			}
			if err != nil && l.DiffID != "" {
				t.Error("a layer not read to its end has a diff ID")
			}
			if l.Len() != test.found {
				t.Errorf("%d entries, want %d", l.Len(), test.found)
			}
		})
	}
}

func fixChecksum(header []byte) {
	copy(header[148:156], "        ")
	sum := 0
	for _, b := range header[:512] {
		sum += int(b)
	}
	copy(header[148:156], fmt.Sprintf("%06o\x00 ", sum))
}

func TestWalkEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Walk(ctx, bytes.NewReader(makeTar(t, entry{name: "a"})), Limits{}, (&contents{}).visit); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func FuzzWalk(f *testing.F) {
	f.Add(makeTar(f, entry{name: "a/b", body: "1"}, entry{name: "a", kind: tar.TypeSymlink, link: "/"}, entry{name: "a/.wh.b"}))
	f.Add(gzipped(f, makeTar(f, entry{name: "x", kind: tar.TypeLink, link: "y"})))
	f.Add(zstded(f, makeTar(f, entry{name: "../x"})))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := Walk(context.Background(), bytes.NewReader(data), Limits{MaxEntries: 1000, MaxLayerBytes: 1 << 20}, func(f *File) (int32, error) {
			_, err := io.Copy(io.Discard, f)
			return 1, err
		})
		for name := range l.All() {
			if clean, ok := Clean(name); !ok || clean != name || name == "" {
				t.Fatalf("entry %q is not a clean name", name)
			}
		}
		if err != nil {
			return
		}
		again, rest, err := DecodeLayer(AppendLayer(nil, l))
		if err != nil || len(rest) != 0 || again.Len() != l.Len() {
			t.Fatalf("codec: %v, %d left, %d entries of %d", err, len(rest), again.Len(), l.Len())
		}
		tree := NewTree([]*Layer{l, again})
		tree.Each(func(name string, _ Entry, _ int) { tree.Resolve(name) })
	})
}
