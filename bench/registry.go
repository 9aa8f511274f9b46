package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// The registry that is walked: bases that images share, and one small layer of each image.
const (
	walkBases  = 50
	walkImages = 1000
)

// registrySection scans a whole registry and counts the bytes of layers that it had to serve:
// those of the unique layers, once each.
func registrySection(b *bench) error {
	// Peak memory is not printed: on Linux it is counted from before the child becomes another
	// program, and this process holds all images while it pushes them.
	store, err := os.MkdirTemp("", "registry-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(store) }()
	blobs := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithBlobHandler(registry.NewDiskBlobHandler(store)))
	var served, requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		counted := &countingWriter{ResponseWriter: w}
		blobs.ServeHTTP(counted, r)
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			served.Add(counted.n)
		}
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	unique, err := fillRegistry(host)
	if err != nil {
		return err
	}
	cache := filepath.Join(b.cache, "walk")
	served.Store(0)
	requests.Store(0)
	first, err := measure(1, func() error { return os.RemoveAll(cache) }, b.triad, "scan", "registry", host, "--rate", "100000", "--cache-dir", cache, "--quiet")
	if err != nil {
		return err
	}
	bytesFirst, requestsFirst := served.Load(), requests.Load()
	again, err := measure(3, nil, b.triad, "scan", "registry", host, "--rate", "100000", "--cache-dir", cache, "--quiet")
	if err != nil {
		return err
	}
	fmt.Printf("\n### A registry of %d images over %d bases\n\n", walkImages, walkBases)
	fmt.Println("| | wall | CPU | bytes of layers and configs served | unique layers | requests |\n|---|---|---|---|---|---|")
	fmt.Printf("| first walk | %s | %s | %d MiB | %d MiB | %d |\n", round(first.wall), round(first.cpu), bytesFirst>>20, unique>>20, requestsFirst)
	fmt.Printf("| again | %s | %s | %d MiB | | %d |\n", round(again.wall), round(again.cpu), (served.Load()-bytesFirst)>>20, (requests.Load()-requestsFirst)/3)
	return nil
}

type countingWriter struct {
	http.ResponseWriter
	n int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.n += int64(n)
	return n, err
}

// fillRegistry pushes the images and returns the compressed bytes of their unique layers.
func fillRegistry(host string) (unique int64, err error) {
	random := rand.New(rand.NewPCG(1, 2))
	var bases []v1.Image
	for i := range walkBases {
		var status strings.Builder
		for p := range 100 {
			fmt.Fprintf(&status, "Package: package-%d\nStatus: install ok installed\nArchitecture: amd64\nVersion: %d.%d\n\n", p, i, p)
		}
		files := map[string][]byte{
			"etc/os-release":      []byte("ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"),
			"var/lib/dpkg/status": []byte(status.String()),
		}
		for f := range 40 {
			data := make([]byte, 64<<10) // 2.5 MiB that do not compress
			for j := range data {
				data[j] = byte(random.Uint32())
			}
			files[fmt.Sprintf("usr/lib/lib%d.so", f)] = data
		}
		layer, err := layerOf(files)
		if err != nil {
			return 0, err
		}
		size, err := layer.Size()
		if err != nil {
			return 0, err
		}
		unique += size
		base, err := mutate.AppendLayers(empty.Image, layer)
		if err != nil {
			return 0, err
		}
		bases = append(bases, base)
	}
	for i := range walkImages {
		layer, err := layerOf(map[string][]byte{fmt.Sprintf("app/node_modules/app-%d/package.json", i): fmt.Appendf(nil, `{"name":"app-%d","version":"1.0.0"}`, i)})
		if err != nil {
			return 0, err
		}
		size, err := layer.Size()
		if err != nil {
			return 0, err
		}
		unique += size
		img, err := mutate.AppendLayers(bases[i%walkBases], layer)
		if err != nil {
			return 0, err
		}
		ref, err := name.ParseReference(fmt.Sprintf("%s/team-%d/app-%d:1.0", host, i%10, i))
		if err != nil {
			return 0, err
		}
		if err := remote.Write(ref, img); err != nil {
			return 0, err
		}
	}
	return unique, nil
}

func layerOf(files map[string][]byte) (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, data := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
			return nil, err
		}
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	data := b.Bytes()
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
}
