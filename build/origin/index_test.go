package origin

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func diff(n int) string { return fmt.Sprintf("sha256:%064x", n) }

func img(name string, scanned int, layers ...int) Image {
	i := Image{Name: name, Digest: diff(1000 + scanned), Scanned: time.Unix(int64(scanned)*1e6, 0).UTC(), Created: time.Unix(int64(scanned), 0).UTC()}
	for _, l := range layers {
		i.Layers = append(i.Layers, diff(l))
	}
	return i
}

func record(t testing.TB, x *Index, all ...Image) {
	t.Helper()
	for _, i := range all {
		if err := x.Record(i); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheLongestKnownProperBeginningIsTheBase(t *testing.T) {
	x := Open(t.TempDir())
	record(t, x, img("debian:12", 1, 1), img("python:3", 2, 1, 2), img("other:1", 3, 9, 2), img("app:1", 4, 1, 2, 3), img("debian:12.1", 5, 1))
	for _, test := range []struct {
		name   string
		layers []int
		want   string
	}{
		{"the longest of two", []int{1, 2, 7}, "python:3"},
		{"an image is not its own base", []int{1, 2, 3}, "python:3"},
		{"the newer of two names", []int{1, 7}, "debian:12.1"},
		{"the same layers in another order", []int{2, 1, 7}, ""},
		{"a layer of a base in the middle", []int{8, 2, 3}, ""},
		{"one layer has no beginning", []int{1}, ""},
		{"none", nil, ""},
	} {
		got, _, ok, err := x.Longest(img("", 0, test.layers...).Layers)
		if err != nil || ok != (test.want != "") || got.Name != test.want {
			t.Errorf("%s: %q %v %v, want %q", test.name, got.Name, ok, err, test.want)
		}
	}
	if _, also, _, _ := x.Longest(img("", 0, 1, 7).Layers); len(also) != 1 || also[0] != "debian:12" {
		t.Errorf("also %v", also)
	}
	all, err := x.Repository("docker.io/library/debian")
	if err != nil || len(all) != 2 || all[0].Name != "debian:12.1" {
		t.Errorf("%+v %v", all, err)
	}
	if _, _, ok, err := x.Longest([]string{"../../etc", "x"}); ok || err != nil {
		t.Error("a name that is no digest is looked up")
	}
}

func TestDamagedLinesAreAsGoodAsNone(t *testing.T) {
	dir := t.TempDir()
	x := Open(dir)
	record(t, x, img("debian:12", 1, 1))
	file := x.chainFile(diff(1))
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, damaged := range []string{string(data[:len(data)/2]), strings.Replace(string(data), "debian", "evilxx", 1), "x", strings.Repeat("y", maxFile+3*maxLine)} {
		if err := os.WriteFile(file, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, ok, err := x.Longest([]string{diff(1), diff(2)}); ok || err != nil {
			t.Errorf("%.20q: found %v %v", damaged, ok, err)
		}
	}
	if err := os.WriteFile(file, data[:len(data)/2], 0o600); err != nil { // a crash cut the line
		t.Fatal(err)
	}
	record(t, x, img("debian:12.1", 2, 1))
	if got, _, ok, _ := x.Longest([]string{diff(1), diff(2)}); !ok || got.Name != "debian:12.1" {
		t.Errorf("after the next line: %v %+v", ok, got)
	}
}

func TestFilesAndFoldersStayBounded(t *testing.T) {
	dir := t.TempDir()
	x := Open(dir)
	for n := range 2000 {
		record(t, x, img(fmt.Sprintf("registry.example.com/shop/base:%d", n), n+1, 1))
	}
	info, err := os.Stat(x.chainFile(diff(1)))
	if err != nil || info.Size() > maxFile+maxLine {
		t.Errorf("%v %v", info, err)
	}
	if got, _, ok, _ := x.Longest([]string{diff(1), diff(2)}); !ok || got.Name != "registry.example.com/shop/base:1999" {
		t.Errorf("%v %s", ok, got.Name)
	}
	for n := range maxShard + 50 {
		i := img("registry.example.com/a:1", n)
		i.Layers = []string{fmt.Sprintf("sha256:aa%062x", n)}
		record(t, x, i)
	}
	if files, _ := os.ReadDir(filepath.Join(dir, "chains", "aa")); len(files) > maxShard {
		t.Errorf("%d files", len(files))
	}
}

func TestWritersExcludeEachOther(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			x := Open(dir)
			for m := range 20 {
				if err := x.Record(img(fmt.Sprintf("r.example.com/a:%d-%d", n, m), n*100+m+1, 1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	all, err := Open(dir).Repository("r.example.com/a")
	if err != nil || len(all) != 160 {
		t.Errorf("%d lines, %v", len(all), err)
	}
}

// The cost of a look-up is that of the image's layers, however many images are known.
func BenchmarkLongest(b *testing.B) {
	for _, known := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("%d images known", known), func(b *testing.B) {
			x := Open(b.TempDir())
			for n := range known {
				record(b, x, img(fmt.Sprintf("r.example.com/a%d:1", n), 1, n+1, n+100_000))
			}
			layers := img("", 0, 1, 100_000, 3, 4, 5, 6, 7, 8, 9, 10).Layers
			for b.Loop() {
				if _, _, ok, _ := x.Longest(layers); !ok {
					b.Fatal("not found")
				}
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	line, err := encode(img("debian:12", 1, 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte("00000000 {}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, i := range decode(data) {
			if i.Digest == "" {
				t.Fatal("no digest")
			}
		}
	})
}
