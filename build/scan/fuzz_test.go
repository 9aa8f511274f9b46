package scan

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/triad-security/triad/build/image"
)

// look hands bytes to the reader that a file's name asks for, as a layer would.
func look(t *testing.T, name string, data []byte) *evidence {
	t.Helper()
	a := &analyser{ctx: context.Background(), spool: t.TempDir(), locks: true}
	f := &image.File{Name: name, Size: int64(len(data)), Mode: 0o755, Reader: struct{ *strings.Reader }{strings.NewReader(string(data))}}
	e, _ := a.look(f)
	if left, _ := os.ReadDir(a.spool); len(left) > 0 {
		t.Fatalf("left in the spool: %v", left)
	}
	if e != nil {
		for _, p := range e.Packages {
			if p.Name == "" {
				t.Fatalf("a package without a name of %s: %+v", name, p)
			}
		}
	}
	return e
}

// testData is a file of osv-scalibr's, nil where the module cache has none.
func testData(name string) []byte {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/osv-scalibr").Output()
	if err != nil {
		return nil
	}
	data, _ := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "extractor/filesystem", name))
	return data
}

func FuzzRpmDatabase(f *testing.F) {
	names := []string{"var/lib/rpm/Packages", "var/lib/rpm/Packages.db", "var/lib/rpm/rpmdb.sqlite"}
	for i, name := range names {
		if data := testData("os/rpm/testdata/" + filepath.Base(name)); len(data) < 4<<20 {
			f.Add(uint8(i), data)
		}
		f.Add(uint8(i), []byte("RpmP\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00"))
	}
	f.Add(uint8(2), []byte("SQLite format 3\x00"))
	f.Fuzz(func(t *testing.T, which uint8, data []byte) { look(t, names[int(which)%len(names)], data) })
}

func FuzzJar(f *testing.F) {
	f.Add([]byte(zipOf(f, map[string]string{"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\nBundle-SymbolicName: a.b\nBundle-Version: 1\n\n"})))
	inner := zipOf(f, map[string]string{"META-INF/maven/g/a/pom.properties": pomProperties("g", "a", "1")})
	f.Add([]byte(zipOf(f, map[string]string{"BOOT-INF/lib/a-1.jar": inner, "META-INF/maven/g/b/pom.properties": pomProperties("g", "b", "2")})))
	f.Add([]byte(overlapping(f, func(int) string { return "a.jar" }, 3, inner)))
	f.Fuzz(func(t *testing.T, data []byte) { look(t, "app/thing-1.0.jar", data) })
}

func FuzzProgram(f *testing.F) {
	f.Add([]byte(elfWith(300, packed(f, crates, 7))))
	f.Add(smallELF([]byte("\xff Go buildinf:\x08\x02" + strings.Repeat("\x00", 16) + "\x08go1.22.1\x00")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < minProgram {
			data = append(data, make([]byte, minProgram-len(data))...)
		}
		look(t, "bin/program", data)
		_ = goCodeOf(strings.NewReader(string(data)), int64(len(data)))
	})
}

func FuzzLockFile(f *testing.F) {
	files := []string{
		"package-lock.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "requirements.txt", "poetry.lock", "Pipfile.lock", "uv.lock", "pdm.lock", "pylock.toml",
		"Cargo.lock", "Gemfile.lock", "composer.lock", "packages.lock.json", "packages.config", "mix.lock", "pubspec.lock", "cabal.project.freeze", "stack.yaml.lock",
		"renv.lock", "Package.resolved", "conan.lock", "go.mod", "pom.xml", "gradle.lockfile", "gradle/verification-metadata.xml",
		"vendor/composer/installed.json", "app.deps.json", "specifications/a-1.gemspec", "a.dist-info/METADATA", "node_modules/a/package.json",
	}
	seeds := map[string]string{
		"package-lock.json": npmLock2, "yarn.lock": yarnLock1, "pnpm-lock.yaml": pnpmLock, "bun.lock": bunLock, "requirements.txt": "-r other.txt\na==1 \\\n --hash=x\n", "poetry.lock": poetry,
		"uv.lock": uvLock, "pdm.lock": pdmLock, "Cargo.lock": cargoLock, "Gemfile.lock": gemLock, "composer.lock": composer, "pom.xml": pom, "gradle/verification-metadata.xml": verify,
		"go.mod": "module a\n\ngo 1.2\n\nrequire a.b/c v1.0.0\n\nreplace a.b/c => ../c\n", "app.deps.json": `{"libraries":{"A/1":{"type":"package"}}}`,
		"vendor/composer/installed.json": `[{"name":"a/b","version":"1"}]`, "specifications/a-1.gemspec": "Gem::Specification.new do |s|\n  s.name = \"a\"\n  s.version = \"1\"\nend\n",
	}
	for i, name := range files {
		f.Add(uint8(i), []byte(seeds[name]))
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) { look(t, files[int(which)%len(files)], data) })
}
