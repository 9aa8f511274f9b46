package e2e

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/triad-security/triad/build/malware/clamtest"
	"github.com/triad-security/triad/build/registry/registrytest"
	"github.com/triad-security/triad/build/trust/cosigntest"
	"github.com/triad-security/triad/deploy/docker/enginetest"
)

const (
	builtBase = "registry.example.com/base/debian:12"
	log4jCVE  = "CVE-2021-44228"
	lodashCVE = "CVE-2019-10744"
)

// debian is a tree of Debian 12 as debootstrap makes it, kept in the user's cache: making it
// takes a minute.
func debian(t *testing.T) []byte {
	t.Helper()
	if _, err := exec.LookPath("debootstrap"); err != nil || os.Getuid() != 0 {
		t.Skip("a Debian base image needs debootstrap and root")
	}
	cache, err := os.UserCacheDir()
	must(t, err)
	path := filepath.Join(cache, "triad", "debian-12-minbase.tar")
	if data, err := os.ReadFile(path); err == nil {
		return data
	}
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	root := t.TempDir()
	if out, err := exec.Command("debootstrap", "--variant=minbase", "bookworm", root).CombinedOutput(); err != nil {
		t.Skipf("debootstrap: %v\n%s", err, out[max(0, len(out)-2000):])
	}
	out, err := exec.Command("tar", "--numeric-owner", "--exclude=./proc/*", "--exclude=./sys/*", "--exclude=./dev/*",
		"--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*", "-C", root, "-cf", path+".new", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	must(t, os.Rename(path+".new", path))
	data, err := os.ReadFile(path)
	must(t, err)
	return data
}

// vulnerableApp is what a team builds on the base: five things wrong with it, each brought by
// a line of its own.
func vulnerableApp(t *testing.T) map[string][]byte {
	return map[string][]byte{
		"Dockerfile": []byte("FROM " + builtBase + `
COPY log4j-core-2.14.1.jar /app/lib/
COPY lodash.json /app/node_modules/lodash/package.json
COPY server /app/server
COPY deploy.pem /app/deploy.pem
COPY sample.bin /app/sample.bin
ENTRYPOINT ["/app/server"]
`),
		"log4j-core-2.14.1.jar": jar(t, "2.14.1"),
		"lodash.json":           []byte(`{"name":"lodash","version":"4.17.11"}`),
		"server":                goProgram(t, vulnerableVersion),
		"deploy.pem":            privateKey(t),
		"sample.bin":            []byte(clamtest.EICAR()),
	}
}

// fixedApp is the same after the work.
func fixedApp(t *testing.T) map[string][]byte {
	return map[string][]byte{
		"Dockerfile": []byte("FROM " + builtBase + `
COPY log4j-core-2.17.1.jar /app/lib/
COPY lodash.json /app/node_modules/lodash/package.json
COPY server /app/server
USER 65532
ENTRYPOINT ["/app/server"]
`),
		"log4j-core-2.17.1.jar": jar(t, "2.17.1"),
		"lodash.json":           []byte(`{"name":"lodash","version":"4.17.21"}`),
		"server":                goProgram(t, fixedVersion),
	}
}

// jar has the metadata that Maven puts into one.
func jar(t *testing.T, version string) []byte {
	return zipOf(t, map[string]string{
		"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\nImplementation-Title: log4j-core\nImplementation-Version: " + version + "\n",
		"META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties": "groupId=org.apache.logging.log4j\nartifactId=log4j-core\nversion=" + version + "\n",
	})
}

func privateKey(t *testing.T) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// buildImage builds a context with the engine and pushes what came of it. The engine lives in
// a network of its own, so the image goes by way of `docker save`.
func buildImage(t *testing.T, socket, reference string, files map[string][]byte) {
	t.Helper()
	var context bytes.Buffer
	w := tar.NewWriter(&context)
	for path, data := range files {
		mode := int64(0o644)
		if path == "server" {
			mode = 0o755
		}
		must(t, w.WriteHeader(&tar.Header{Name: path, Mode: mode, Size: int64(len(data)), Typeflag: tar.TypeReg}))
		_, err := w.Write(data)
		must(t, err)
	}
	must(t, w.Close())
	out := enginetest.Call(t, socket, "POST", "/build?t=built:latest&nocache=1", "application/x-tar", context.Bytes())
	if !bytes.Contains(out, []byte("Successfully tagged")) {
		t.Fatalf("docker build: %s", out)
	}
	archive := filepath.Join(t.TempDir(), "image.tar")
	must(t, os.WriteFile(archive, enginetest.Call(t, socket, "GET", "/images/built:latest/get", "", nil), 0o600))
	image, err := tarball.ImageFromPath(archive, nil)
	must(t, err)
	ref, err := name.ParseReference(reference)
	must(t, err)
	must(t, remote.Write(ref, image))
}

// status runs the program and returns its exit status with all that it printed.
func status(t *testing.T, bin string, args ...string) (int, string) {
	t.Helper()
	out, err := exec.Command(bin, args...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), string(out)
	}
	must(t, err)
	return 0, string(out)
}

