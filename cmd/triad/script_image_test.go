package main

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/rogpeppe/go-internal/testscript"
)

func scriptImage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 || args[0] != "save" && args[0] != "layout" {
		ts.Fatalf("usage: image save|layout PATH REFERENCE DIR…")
	}
	ref, err := name.NewTag(args[2])
	ts.Check(err)
	img := folderImage(ts, args[3:])
	path := ts.MkAbs(args[1])
	if args[0] == "save" {
		ts.Check(tarball.WriteToFile(path, ref, img))
		return
	}
	l, err := layout.Write(path, empty.Index)
	ts.Check(err)
	ts.Check(l.AppendImage(img, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": args[2]})))
}

// folderImage is an image with a layer of each folder.
func folderImage(ts *testscript.TestScript, dirs []string) v1.Image {
	img := mutate.MediaType(empty.Image, "application/vnd.docker.distribution.manifest.v2+json")
	for _, dir := range dirs {
		var err error
		img, err = mutate.Append(img, mutate.Addendum{Layer: folderLayer(ts, dir), History: v1.History{CreatedBy: "COPY " + dir + " / # buildkit"}})
		ts.Check(err)
	}
	return img
}

func folderLayer(ts *testscript.TestScript, dir string) v1.Layer {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	root := ts.MkAbs(dir)
	ts.Check(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: filepath.ToSlash(rel), Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	}))
	ts.Check(w.Close())
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	ts.Check(err)
	return layer
}

func scriptWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: wait-for PATH")
	}
	path := ts.MkAbs(args[0])
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if info, err := os.Stat(path); err == nil && (info.Size() > 0 || !info.Mode().IsRegular()) {
			return
		}
	}
	ts.Fatalf("%s is not there after a minute", args[0])
}

func scriptShortDir(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: shortdir VAR")
	}
	dir, err := os.MkdirTemp("", "triad-")
	ts.Check(err)
	ts.Defer(func() { _ = os.RemoveAll(dir) })
	ts.Setenv(args[0], dir)
}
