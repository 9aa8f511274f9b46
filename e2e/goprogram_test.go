package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// library is a module that the test publishes in a folder of its own, so that the Go command
// puts a real module version into the programs that use it.
const library = "example.com/triad/parse"

// libraryVersions: the first has the vulnerability of advisoryFolder, the second its fix.
const (
	vulnerableVersion = "v1.2.3"
	fixedVersion      = "v1.3.0"
	libraryCVE        = "CVE-2099-0001"
)

// goProgram builds the enginetest program around one version of the library. It listens,
// and starts children, as its arguments say; see enginetest/testdata/listen.
func goProgram(t *testing.T, version string) []byte {
	t.Helper()
	proxy, src := moduleProxy(t), t.TempDir()
	listen, err := os.ReadFile(filepath.Join("..", "deploy", "docker", "enginetest", "testdata", "listen", "main.go"))
	must(t, err)
	out := filepath.Join(src, "program")
	for name, text := range map[string]string{
		"main.go": string(listen),
		"use.go":  "package main\n\nimport _ \"" + library + "\"\n",
		"go.mod":  "module example.com/triad/program\n\ngo 1.24\n\nrequire " + library + " " + version + "\n",
	} {
		must(t, os.WriteFile(filepath.Join(src, name), []byte(text), 0o644))
	}
	cmd := exec.Command("go", "build", "-mod=mod", "-modcacherw", "-trimpath", "-o", out, ".")
	cmd.Dir = src
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=", "GOTOOLCHAIN=local", "GOPROXY=file://"+proxy,
		"GONOPROXY=none", "GOPRIVATE=", "GOSUMDB=off", "GOMODCACHE="+filepath.Join(src, "modules"))
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building a program with %s %s: %v\n%s", library, version, err, text)
	}
	data, err := os.ReadFile(out)
	must(t, err)
	return data
}

// moduleProxy writes both versions of the library in the layout of the Go module proxy
// protocol (https://go.dev/ref/mod#goproxy-protocol).
func moduleProxy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	at := filepath.Join(dir, filepath.FromSlash(library), "@v")
	must(t, os.MkdirAll(at, 0o755))
	mod := "module " + library + "\n\ngo 1.24\n"
	for _, version := range []string{vulnerableVersion, fixedVersion} {
		archive := zipOf(t, map[string]string{
			library + "@" + version + "/go.mod":   mod,
			library + "@" + version + "/parse.go": "// Package parse is " + version + ".\npackage parse\n",
		})
		for name, data := range map[string][]byte{
			".info": []byte(`{"Version":"` + version + `","Time":"2024-01-01T00:00:00Z"}`), ".mod": []byte(mod), ".zip": archive,
		} {
			must(t, os.WriteFile(filepath.Join(at, version+name), data, 0o644))
		}
	}
	must(t, os.WriteFile(filepath.Join(at, "list"), []byte(vulnerableVersion+"\n"+fixedVersion+"\n"), 0o644))
	return dir
}

// advisoryFolder writes OSV records as the OSV.dev bucket has them: the Go one names the
// library's vulnerable versions; more are added as they are, by ecosystem.
func advisoryFolder(t *testing.T, more map[string]any) string {
	t.Helper()
	records := map[string]any{"Go": osvRecord(libraryCVE, "Go", library, map[string]any{
		"type": "SEMVER", "events": []any{map[string]string{"introduced": "0"}, map[string]string{"fixed": fixedVersion[1:]}},
	})}
	for ecosystem, record := range more {
		records[ecosystem] = record
	}
	dir := t.TempDir()
	for ecosystem, record := range records {
		data, err := json.Marshal(record)
		must(t, err)
		id := record.(map[string]any)["id"].(string)
		must(t, os.MkdirAll(filepath.Join(dir, ecosystem), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, ecosystem, "all.zip"), zipOf(t, map[string]string{id + ".json": string(data)}), 0o644))
	}
	return dir
}

// osvRecord is a record of the OSV schema (https://ossf.github.io/osv-schema/) for one range.
func osvRecord(cve, ecosystem, name string, versions map[string]any) map[string]any {
	return map[string]any{
		"schema_version": "1.7.0", "id": "TEST-" + cve, "modified": "2024-01-02T00:00:00Z", "published": "2024-01-02T00:00:00Z",
		"aliases": []string{cve}, "summary": "a request with a long header runs what it holds",
		"severity": []any{map[string]string{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}},
		"affected": []any{map[string]any{
			"package": map[string]string{"ecosystem": ecosystem, "name": name}, "ranges": []any{versions},
		}},
	}
}

func zipOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range files {
		f, err := w.Create(name)
		must(t, err)
		_, err = f.Write([]byte(text))
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}
