package e2e

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/triad-security/triad/deploy/docker/enginetest"
)

// A real engine builds an image of a real apt and dpkg; --fix changes its Dockerfile; the
// engine builds it again, and the findings are gone.
func TestAFixedDockerfileBuildsAnImageWithoutTheFindings(t *testing.T) {
	bin, socket := program(t), enginetest.Start(t)
	enginetest.Load(t, socket, "registry.example.com/test/base:1.0", aptBase(t))
	t.Setenv("DOCKER_HOST", "unix://"+socket)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	data := []string{"--data", t.TempDir(), "--quiet"}
	triad := func(args ...string) []byte { return run(t, bin, append(slices.Clone(data), args...)...) }
	triad("db", "import", debianAdvisories(t))

	dir := t.TempDir()
	dockerfile := filepath.Join(dir, "Dockerfile")
	const before = "FROM registry.example.com/test/base:1.0\n" +
		"# The tool that the shop needs.\n" +
		"RUN apt-get update && \\\n    apt-get install -y --no-install-recommends demo-tool=1.0-1 && \\\n    rm -rf /var/lib/apt/lists/*\n" +
		"USER 1000\n"
	if err := os.WriteFile(dockerfile, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	const image = "registry.example.com/test/app:1.0"
	rebuild(t, socket, image, dockerfile)
	type result struct {
		Vulnerabilities []struct{ ID, Package, Version, Origin, Dockerfile string }
	}
	scan := func() (r result) {
		if err := json.Unmarshal(triad("scan", "image", "docker:"+image, "--scanners", "vuln", "--dockerfile", dockerfile, "--format", "json"), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	found := scan().Vulnerabilities
	lines := map[string]string{}
	for _, v := range found {
		lines[v.Package] = v.Origin + " " + strings.TrimPrefix(v.Dockerfile, dockerfile)
	}
	if len(found) != 2 || lines["demo-lib"] != "base :1" || lines["demo-tool"] != "yours :3-5" {
		t.Fatalf("before the fix: %+v", found)
	}

	diff := string(triad("scan", "image", "docker:"+image, "--scanners", "vuln", "--dockerfile", dockerfile, "--fix"))
	after, err := os.ReadFile(dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(before, "demo-tool=1.0-1", "demo-tool=1.0-2", 1)
	want = strings.Replace(want, "base:1.0\n", "base:1.0\nRUN apt-get update && apt-get install -y --no-install-recommends --only-upgrade demo-lib=1.0-2 && rm -rf /var/lib/apt/lists/*\n", 1)
	if string(after) != want {
		t.Fatalf("the Dockerfile is now\n%s\nwant\n%s", after, want)
	}
	if !strings.Contains(diff, "+    apt-get install -y --no-install-recommends demo-tool=1.0-2 && \\\n") {
		t.Errorf("the change was not shown:\n%s", diff)
	}

	rebuild(t, socket, image, dockerfile)
	if left := scan().Vulnerabilities; len(left) != 0 {
		t.Errorf("after the fix: %+v", left)
	}
}

// rebuild has the engine's own builder make an image, without network.
func rebuild(t *testing.T, socket, reference, dockerfile string) {
	t.Helper()
	text, err := os.ReadFile(dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	answer := enginetest.Call(t, socket, http.MethodPost, "/build?networkmode=none&nocache=1&rm=1&t="+url.QueryEscape(reference), "application/x-tar", tarOf(t, []entry{{"Dockerfile", text, 0o644}}))
	if bytes.Contains(answer, []byte(`"error"`)) || !bytes.Contains(answer, []byte("Successfully built")) {
		t.Fatalf("building %s: %s", reference, answer)
	}
}

type entry struct {
	name string // a folder where it ends with /
	data []byte
	mode int64
}

func tarOf(t *testing.T, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.data)), Typeflag: tar.TypeReg}
		if strings.HasSuffix(e.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// aptBase is an image of this machine's apt and dpkg with what they load, a package demo-lib
// 1.0-1, and a repository in a folder that has 1.0-2 of it and two versions of demo-tool.
func aptBase(t *testing.T) v1.Image {
	t.Helper()
	programs := []string{"/bin/sh", "/usr/bin/apt-get", "/usr/bin/dpkg", "/usr/bin/dpkg-deb", "/usr/bin/dpkg-split", "/usr/bin/tar", "/usr/bin/rm", "/usr/bin/diff", "/sbin/ldconfig", "/usr/sbin/start-stop-daemon", "/usr/lib/apt/methods/file", "/usr/lib/apt/methods/copy", "/usr/lib/apt/methods/store", "/usr/lib/apt/methods/gpgv"}
	files := map[string]bool{}
	for _, table := range []string{"cputable", "ostable", "tupletable", "abitable"} {
		files["/usr/share/dpkg/"+table] = true
	}
	library := regexp.MustCompile(`(/\S+) \(0x`)
	for _, p := range programs {
		if _, err := os.Stat(p); err != nil {
			t.Skipf("%v: this test makes an image of a Debian machine's apt and dpkg", err)
		}
		files[p] = true
		out, _ := exec.Command("ldd", p).Output()
		for _, m := range library.FindAllSubmatch(out, -1) {
			files[string(m[1])] = true
		}
	}
	status := "Package: apt\nStatus: install ok installed\nArchitecture: all\nVersion: 2.6.1\nMaintainer: x <x@example.com>\nDescription: x\n\n" +
		"Package: demo-lib\nStatus: install ok installed\nArchitecture: all\nVersion: 1.0-1\nMaintainer: x <x@example.com>\nDescription: x\n"
	entries := []entry{
		{"tmp/", nil, 0o1777},
		{"var/lib/dpkg/updates/", nil, 0o755},
		{"var/lib/dpkg/triggers/", nil, 0o755},
		{"var/log/apt/", nil, 0o755},
		{"var/lib/apt/lists/partial/", nil, 0o755},
		{"var/cache/apt/archives/partial/", nil, 0o755},
		{"etc/apt/apt.conf.d/", nil, 0o755},
		{"etc/apt/preferences.d/", nil, 0o755},
		{"etc/os-release", []byte("ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"), 0o644},
		{"etc/passwd", []byte("root:x:0:0:root:/root:/bin/sh\n"), 0o644},
		{"etc/group", []byte("root:x:0:\n"), 0o644},
		{"etc/apt/sources.list", []byte("deb [trusted=yes] file:/repository ./\n"), 0o644},
		{"etc/apt/apt.conf.d/test", []byte("APT::Sandbox::User \"root\";\n"), 0o644},
		{"var/lib/dpkg/status", []byte(status), 0o644},
		{"var/lib/dpkg/available", nil, 0o644},
		{"var/lib/dpkg/info/demo-lib.list", []byte("/.\n"), 0o644},
		{"var/lib/dpkg/info/apt.list", []byte("/.\n"), 0o644},
		{"var/lib/dpkg/info/format", []byte("1\n"), 0o644},
	}
	var index strings.Builder
	for _, p := range []string{"demo-lib 1.0-2", "demo-tool 1.0-1", "demo-tool 1.0-2"} {
		name, version, _ := strings.Cut(p, " ")
		control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: x <x@example.com>\nDescription: for a test\n", name, version)
		data := deb(t, control, name)
		sum := sha256.Sum256(data)
		file := name + "_" + version + "_all.deb"
		entries = append(entries, entry{"repository/" + file, data, 0o644})
		fmt.Fprintf(&index, "%sFilename: ./%s\nSize: %d\nSHA256: %s\n\n", control, file, len(data), hex.EncodeToString(sum[:]))
	}
	entries = append(entries, entry{"repository/Packages", []byte(index.String()), 0o644})
	for name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry{strings.TrimPrefix(filepath.Clean(name), "/"), data, 0o755})
	}
	layer := tarOf(t, entries)
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer)), nil })
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.Append(empty.Image, mutate.Addendum{Layer: l, History: v1.History{CreatedBy: "the machine's apt"}})
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive"}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	return image
}

// deb builds a package of one file.
func deb(t *testing.T, control, name string) []byte {
	t.Helper()
	dir := t.TempDir()
	for file, text := range map[string]string{"DEBIAN/control": control, "opt/" + name: name + "\n"} {
		path := filepath.Join(dir, "p", file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "p.deb")
	if text, err := exec.Command("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", filepath.Join(dir, "p"), out).CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v\n%s", err, text)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// debianAdvisories is a folder for triad db import: two advisories, fixed in 1.0-2.
func debianAdvisories(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for n, name := range []string{"demo-lib", "demo-tool"} {
		f, err := w.Create(fmt.Sprintf("DSA-%d.json", n+1))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(f, `{"id":"DSA-%d","modified":"2026-01-02T00:00:00Z","aliases":["CVE-2026-000%d"],"affected":[{"package":{"ecosystem":"Debian:12","name":"%s"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.0-2"}]}]}]}`, n+1, n+1, name)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "osv", "Debian", "all.zip")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