func TestWhatIsBadIsRefusedAndWhatIsFixedIsPromotedSignedAndVerified(t *testing.T) {
	bin, base := program(t), debian(t)
	vulnerable, fixed := vulnerableApp(t), fixedApp(t)
	clamd, registry, socket := clamtest.Start(t), registrytest.Start(t), enginetest.Start(t)
	enginetest.Call(t, socket, "POST", "/images/create?fromSrc=-&repo=registry.example.com/base/debian&tag=12", "application/x-tar", base)
	build, official := registry+"/build/web", registry+"/official/web"
	buildImage(t, socket, build+":1", vulnerable)

	dir := t.TempDir()
	t.Setenv("TRIAD_DATA", filepath.Join(dir, "data"))
	t.Setenv("TRIAD_CACHE_DIR", filepath.Join(dir, "cache"))
	run(t, bin, "db", "import", advisoryFolder(t, map[string]any{
		"Maven": osvRecord(log4jCVE, "Maven", "org.apache.logging.log4j:log4j-core", map[string]any{
			"type": "ECOSYSTEM", "events": []any{map[string]string{"introduced": "2.0"}, map[string]string{"fixed": "2.15.0"}},
		}),
		"npm": osvRecord(lodashCVE, "npm", "lodash", map[string]any{
			"type": "SEMVER", "events": []any{map[string]string{"introduced": "0"}, map[string]string{"fixed": "4.17.12"}},
		}),
		// The base is compared with a record of its own release, and is not affected.
		"Debian": osvRecord("CVE-2099-0002", "Debian:12", "tzdata", map[string]any{
			"type": "ECOSYSTEM", "events": []any{map[string]string{"introduced": "0"}, map[string]string{"fixed": "2000a-1"}},
		}),
	}))
	dockerfile := filepath.Join(dir, "Dockerfile")
	must(t, os.WriteFile(dockerfile, vulnerable["Dockerfile"], 0o600))

	t.Run("found, each with the line that brought it", func(t *testing.T) {
		type vulnerability struct{ ID, Fixed, Step, Dockerfile string }
		type finding struct{ ID, Path, Step string }
		var scan struct {
			Vulnerabilities  []vulnerability
			Secrets, Malware []finding
			Packages         []struct{ Name string }
		}
		out := run(t, bin, "scan", "image", build+":1", "--clamd", clamd, "--dockerfile", dockerfile, "--format", "json")
		must(t, json.Unmarshal(out, &scan))
		for cve, line := range map[string]string{log4jCVE: ":2", lodashCVE: ":3", libraryCVE: ":4"} {
			i := slices.IndexFunc(scan.Vulnerabilities, func(v vulnerability) bool { return v.ID == cve })
			if i < 0 || scan.Vulnerabilities[i].Fixed == "" || !strings.Contains(scan.Vulnerabilities[i].Step, "COPY") || !strings.HasSuffix(scan.Vulnerabilities[i].Dockerfile, "Dockerfile"+line) {
				t.Errorf("%s of line%s: %+v", cve, line, scan.Vulnerabilities)
			}
		}
		if i := slices.IndexFunc(scan.Secrets, func(f finding) bool { return f.Path == "/app/deploy.pem" }); i < 0 {
			t.Errorf("the key is not among %+v", scan.Secrets)
		}
		if i := slices.IndexFunc(scan.Malware, func(f finding) bool { return f.Path == "/app/sample.bin" }); i < 0 {
			t.Errorf("the malware is not among %+v", scan.Malware)
		}
		if len(scan.Packages) < 60 {
			t.Errorf("%d packages of a Debian image", len(scan.Packages))
		}
		key := strings.Split(string(vulnerable["deploy.pem"]), "\n")[1]
		if bytes.Contains(out, []byte(key)) {
			t.Error("the key itself is in the result")
		}
		_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				if data, err := os.ReadFile(path); err == nil && bytes.Contains(data, []byte(key)) {
					t.Errorf("the key itself is in %s", path)
				}
			}
			return nil
		})
	})
	if code, out := status(t, bin, "gate", build+":1", "--clamd", clamd, "--require", "malware"); code != 2 || !strings.Contains(out, "no-malware") || !strings.Contains(out, "no-secrets") {
		t.Errorf("the gate ended with %d:\n%s", code, out)
	}
	if code, out := status(t, bin, "gate", build+":1", "--clamd", "unix://"+filepath.Join(dir, "nobody.sock"), "--require", "malware"); code != 2 || !strings.Contains(out, "malware") {
		t.Errorf("without an engine the gate ended with %d:\n%s", code, out)
	}
	signing := cosigntest.New(t)
	run(t, bin, "trust", "keygen", filepath.Join(dir, "release"), "--no-password")
	key, public := filepath.Join(dir, "release.key"), filepath.Join(dir, "release.pub")
	promote := func(from, to string) (int, string) {
		return status(t, bin, "trust", "promote", from, to, "--key", key, "--clamd", clamd, "--require", "malware,secrets")
	}
	if code, out := promote(build+":1", official+":1.0"); code != 2 {
		t.Errorf("promoting what is bad ended with %d:\n%s", code, out)
	}
	if ref, err := name.NewRepository(official); err == nil {
		if tags, err := remote.List(ref); err == nil && len(tags) > 0 {
			t.Errorf("a refusal left %v in the official registry", tags)
		}
	}

	buildImage(t, socket, build+":2", fixed)
	if code, out := status(t, bin, "gate", build+":2", "--clamd", clamd, "--require", "malware,secrets"); code != 0 {
		t.Fatalf("the fixed image is refused with %d:\n%s", code, out)
	}
	if code, out := promote(build+":2", official+":1.0"); code != 0 {
		t.Fatalf("promoting what is fixed ended with %d:\n%s", code, out)
	}
	if code, out := status(t, bin, "trust", "verify", official+":1.0", "--key", public, "--attestation", "sbom,vuln"); code != 0 {
		t.Errorf("verify ended with %d:\n%s", code, out)
	}
	if code, out := status(t, bin, "trust", "verify", build+":1", "--key", public); code != 2 {
		t.Errorf("verifying what nobody signed ended with %d:\n%s", code, out)
	}
	signing.Must("verify", "--key", public, "--insecure-ignore-tlog", official+":1.0")
}
