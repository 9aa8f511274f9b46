package scan

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/image"
)

type file struct {
	name, body, link string
	mode             int64
	kind             byte
}

func layerTar(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Typeflag: f.kind, Linkname: f.link, Mode: f.mode, Size: int64(len(f.body))}
		if f.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if f.mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// save writes a docker save archive of layers and returns its path.
func save(t testing.TB, layers ...[]byte) string {
	t.Helper()
	var diffIDs []v1.Hash
	var history []v1.History
	var names []string
	var files []file
	for i, l := range layers {
		h, err := v1.NewHash(digest(l))
		if err != nil {
			t.Fatal(err)
		}
		diffIDs = append(diffIDs, h)
		history = append(history, v1.History{CreatedBy: fmt.Sprintf("RUN step %d # buildkit", i)}, v1.History{CreatedBy: "ENV a=b", EmptyLayer: true})
		name := "blobs/sha256/" + h.Hex
		names = append(names, name)
		files = append(files, file{name: name, body: string(l)})
	}
	config, err := json.Marshal(v1.ConfigFile{
		OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers", DiffIDs: diffIDs}, History: history,
		Config: v1.Config{User: "1000", ExposedPorts: map[string]struct{}{"8080/tcp": {}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{"example.com/app:1"}, "Layers": names}})
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, file{name: "config.json", body: string(config)}, file{name: "manifest.json", body: string(manifest)})
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(path, layerTar(t, files...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func scanner(t testing.TB) *Scanner {
	t.Helper()
	cache, err := OpenCache(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &Scanner{Cache: cache}
}

func scanFile(t testing.TB, s *Scanner, path string) *Result {
	t.Helper()
	img, err := image.OpenFile(context.Background(), path, "", s.Options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = img.Close() }()
	r, err := s.Image(context.Background(), img)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const (
	bookworm = "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"
	status   = "Package: libssl3\nStatus: install ok installed\nSource: openssl\nVersion: 3.0.11-1\nArchitecture: amd64\n\n" +
		"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: amd64\n\n"
	statusCurl = status + "Package: curl\nStatus: install ok half-configured\nVersion: 7.88-1\nArchitecture: amd64\n\n"
	alpineDB   = "P:musl\nV:1.2.5-r0\nA:x86_64\no:musl\nF:lib\nR:ld-musl-x86_64.so.1\n\nP:ssl_client\nV:1.36.1-r29\nA:x86_64\no:busybox\nF:usr/bin\nR:ssl_client\nF:usr/share\nR:readme\n\n"
)

func debianBase(t testing.TB) []byte {
	return layerTar(t,
		file{name: "etc/os-release", kind: tar.TypeSymlink, link: "../usr/lib/os-release"},
		file{name: "usr/lib/os-release", body: bookworm},
		file{name: "lib", kind: tar.TypeSymlink, link: "usr/lib"},
		file{name: "usr/lib/libssl.so.3", body: "elf"},
		file{name: "var/lib/dpkg/status", body: status},
		file{name: "var/lib/dpkg/info/libssl3:amd64.list", body: "/.\n/lib\n/lib/libssl.so.3\n/usr/share/doc/libssl3/copyright\n"})
}

func find(t *testing.T, r *Result, name string) Package {
	t.Helper()
	for _, p := range r.Packages {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no package %s in %v (unread: %v)", name, r.Packages, r.Unread)
	return Package{}
}

func TestImagePackages(t *testing.T) {
	jar := zipOf(t, map[string]string{"META-INF/maven/g/a/pom.properties": "groupId=g\nartifactId=a\nversion=1.0\n"})
	war := zipOf(t, map[string]string{"WEB-INF/lib/a-1.0.jar": jar})
	r := scanFile(t, scanner(t), save(t, debianBase(t), layerTar(t,
		file{name: "app/node_modules/@acme/left-pad/package.json", body: `{"name":"@acme/left-pad","version":"1.3.0"}`},
		file{name: "app/tsconfig/package.json", body: `{{ template }}`},
		file{name: "usr/lib/python3/dist-packages/Jinja2-3.1.2.dist-info/METADATA", body: "Metadata-Version: 2.1\nName: Jinja2\nVersion: 3.1.2\n"},
		file{name: "usr/lib/python3/dist-packages/Jinja2-3.1.2.dist-info/RECORD", body: "jinja2/__init__.py,sha256=x,1\njinja2/_speed.so,,\nJinja2-3.1.2.dist-info/METADATA,,\n../../bin/x,,\n"},
		file{name: "usr/lib/python3/dist-packages/jinja2/_speed.so", body: "elf"},
		file{name: "srv/app.war", body: war})))
	tests := []struct{ name, version, ecosystem, purl, path, step, files string }{
		{"libssl3", "3.0.11-1", "Debian:12", "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12&upstream=openssl", "/var/lib/dpkg/status", "RUN step 0", "/usr/lib/libssl.so.3"},
		{"@acme/left-pad", "1.3.0", "npm", "pkg:npm/%40acme/left-pad@1.3.0", "/app/node_modules/@acme/left-pad/package.json", "RUN step 1", "/app/node_modules/@acme/left-pad"},
		{"jinja2", "3.1.2", "PyPI", "pkg:pypi/jinja2@3.1.2", "/usr/lib/python3/dist-packages/Jinja2-3.1.2.dist-info/METADATA", "RUN step 1", "/usr/lib/python3/dist-packages/jinja2 /usr/lib/python3/dist-packages/jinja2/_speed.so"},
		{"g:a", "1.0", "Maven", "pkg:maven/g/a@1.0", "/srv/app.war!WEB-INF/lib/a-1.0.jar", "RUN step 1", "/srv/app.war"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := find(t, r, test.name)
			if p.Version != test.version || p.Ecosystem != test.ecosystem || p.PURL != test.purl || p.Path != test.path || p.Step != test.step {
				t.Errorf("got %+v", p)
			}
			if got := strings.Join(p.Files, " "); got != test.files {
				t.Errorf("files %q, want %q", got, test.files)
			}
		})
	}
	if len(r.Packages) != len(tests) || len(r.Unread) != 0 {
		t.Errorf("packages %v, unread %v", r.Packages, r.Unread)
	}
	if p := find(t, r, "libssl3"); p.Source != "openssl" || p.SourceVersion != "3.0.11-1" {
		t.Errorf("source %q %q", p.Source, p.SourceVersion)
	}
}

func TestImageLayers(t *testing.T) {
	pkg := func(version string) string { return fmt.Sprintf(`{"name":"left-pad","version":%q}`, version) }
	npm := "app/node_modules/left-pad/package.json"
	tests := []struct {
		name   string
		layers [][]byte
		pkg    string
		want   string // version and step; empty is gone
	}{
		{"a database written again keeps who brought a package", [][]byte{debianBase(t), layerTar(t, file{name: "var/lib/dpkg/status", body: statusCurl})}, "libssl3", "3.0.11-1 by RUN step 0"},
		{"what is new in it belongs to the layer that wrote it", [][]byte{debianBase(t), layerTar(t, file{name: "var/lib/dpkg/status", body: statusCurl})}, "curl", "7.88-1 by RUN step 1"},
		{"an upgrade belongs to the layer that upgraded", [][]byte{debianBase(t), layerTar(t, file{name: "var/lib/dpkg/status", body: strings.Replace(status, "3.0.11-1", "3.0.12-1", 1)})}, "libssl3", "3.0.12-1 by RUN step 1"},
		{"what went and came back belongs to who brought it back", [][]byte{debianBase(t), layerTar(t, file{name: "var/lib/dpkg/status", body: "Package: x\nStatus: install ok installed\nVersion: 1\n\n"}), layerTar(t, file{name: "var/lib/dpkg/status", body: status})}, "libssl3", "3.0.11-1 by RUN step 2"},
		{"a file copied up by chown stays its first layer's", [][]byte{layerTar(t, file{name: npm, body: pkg("1")}), layerTar(t, file{name: npm, body: pkg("1"), mode: 0o600})}, "left-pad", "1 by RUN step 0"},
		{"a whiteout removes it", [][]byte{layerTar(t, file{name: npm, body: pkg("1")}), layerTar(t, file{name: "app/.wh.node_modules"})}, "left-pad", ""},
		{"an opaque folder removes it", [][]byte{layerTar(t, file{name: npm, body: pkg("1")}), layerTar(t, file{name: "app/.wh..wh..opq"})}, "left-pad", ""},
		{"a file that is no package any more removes it", [][]byte{layerTar(t, file{name: npm, body: pkg("1")}), layerTar(t, file{name: npm, body: "{}"})}, "left-pad", ""},
		{"a file in its folder's place removes it", [][]byte{layerTar(t, file{name: npm, body: pkg("1")}), layerTar(t, file{name: "app", body: "x"})}, "left-pad", ""},
		{"the last of two entries of one name counts", [][]byte{layerTar(t, file{name: npm, body: pkg("1")}, file{name: npm, body: pkg("2")})}, "left-pad", "2 by RUN step 0"},
		{"a hard link to a layer below shows what is there", [][]byte{layerTar(t, file{name: "store/package.json", body: pkg("3")}), layerTar(t, file{name: npm, kind: tar.TypeLink, link: "store/package.json"}, file{name: ".wh.store"})}, "left-pad", "3 by RUN step 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := scanFile(t, scanner(t), save(t, test.layers...))
			got := ""
			for _, p := range r.Packages {
				if p.Name == test.pkg {
					got = p.Version + " by " + p.Step
				}
			}
			if got != test.want {
				t.Errorf("got %q, want %q (unread %v)", got, test.want, r.Unread)
			}
		})
	}
}

func TestCacheMeansALayerIsReadOnce(t *testing.T) {
	s := scanner(t)
	base, app := debianBase(t), layerTar(t, file{name: "var/lib/dpkg/status", body: statusCurl})
	first := scanFile(t, s, save(t, base, app))
	if first.Artifact.Cached != 0 {
		t.Errorf("%d layers of an empty cache", first.Artifact.Cached)
	}
	again := scanFile(t, s, save(t, base, app))
	if again.Artifact.Cached != 2 {
		t.Errorf("the same image: %d layers cached", again.Artifact.Cached)
	}
	again.Artifact.Cached = 0
	a, _ := json.Marshal(first)
	b, _ := json.Marshal(again)
	if !bytes.Equal(a, b) {
		t.Errorf("from the cache:\n%s\nread:\n%s", b, a)
	}
	other := scanFile(t, s, save(t, base, layerTar(t, file{name: "x", body: "y"})))
	if other.Artifact.Cached != 1 || find(t, other, "libssl3").Version != "3.0.11-1" {
		t.Errorf("another image on the same base: %d layers cached", other.Artifact.Cached)
	}
	t.Run("damage in the cache is repaired", func(t *testing.T) {
		files, _ := filepath.Glob(filepath.Join(filepath.Dir(s.Cache.Spool()), "layers", "*", "*"))
		for _, f := range files {
			if err := os.WriteFile(f, []byte("garbage"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if r := scanFile(t, s, save(t, base, app)); r.Artifact.Cached != 0 || len(r.Packages) != len(first.Packages) {
			t.Errorf("%d cached, %d packages", r.Artifact.Cached, len(r.Packages))
		}
		if r := scanFile(t, s, save(t, base, app)); r.Artifact.Cached != 2 {
			t.Errorf("not repaired: %d cached", r.Artifact.Cached)
		}
	})
}

// TestLyingDiffID: an archive must not be able to put its own content into the cache under
// the name of somebody else's layer.
func TestLyingDiffID(t *testing.T) {
	s := scanner(t)
	real, fake := debianBase(t), layerTar(t, file{name: "var/lib/dpkg/status", body: ""})
	lie, err := os.ReadFile(save(t, real))
	if err != nil {
		t.Fatal(err)
	}
	// The same archive with the layer's blob replaced, its name kept.
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for in := tar.NewReader(bytes.NewReader(lie)); ; {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, _ := io.ReadAll(in)
		if strings.HasPrefix(h.Name, "blobs/") {
			data, h.Size = fake, int64(len(fake))
		}
		_ = w.WriteHeader(h)
		_, _ = w.Write(data)
	}
	_ = w.Close()
	path := filepath.Join(t.TempDir(), "lie.tar")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := scanFile(t, s, path); len(r.Unread) != 1 || !strings.Contains(r.Unread[0].Reason, "damaged or was changed") {
		t.Errorf("unread %v", r.Unread)
	}
	if r := scanFile(t, s, save(t, real)); len(r.Packages) != 1 || r.Artifact.Cached != 0 {
		t.Errorf("the true image: %d packages, %d layers cached", len(r.Packages), r.Artifact.Cached)
	}
}

func TestStreamEqualsFile(t *testing.T) {
	path := save(t, debianBase(t), layerTar(t, file{name: "var/lib/dpkg/status", body: statusCurl}))
	want := scanFile(t, scanner(t), path)
	s := scanner(t)
	for range 2 { // cold, warm
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Stream(context.Background(), f, "")
		_ = f.Close()
		if err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(want.Packages)
		b, _ := json.Marshal(got.Packages)
		if !bytes.Equal(a, b) || len(got.Unread) > 0 {
			t.Errorf("got %s %v\nwant %s", b, got.Unread, a)
		}
	}
}

func TestOwnedByTheDistribution(t *testing.T) {
	r := scanFile(t, scanner(t), save(t, debianBase(t), layerTar(t,
		file{name: "var/lib/dpkg/status", body: status + "Package: python3-requests\nStatus: install ok installed\nVersion: 2.28.1\nArchitecture: all\n\n"},
		file{name: "var/lib/dpkg/info/python3-requests.list", body: "/usr/lib/python3/dist-packages/requests-2.28.1.egg-info/PKG-INFO\n"},
		file{name: "usr/lib/python3/dist-packages/requests-2.28.1.egg-info/PKG-INFO", body: "Metadata-Version: 2.1\nName: requests\nVersion: 2.28.1\n"},
		file{name: "opt/requests-2.0.dist-info/METADATA", body: "Name: requests\nVersion: 2.0\n"})))
	owners := map[string]string{}
	for _, p := range r.Packages {
		if p.Ecosystem == "PyPI" {
			owners[p.Version] = p.Owner
		}
	}
	if owners["2.28.1"] != "python3-requests" || owners["2.0"] != "" || len(owners) != 2 {
		t.Errorf("owners %v", owners)
	}
	if report := r.Report(); len(report.Packages) != len(r.Packages) {
		t.Errorf("report of %d packages of %d", len(report.Packages), len(r.Packages))
	}
}

func TestAlpineAndDistroless(t *testing.T) {
	alpine := scanFile(t, scanner(t), save(t, layerTar(t, file{name: "lib/apk/db/installed", body: alpineDB}, file{name: "lib/ld-musl-x86_64.so.1", body: "elf"}, file{name: "usr/bin/ssl_client", body: "elf"},
		file{name: "etc/os-release", body: "ID=alpine\nVERSION_ID=3.20.3\n"})))
	p := find(t, alpine, "ssl_client")
	if p.Ecosystem != "Alpine:v3.20" || p.Source != "busybox" || p.PURL != "pkg:apk/alpine/ssl_client@1.36.1-r29?arch=x86_64&distro=alpine-3.20.3&upstream=busybox" || strings.Join(p.Files, " ") != "/usr/bin/ssl_client" {
		t.Errorf("got %+v", p)
	}
	distroless := scanFile(t, scanner(t), save(t, layerTar(t, file{name: "usr/lib/os-release", body: bookworm}, file{name: "usr/lib/libssl.so.3", body: "elf"},
		file{name: "var/lib/dpkg/status.d/libssl3", body: "Package: libssl3\nSource: openssl\nVersion: 3.0.11-1\nArchitecture: amd64\n"},
		file{name: "var/lib/dpkg/status.d/libssl3.md5sums", body: strings.Repeat("a", 32) + "  usr/lib/libssl.so.3\n"})))
	p = find(t, distroless, "libssl3")
	if p.Ecosystem != "Debian:12" || strings.Join(p.Files, " ") != "/usr/lib/libssl.so.3" {
		t.Errorf("got %+v", p)
	}
	unknown := scanFile(t, scanner(t), save(t, layerTar(t, file{name: "var/lib/dpkg/status", body: status})))
	if len(unknown.Unread) != 1 || unknown.Unread[0].Section != "vulnerabilities" {
		t.Errorf("a distribution without a name: unread %v", unknown.Unread)
	}
}

func zipOf(t testing.TB, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, body := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestHostileFilesAreSaid(t *testing.T) {
	pom := map[string]string{"META-INF/maven/g/a/pom.properties": "groupId=g\nartifactId=a\nversion=1.0\n"}
	nested := zipOf(t, pom)
	for range 6 {
		nested = zipOf(t, map[string]string{"in.jar": nested})
	}
	tests := []struct {
		name string
		file file
		want string
	}{
		{"archives nested too deep", file{name: "a.jar", body: nested}, "nested deeper than 5"},
		{"a manifest that unpacks to too much", file{name: "a.jar", body: zipOf(t, map[string]string{"META-INF/MANIFEST.MF": strings.Repeat("A: b\n", 1<<20)})}, "larger than"},
		{"a wheel's metadata that unpacks to too much", file{name: "a.whl", body: zipOf(t, map[string]string{"a.dist-info/METADATA": strings.Repeat("A: b\n", 1<<20)})}, "larger than"},
		{"a jar that is none", file{name: "a.jar", body: "no zip"}, "not a zip archive"},
		{"a file list too large", file{name: "app/package.json", body: strings.Repeat(" ", maxText+1)}, "more than the"},
		{"an rpm database that is none", file{name: "var/lib/rpm/rpmdb.sqlite", body: strings.Repeat("x", 10_000)}, "rpmdb"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := scanner(t)
			for _, state := range []string{"read", "from the cache"} {
				r := scanFile(t, s, save(t, layerTar(t, test.file, file{name: "app/left/package.json", body: `{"name":"left","version":"1"}`})))
				if len(r.Unread) == 0 || !strings.Contains(r.Unread[0].Reason, test.want) {
					t.Errorf("%s: unread %v, want %q", state, r.Unread, test.want)
				}
				find(t, r, "left") // the rest is there all the same
				if s := r.Report().Sections[0]; s.Status != triad.SectionUnread {
					t.Errorf("%s: section %+v", state, s)
				}
			}
			if left, _ := os.ReadDir(s.Cache.Spool()); len(left) > 0 {
				t.Errorf("left in the spool: %v", left)
			}
		})
	}
}

func TestNestedArchivesToTheAllowedDepth(t *testing.T) {
	nested := zipOf(t, map[string]string{"META-INF/maven/g/a/pom.properties": "groupId=g\nartifactId=a\nversion=1.0\n"})
	for i := range maxNested - 1 {
		nested = zipOf(t, map[string]string{fmt.Sprintf("n%d.jar", i): nested})
	}
	r := scanFile(t, scanner(t), save(t, layerTar(t, file{name: "a.jar", body: nested})))
	if p := find(t, r, "g:a"); p.Path != "/a.jar!n3.jar!n2.jar!n1.jar!n0.jar" || len(r.Unread) > 0 {
		t.Errorf("path %s, unread %v", p.Path, r.Unread)
	}
}

func TestTruncatedLayerIsPartial(t *testing.T) {
	path := save(t, debianBase(t), layerTar(t, file{name: "app/left/package.json", body: `{"name":"left","version":"1"}`}, file{name: "big", body: strings.Repeat("x", 1<<20)}))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Cut the archive inside the second layer; its metadata stands before.
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	var tail []struct {
		h *tar.Header
		b []byte
	}
	for in := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		b, _ := io.ReadAll(in)
		if strings.HasPrefix(h.Name, "blobs/") {
			tail = append(tail, struct {
				h *tar.Header
				b []byte
			}{h, b})
			continue
		}
		_ = w.WriteHeader(h)
		_, _ = w.Write(b)
	}
	for _, e := range tail {
		_ = w.WriteHeader(e.h)
		_, _ = w.Write(e.b)
	}
	_ = w.Close()
	cut := filepath.Join(t.TempDir(), "cut.tar")
	if err := os.WriteFile(cut, out.Bytes()[:out.Len()-600_000], 0o600); err != nil {
		t.Fatal(err)
	}
	r := scanFile(t, scanner(t), cut)
	find(t, r, "libssl3")
	find(t, r, "left")
	if len(r.Unread) != 1 || !strings.Contains(r.Unread[0].Reason, "unexpected EOF") {
		t.Errorf("unread %v", r.Unread)
	}
}

// TestGoProgram builds real programs: as they come, and stripped of the build ID.
func TestGoProgram(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"go.mod": "module example.com/tool\n\ngo 1.26\n", "main.go": "package main\n\nfunc main() { println(\"hello\") }\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, build := range map[string]struct {
		goos string
		args []string
	}{"linux": {"linux", nil}, "stripped": {"linux", []string{"-ldflags=-s -w -buildid="}}, "pie": {"linux", []string{"-buildmode=pie"}}, "windows": {"windows", nil}, "darwin": {"darwin", nil}} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(dir, name+".bin")
			cmd := exec.Command("go", append(append([]string{"build", "-o", out}, build.args...), ".")...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "GOOS="+build.goos, "CGO_ENABLED=0", "GOFLAGS=", "GOTOOLCHAIN=local", "GOPROXY=off", "GOWORK=off")
			if msg, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, msg)
			}
			data, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			r := scanFile(t, scanner(t), save(t, layerTar(t, file{name: "usr/bin/tool", body: string(data), mode: 0o755})))
			if p := find(t, r, "stdlib"); !strings.HasPrefix(p.Version, "1.") || p.Path != "/usr/bin/tool" || p.Ecosystem != "Go" {
				t.Errorf("got %+v", p)
			}
			find(t, r, "example.com/tool")
			if len(r.Unread) > 0 {
				t.Errorf("unread %v", r.Unread)
			}
		})
	}
}

func TestProgramsThatOnlyLookLikeGo(t *testing.T) {
	elf := make([]byte, 200_000)
	copy(elf, smallELF(bytes.Repeat([]byte("\xff Go buildinf:\x08\x02"), 64)))
	for _, body := range []string{string(elf), "\x7fELF" + strings.Repeat("\xff", 200_000), "MZ" + strings.Repeat("\xff Go buildinf:\x08\x02", 20_000)} {
		r := scanFile(t, scanner(t), save(t, layerTar(t, file{name: "bin/x", body: body, mode: 0o755})))
		if len(r.Packages) != 0 {
			t.Errorf("packages %v", r.Packages)
		}
	}
}
