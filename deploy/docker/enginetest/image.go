package enginetest

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

var program struct {
	once sync.Once
	data []byte
	err  error
}

// Program returns a static program that listens, opens and maps files and starts children as
// its arguments say; testdata/listen/main.go describes them.
func Program(t testing.TB) []byte {
	t.Helper()
	program.once.Do(func() {
		_, file, _, _ := runtime.Caller(0)
		dir, err := os.MkdirTemp("", "triad-program-")
		if err != nil {
			program.err = err
			return
		}
		defer os.RemoveAll(dir)
		out := filepath.Join(dir, "listen")
		cmd := exec.Command("go", "build", "-trimpath", "-o", out, "./testdata/listen")
		cmd.Dir = filepath.Dir(file)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			program.err = fmt.Errorf("building the test images' program: %w\n%s", err, text)
			return
		}
		program.data, program.err = os.ReadFile(out)
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	return program.data
}

// Image makes an image of one layer with the files (path to contents, all executable).
func Image(t testing.TB, files map[string][]byte, config v1.Config) v1.Image {
	t.Helper()
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for path, data := range files {
		header := &tar.Header{Name: path, Mode: 0o755, Size: int64(len(data)), Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0)}
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, l)
	if err != nil {
		t.Fatal(err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.Architecture, file.OS, file.Config = runtime.GOARCH, "linux", config
	if image, err = mutate.ConfigFile(image, file); err != nil {
		t.Fatal(err)
	}
	return image
}

// Load gives an image to the engine under a reference.
func Load(t testing.TB, socket, reference string, image v1.Image) {
	t.Helper()
	tag, err := name.NewTag(reference)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := tarball.Write(tag, image, &archive); err != nil {
		t.Fatal(err)
	}
	Call(t, socket, http.MethodPost, "/images/load?quiet=1", "application/x-tar", archive.Bytes())
}

// Run creates and starts a container; see Create.
func Run(t testing.TB, socket, containerName string, body map[string]any) (id string) {
	t.Helper()
	id = Create(t, socket, containerName, body)
	Call(t, socket, http.MethodPost, "/containers/"+id+"/start", "", nil)
	return id
}

// Create creates a container without starting it; body is the request of POST
// /containers/create. The container is removed when the test ends.
func Create(t testing.TB, socket, containerName string, body map[string]any) (id string) {
	t.Helper()
	request, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	var created struct {
		ID string `json:"Id"`
	}
	answer := Call(t, socket, http.MethodPost, "/containers/create?name="+url.QueryEscape(containerName), "application/json", request)
	if err := json.Unmarshal(answer, &created); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		Call(t, socket, http.MethodDelete, "/containers/"+created.ID+"?force=1", "", nil)
	})
	return created.ID
}

// Call makes one request of the engine's API and fails the test unless it succeeds.
func Call(t testing.TB, socket, method, path, contentType string, body []byte) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, "http://docker"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	client := client(socket)
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode >= 300 {
		t.Fatalf("%s %s: %s: %s", method, path, res.Status, answer)
	}
	return answer
}

// Ready waits until n processes of the container have printed that they are ready.
func Ready(t testing.TB, socket, id string, n int) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		log := Call(t, socket, http.MethodGet, "/containers/"+id+"/logs?stdout=1&stderr=1", "", nil)
		if bytes.Count(log, []byte("ready")) >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("container %.12s is not ready: %s", id, log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
