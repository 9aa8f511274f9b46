package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// testImage has two layers and an empty step between them.
func testImage(t testing.TB, arch string) v1.Image {
	t.Helper()
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: arch})
	if err != nil {
		t.Fatal(err)
	}
	layer := func(content string) v1.Layer {
		l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(makeTar(t, entry{name: "file", body: content + arch}))), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	img, err = mutate.Append(img,
		mutate.Addendum{Layer: layer("one"), History: v1.History{CreatedBy: "/bin/sh -c #(nop) ADD file:1 in / "}},
		mutate.Addendum{History: v1.History{CreatedBy: "/bin/sh -c #(nop)  CMD [\"sh\"]", EmptyLayer: true}},
		mutate.Addendum{Layer: layer("two"), History: v1.History{CreatedBy: "RUN /bin/sh -c make install # buildkit"}})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func testIndex(t testing.TB) v1.ImageIndex {
	t.Helper()
	attestation := mutate.MediaType(testImage(t, "none"), types.OCIManifestSchema1)
	return mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: testImage(t, "amd64"), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}},
		mutate.IndexAddendum{Add: testImage(t, "arm64"), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}},
		mutate.IndexAddendum{Add: attestation, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}}})
}

// check opens every layer and looks at what the image says of itself.
func check(t *testing.T, img *Image, arch string) {
	t.Helper()
	want := testImage(t, arch)
	config, err := want.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	if img.ConfigDigest != config.String() {
		t.Errorf("config digest %s, want %s", img.ConfigDigest, config)
	}
	steps := []string{"ADD file:1 in /", "RUN make install"}
	for i, l := range img.Layers {
		if l.Step != steps[i] {
			t.Errorf("step %d is %q, want %q", i, l.Step, steps[i])
		}
		r, err := l.Open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		walked, err := Walk(context.Background(), r, Limits{}, (&contents{}).visit)
		if err != nil || walked.DiffID != l.DiffID {
			t.Errorf("layer %d: diff ID %s, want %s (%v)", i, walked.DiffID, l.DiffID, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(img.Layers) != 2 {
		t.Errorf("%d layers", len(img.Layers))
	}
}

// writeTar writes a folder as a tar, as skopeo's oci-archive does.
func writeTar(t *testing.T, dir, file string) {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpenFile(t *testing.T) {
	dir := t.TempDir()
	path := func(n string) string { return filepath.Join(dir, n) }
	tag, err := name.NewTag("example.com/app:1")
	if err != nil {
		t.Fatal(err)
	}
	other, _ := name.NewTag("example.com/other:2")
	if err := tarball.WriteToFile(path("save.tar"), tag, testImage(t, "amd64")); err != nil {
		t.Fatal(err)
	}
	if err := tarball.MultiWriteToFile(path("two.tar"), map[name.Tag]v1.Image{tag: testImage(t, "amd64"), other: testImage(t, "arm64")}); err != nil {
		t.Fatal(err)
	}
	l, err := layout.Write(path("oci"), empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.AppendImage(testImage(t, "amd64"), layout.WithAnnotations(map[string]string{annotationRef: "1"})); err != nil {
		t.Fatal(err)
	}
	writeTar(t, path("oci"), path("oci.tar"))
	l, err = layout.Write(path("multi"), empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.AppendIndex(testIndex(t)); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, file, ref, platform string
		arch, wantRef             string
		err                       string
	}{
		{"docker save", "save.tar", "", "", "amd64", "example.com/app:1", ""},
		{"docker save by its name", "save.tar", "example.com/app:1", "", "amd64", "example.com/app:1", ""},
		{"docker save by another name", "save.tar", "example.com/none:1", "", "", "", "it has: example.com/app:1"},
		{"one of several needs a name", "two.tar", "", "", "", "", "holds 2 images; name one"},
		{"one of several by name", "two.tar", "example.com/other:2", "", "arm64", "example.com/other:2", ""},
		{"OCI layout folder", "oci", "", "", "amd64", "1", ""},
		{"OCI layout tar", "oci.tar", "", "", "amd64", "1", ""},
		{"OCI layout by tag", "oci", "example.com/app:1", "", "amd64", "example.com/app:1", ""},
		{"image for several platforms", "multi", "", "linux/arm64", "arm64", "multi", ""},
		{"a platform that is not there names those that are", "multi", "", "linux/s390x", "", "", "one of: linux/amd64, linux/arm64"},
		{"a platform that is none", "multi", "", "a/b/c/d/e", "", "", "write it like linux/arm64"},
		{"no file", "none.tar", "", "", "", "", "no such file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			img, err := OpenFile(context.Background(), path(test.file), test.ref, Options{Platform: test.platform})
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = img.Close() }()
			check(t, img, test.arch)
			if img.Ref != test.wantRef {
				t.Errorf("ref %q, want %q", img.Ref, test.wantRef)
			}
			if strings.HasPrefix(test.file, "oci") || test.file == "multi" {
				want, _ := testImage(t, test.arch).Digest()
				if img.ManifestDigest != want.String() {
					t.Errorf("manifest digest %s, want %s", img.ManifestDigest, want)
				}
			}
		})
	}
}

// classicSave writes docker save's form before version 25: a folder a layer, equal layers
// linked.
func classicSave(t testing.TB) []byte {
	layer := makeTar(t, entry{name: "file", body: "one"})
	config, err := json.Marshal(v1.ConfigFile{RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{hashOf(t, layer), hashOf(t, layer)}}})
	if err != nil {
		t.Fatal(err)
	}
	configName := strings.TrimPrefix(digestOf(config), "sha256:") + ".json"
	manifest := fmt.Sprintf(`[{"Config":%q,"RepoTags":["app:1"],"Layers":["aa/layer.tar","bb/layer.tar"]}]`, configName)
	return makeTar(t, entry{name: "aa/layer.tar", body: string(layer)}, entry{name: "bb/layer.tar", kind: tar.TypeSymlink, link: "../aa/layer.tar"},
		entry{name: configName, body: string(config)}, entry{name: "manifest.json", body: manifest})
}

func hashOf(t testing.TB, data []byte) v1.Hash {
	h, err := v1.NewHash(digestOf(data))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestOpenClassicSave(t *testing.T) {
	file := filepath.Join(t.TempDir(), "save.tar")
	if err := os.WriteFile(file, classicSave(t), 0o600); err != nil {
		t.Fatal(err)
	}
	img, err := OpenFile(context.Background(), file, "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = img.Close() }()
	for _, l := range img.Layers {
		r, err := l.Open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		walked, err := Walk(context.Background(), r, Limits{}, (&contents{}).visit)
		if err != nil || walked.DiffID != l.DiffID {
			t.Errorf("diff ID %s, want %s (%v)", walked.DiffID, l.DiffID, err)
		}
	}
}

func TestOpenStream(t *testing.T) {
	var save bytes.Buffer
	tag, _ := name.NewTag("example.com/app:1")
	if err := tarball.Write(tag, testImage(t, "amd64"), &save); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"classic": classicSave(t), "gzip around it": gzipped(t, classicSave(t)), "gzip layers": save.Bytes()} {
		t.Run(name, func(t *testing.T) {
			read := 0
			img, failed, err := OpenStream(context.Background(), bytes.NewReader(data), "", Options{}, func(string) bool { return false }, func(ctx context.Context, r io.Reader) (string, error) {
				read++
				l, err := Walk(ctx, r, Limits{}, (&contents{}).visit)
				return l.DiffID, err
			})
			if err != nil || len(failed) > 0 {
				t.Fatal(err, failed)
			}
			if len(img.Layers) != 2 || read == 0 {
				t.Errorf("%d layers, %d read", len(img.Layers), read)
			}
		})
	}
	t.Run("an archive that breaks off says so", func(t *testing.T) {
		_, _, err := OpenStream(context.Background(), bytes.NewReader(classicSave(t)[:4000]), "", Options{}, func(string) bool { return false }, func(context.Context, io.Reader) (string, error) { return "", nil })
		if err == nil || !strings.Contains(err.Error(), "cut short") {
			t.Errorf("error %v", err)
		}
	})
}

func TestOpenDamaged(t *testing.T) {
	config := `{"rootfs":{"type":"layers","diff_ids":["sha256:` + strings.Repeat("0", 64) + `"]}}`
	tests := []struct {
		name    string
		entries []entry
		err     string
	}{
		{"an empty archive", nil, "neither manifest.json nor index.json"},
		{"a manifest that is no JSON", []entry{{name: "manifest.json", body: "{"}}, "manifest.json: "},
		{"a manifest without images", []entry{{name: "manifest.json", body: "[]"}}, "lists no image"},
		{"a config that climbs out", []entry{{name: "manifest.json", body: `[{"Config":"../../etc/passwd"}]`}}, "not inside the archive"},
		{"a config that is not there", []entry{{name: "manifest.json", body: `[{"Config":"c"}]`}}, "not exist"},
		{"fewer layers than the config says", []entry{{name: "c", body: config}, {name: "manifest.json", body: `[{"Config":"c","Layers":[]}]`}}, "the manifest lists 0 layers, the config 1"},
		{"a metadata file too large", []entry{{name: "manifest.json", body: strings.Repeat(" ", maxMetadata+1)}}, "larger than"},
		{"links in a circle", []entry{{name: "manifest.json", kind: tar.TypeSymlink, link: "index.json"}, {name: "index.json", kind: tar.TypeSymlink, link: "manifest.json"}}, "loop of links"},
		{"a blob that is not what its digest says", []entry{{name: "index.json", body: `{"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:` + strings.Repeat("1", 64) + `"}]}`}, {name: "blobs/sha256/" + strings.Repeat("1", 64), body: "{}"}}, "its content has the digest"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "x.tar")
			if err := os.WriteFile(file, makeTar(t, test.entries...), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenFile(context.Background(), file, "", Options{}); err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
		})
	}
}

func TestOpenRegistry(t *testing.T) {
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	locked := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); locked && (user != "ann" || password != "secret") {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	ref, err := name.ParseReference(host + "/app:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, testImage(t, "amd64")); err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref.Context().Tag("multi"), testIndex(t)); err != nil {
		t.Fatal(err)
	}
	docker := t.TempDir()
	t.Setenv("DOCKER_CONFIG", docker)

	t.Run("anonymous", func(t *testing.T) {
		img, err := OpenRegistry(context.Background(), ref.String(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		check(t, img, "amd64")
	})
	t.Run("one platform of an index", func(t *testing.T) {
		img, err := OpenRegistry(context.Background(), host+"/app:multi", Options{Platform: "linux/arm64"})
		if err != nil {
			t.Fatal(err)
		}
		check(t, img, "arm64")
		if want, _ := testIndex(t).Digest(); img.IndexDigest != want.String() {
			t.Errorf("index digest %s, want %s", img.IndexDigest, want)
		}
	})
	t.Run("an image that is not there", func(t *testing.T) {
		_, err := OpenRegistry(context.Background(), host+"/none:1", Options{})
		if err == nil || !strings.Contains(err.Error(), "look at the name and tag") {
			t.Errorf("error %v", err)
		}
	})
	locked = true
	t.Run("no credentials where some are wanted", func(t *testing.T) {
		_, err := OpenRegistry(context.Background(), ref.String(), Options{})
		if err == nil || !strings.Contains(err.Error(), "docker login") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("basic, from docker's config", func(t *testing.T) {
		config := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, base64.StdEncoding.EncodeToString([]byte("ann:secret")))
		if err := os.WriteFile(filepath.Join(docker, "config.json"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		img, err := OpenRegistry(context.Background(), ref.String(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		check(t, img, "amd64")
	})
	t.Run("a credential helper", func(t *testing.T) {
		helper := "#!/bin/sh\ncat >/dev/null\necho '{\"Username\":\"ann\",\"Secret\":\"secret\"}'\n"
		if err := os.WriteFile(filepath.Join(docker, "docker-credential-test"), []byte(helper), 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", docker+string(os.PathListSeparator)+os.Getenv("PATH"))
		if err := os.WriteFile(filepath.Join(docker, "config.json"), []byte(fmt.Sprintf(`{"credHelpers":{%q:"test"}}`, host)), 0o600); err != nil {
			t.Fatal(err)
		}
		img, err := OpenRegistry(context.Background(), ref.String(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		check(t, img, "amd64")
	})
}

func TestStepsAreUnknownWhereHistoryDoesNotFit(t *testing.T) {
	if got := Steps([]v1.History{{CreatedBy: "RUN a"}}, 2); got[0] != "" || got[1] != "" {
		t.Errorf("steps %q", got)
	}
}

func FuzzOpenArchive(f *testing.F) {
	f.Add(classicSave(f))
	f.Add(makeTar(f, entry{name: "index.json", body: `{"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:` + strings.Repeat("1", 64) + `"}]}`}))
	f.Add(makeTar(f, entry{name: "manifest.json", kind: tar.TypeLink, link: "manifest.json"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "x.tar")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Skip()
		}
		img, err := OpenFile(context.Background(), file, "", Options{})
		if err == nil {
			for _, l := range img.Layers {
				if r, err := l.Open(context.Background()); err == nil {
					_ = r.Close()
				}
			}
			_ = img.Close()
		}
		_, _, err = OpenStream(context.Background(), bytes.NewReader(data), "", Options{}, func(string) bool { return false }, func(ctx context.Context, r io.Reader) (string, error) {
			l, err := Walk(ctx, r, Limits{MaxEntries: 100, MaxLayerBytes: 1 << 20}, func(*File) (int32, error) { return 0, nil })
			return l.DiffID, err
		})
		if errors.Is(err, io.ErrNoProgress) {
			t.Fatal(err)
		}
	})
}
