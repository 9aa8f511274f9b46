package scan

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sourceTree writes files below a folder.
func sourceTree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func scanDir(t testing.TB, files map[string]string) *Result {
	t.Helper()
	r, err := scanner(t).Dir(context.Background(), sourceTree(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// purls are the packages of a result with their places.
func purls(r *Result) string {
	var out []string
	for _, p := range r.Packages {
		s := p.PURL + " " + p.Path
		if p.Dev {
			s += " dev"
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

const (
	cargoLock = "version = 3\n\n[[package]]\nname = \"time\"\nversion = \"0.1.42\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n"
	gemLock   = "GEM\n  remote: https://gems.example.com/\n  specs:\n    rack (2.2.3)\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  rack\n\nBUNDLED WITH\n   2.4.1\n"
	npmLock1  = `{"name":"app","version":"1.0.0","lockfileVersion":1,"dependencies":{"lodash":{"version":"4.17.20"},"mocha":{"version":"8.0.0","dev":true}}}`
	npmLock2  = `{"name":"app","version":"1.0.0","lockfileVersion":2,"packages":{"":{"name":"app","version":"1.0.0"},"node_modules/lodash":{"version":"4.17.20"},"node_modules/@babel/core":{"version":"7.0.0","dev":true}},"dependencies":{"lodash":{"version":"4.17.20"},"@babel/core":{"version":"7.0.0","dev":true}}}`
	npmLock3  = `{"name":"app","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"app","version":"1.0.0"},"node_modules/lodash":{"version":"4.17.20"},"node_modules/a/node_modules/lodash":{"version":"3.0.0"}}}`
	yarnLock1 = "# yarn lockfile v1\n\n\nlodash@^4.17.0:\n  version \"4.17.20\"\n  resolved \"https://registry.yarnpkg.com/lodash/-/lodash-4.17.20.tgz#b4\"\n"
	yarnBerry = "__metadata:\n  version: 6\n\n\"lodash@npm:^4.17.0\":\n  version: 4.17.20\n  resolution: \"lodash@npm:4.17.20\"\n  languageName: node\n  linkType: hard\n\n\"app@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"app@workspace:.\"\n  languageName: unknown\n  linkType: soft\n"
	pnpmLock  = "lockfileVersion: '6.0'\n\npackages:\n\n  /lodash@4.17.20:\n    resolution: {integrity: sha512-x}\n    dev: false\n\n  /mocha@8.0.0:\n    resolution: {integrity: sha512-x}\n    dev: true\n"
	bunLock   = "{\n  \"lockfileVersion\": 0,\n  \"workspaces\": {\"\": {\"name\": \"app\", \"dependencies\": {\"lodash\": \"^4.17.0\",},},},\n  \"packages\": {\n    \"lodash\": [\"lodash@4.17.20\", \"\", {}, \"sha512-x\"],\n  }\n}\n"
	poetry    = "[[package]]\nname = \"PyYAML\"\nversion = \"5.3\"\ndescription = \"\"\noptional = false\npython-versions = \"*\"\n\n[metadata]\nlock-version = \"2.0\"\n"
	uvLock    = "version = 1\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\nsource = { virtual = \".\" }\ndependencies = [{ name = \"pyyaml\" }]\n\n[[package]]\nname = \"pyyaml\"\nversion = \"5.3\"\nsource = { registry = \"https://packages.example.com/simple\" }\n"
	pdmLock   = "[metadata]\ngroups = [\"default\"]\n\n[[package]]\nname = \"pyyaml\"\nversion = \"5.3\"\ngroups = [\"default\"]\n"
	composer  = `{"packages":[{"name":"guzzlehttp/psr7","version":"1.8.3","dist":{"type":"zip","url":"","reference":"a"}}],"packages-dev":[{"name":"phpunit/phpunit","version":"8.0.0","dist":{"type":"zip","url":"","reference":"b"}}]}`
	pom       = `<project><modelVersion>4.0.0</modelVersion><groupId>g</groupId><artifactId>app</artifactId><version>1</version><properties><log4j>2.14.1</log4j></properties><dependencies><dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>${log4j}</version></dependency><dependency><groupId>junit</groupId><artifactId>junit</artifactId><version>4.12</version><scope>test</scope></dependency></dependencies></project>`
	verify    = `<?xml version="1.0"?><verification-metadata xmlns="https://schema.gradle.org/dependency-verification"><components><component group="org.apache.logging.log4j" name="log4j-core" version="2.14.1"/></components></verification-metadata>`
)

func TestLockFilesOfSourceTrees(t *testing.T) {
	tests := []struct{ name, file, body, want string }{
		{"Cargo", "Cargo.lock", cargoLock, "pkg:cargo/time@0.1.42"},
		{"Bundler", "Gemfile.lock", gemLock, "pkg:gem/rack@2.2.3"},
		{"npm, version 1", "package-lock.json", npmLock1, "pkg:npm/lodash@4.17.20\npkg:npm/mocha@8.0.0 dev"},
		{"npm, version 2", "package-lock.json", npmLock2, "pkg:npm/%40babel/core@7.0.0 dev\npkg:npm/lodash@4.17.20"},
		{"npm, version 3, one package twice", "package-lock.json", npmLock3, "pkg:npm/lodash@3.0.0\npkg:npm/lodash@4.17.20"},
		{"npm's shrinkwrap", "npm-shrinkwrap.json", npmLock1, "pkg:npm/lodash@4.17.20\npkg:npm/mocha@8.0.0 dev"},
		{"Yarn 1", "yarn.lock", yarnLock1, "pkg:npm/lodash@4.17.20"},
		{"Yarn since 2", "yarn.lock", yarnBerry, "pkg:npm/lodash@4.17.20"},
		{"pnpm", "pnpm-lock.yaml", pnpmLock, "pkg:npm/lodash@4.17.20\npkg:npm/mocha@8.0.0 dev"},
		{"Bun", "bun.lock", bunLock, "pkg:npm/lodash@4.17.20"},
		{"requirements, pinned", "requirements-prod.txt", "# tools\nPyYAML==5.3 --hash=sha256:aa\n", "pkg:pypi/pyyaml@5.3"},
		{"Poetry", "poetry.lock", poetry, "pkg:pypi/pyyaml@5.3"},
		{"Pipenv", "Pipfile.lock", `{"default":{"pyyaml":{"version":"==5.3"}},"develop":{"pytest":{"version":"==6.0"}}}`, "pkg:pypi/pytest@6.0 dev\npkg:pypi/pyyaml@5.3"},
		{"uv", "uv.lock", uvLock, "pkg:pypi/pyyaml@5.3"},
		{"PDM", "pdm.lock", pdmLock, "pkg:pypi/pyyaml@5.3"},
		{"Composer", "composer.lock", composer, "pkg:composer/guzzlehttp/psr7@1.8.3\npkg:composer/phpunit/phpunit@8.0.0 dev"},
		{"NuGet", "packages.lock.json", `{"version":1,"dependencies":{"net8.0":{"Newtonsoft.Json":{"type":"Direct","requested":"[12.0.1, )","resolved":"12.0.1"}}}}`, "pkg:nuget/Newtonsoft.Json@12.0.1"},
		{"NuGet before", "packages.config", `<?xml version="1.0"?><packages><package id="Newtonsoft.Json" version="12.0.1" targetFramework="net46"/></packages>`, "pkg:nuget/Newtonsoft.Json@12.0.1"},
		{"Mix", "mix.lock", "%{\n  \"plug\": {:hex, :plug, \"1.10.0\", \"6508295cbeb4c654860845fb95260737e4a8838d34d115ad76cd487584e2fc4d\", [:mix], [], \"hexpm\", \"422a9727e667be1bf5ab1de03be6fa0ad67b775b2d84ed908f3264415ef29d4a\"},\n}\n", "pkg:hex/plug@1.10.0"},
		{"Pub", "pubspec.lock", "packages:\n  http:\n    dependency: \"direct main\"\n    source: hosted\n    version: \"0.13.2\"\n", "pkg:pub/http@0.13.2"},
		{"Stack", "stack.yaml.lock", "packages:\n- completed:\n    hackage: aeson-1.5.6.0@sha256:aa,1\n  original:\n    hackage: aeson-1.5.6.0\n", "pkg:hackage/aeson@1.5.6.0"},
		{"renv", "renv.lock", `{"R":{"Version":"4.0"},"Packages":{"commonmark":{"Package":"commonmark","Version":"1.7","Source":"Repository","Repository":"CRAN"}}}`, "pkg:cran/commonmark@1.7"},
		{"Conan", "conan.lock", `{"version":"0.5","requires":["zlib/1.2.11#aa%1"],"build_requires":["cmake/3.0#bb%1"],"python_requires":[]}`, "pkg:conan/cmake@3.0 dev\npkg:conan/zlib@1.2.11"},
		{"Swift", "Package.resolved", `{"version":2,"pins":[{"identity":"swift-nio","location":"https://github.com/apple/swift-nio.git","state":{"version":"2.40.0"}}]}`, "pkg:swift/github.com/apple/swift-nio@2.40.0"},
		{"Go, with its standard library", "go.mod", "module example.com/app\n\ngo 1.22.1\n\nrequire golang.org/x/text v0.3.0\n", "pkg:golang/golang.org/x/text@v0.3.0\npkg:golang/stdlib@1.22.1"},
		{"Maven, with properties", "pom.xml", pom, "pkg:maven/junit/junit@4.12 dev\npkg:maven/org.apache.logging.log4j/log4j-core@2.14.1"},
		{"Gradle", "gradle.lockfile", "# lock\norg.apache.logging.log4j:log4j-core:2.14.1=compileClasspath\nempty=\n", "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1"},
		{"Gradle's verification", "gradle/verification-metadata.xml", verify, "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := scanDir(t, map[string]string{"sub/" + test.file: test.body})
			got := strings.ReplaceAll(purls(r), " sub/"+test.file, "")
			if got != test.want || len(r.Unread) > 0 {
				t.Errorf("got\n%s\nwant\n%s\nunread %v", got, test.want, r.Unread)
			}
			for _, p := range r.Packages {
				if p.Ecosystem == "" || p.Owner != "" {
					t.Errorf("%+v", p)
				}
			}
		})
	}
}

func TestLockFilesThatAreNoEvidenceOfWhatIsInstalled(t *testing.T) {
	files := []file{
		{name: "app/package-lock.json", body: npmLock1},
		{name: "usr/lib/node_modules/a/yarn.lock", body: yarnLock1},
		{name: "src/go.mod", body: "module a\n\ngo 1.20\n"},
	}
	if r := scanFile(t, scanner(t), save(t, layerTar(t, files...))); len(r.Packages) != 0 || len(r.Unread) != 0 {
		t.Errorf("in an image: %v, unread %v", purls(r), r.Unread)
	}
	tree := map[string]string{"package-lock.json": npmLock1, "node_modules/lodash/package.json": `{"name":"lodash","version":"4.17.20"}`, "node_modules/a/yarn.lock": "lodash@^3:\n  version \"3.0.0\"\n"}
	if r := scanDir(t, tree); strings.Contains(purls(r), "3.0.0") {
		t.Errorf("below node_modules: %s", purls(r))
	}
	tree["etc/os-release"] = "ID=debian\nVERSION_ID=12\n"
	if r := scanDir(t, tree); purls(r) != "pkg:npm/lodash@4.17.20 node_modules/lodash/package.json" {
		t.Errorf("below a machine's root: %s", purls(r))
	}
}

func TestLockFilesThatCannotBeParsedAreUnread(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 200_000)
	for name, body := range map[string]string{
		"package-lock.json": `{"dependencies":`, "Cargo.lock": "[[package", "pnpm-lock.yaml": "a: [", "poetry.lock": "]]", "composer.lock": "{", "go.mod": "require (",
		"pom.xml": "<project><depend", "packages.lock.json": deep, "Pipfile.lock": deep, "bun.lock": deep, "yarn.lock": "\x00\x01", "Gemfile.lock": "nonsense",
		"requirements.txt": "django>=2\nflask\n", "uv.lock": "version = 1\npackage = 3\n", "mix.lock": "not a lock", "renv.lock": "[]", "conan.lock": "[]", "Package.resolved": "3",
		"node_modules/a/package.json": "{", "vendor/composer/installed.json": "{",
	} {
		r := scanDir(t, map[string]string{name: body})
		if len(r.Unread) == 0 {
			t.Errorf("%s: not said; packages %s", name, purls(r))
		}
	}
}

func TestWhatALockFileNamesIsNotListedAgainAsInstalled(t *testing.T) {
	r := scanDir(t, map[string]string{
		"app/package-lock.json":                  npmLock1,
		"app/node_modules/lodash/package.json":   `{"name":"lodash","version":"4.17.20"}`,
		"app/node_modules/mocha/package.json":    `{"name":"mocha","version":"9.9.9"}`,
		"app/vendor/composer/installed.json":     `{"packages":[{"name":"a/b","version":"1.0.0"}],"dev-package-names":["a/b"]}`,
		"other/node_modules/lodash/package.json": `{"name":"lodash","version":"4.17.20"}`,
	})
	want := `pkg:composer/a/b@1.0.0 app/vendor/composer/installed.json dev
pkg:npm/lodash@4.17.20 app/package-lock.json
pkg:npm/lodash@4.17.20 other/node_modules/lodash/package.json
pkg:npm/mocha@8.0.0 app/package-lock.json dev
pkg:npm/mocha@9.9.9 app/node_modules/mocha/package.json`
	if got := purls(r); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWhatIsInstalledInImagesOfOtherLanguages(t *testing.T) {
	r := scanFile(t, scanner(t), save(t, layerTar(t,
		file{name: "usr/local/bundle/specifications/rack-2.2.3.gemspec", body: "# -*- encoding: utf-8 -*-\n# stub: rack 2.2.3 ruby lib\n\nGem::Specification.new do |s|\n  s.name = \"rack\".freeze\n  s.version = \"2.2.3\"\nend\n"},
		file{name: "usr/local/bundle/gems/rack-2.2.3/rack.gemspec", body: "Gem::Specification.new do |s|\n  s.name = \"rack\"\n  s.version = File.read(\"VERSION\")\nend\n"},
		file{name: "app/vendor/composer/installed.json", body: `[{"name":"guzzlehttp/psr7","version":"1.8.3"}]`},
		file{name: "app/shop.deps.json", body: `{"libraries":{"shop/1.0.0":{"type":"project"},"Newtonsoft.Json/12.0.1":{"type":"package"},"runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/6.0.1":{"type":"runtimepack"}}}`},
		file{name: "app/Newtonsoft.Json.dll", body: "MZ"},
		file{name: "usr/local/bundle/gems/rack-2.2.3/lib/rack.rb", body: "x"},
	)))
	want := `pkg:composer/guzzlehttp/psr7@1.8.3 /app/vendor/composer/installed.json
pkg:gem/rack@2.2.3 /usr/local/bundle/specifications/rack-2.2.3.gemspec
pkg:nuget/Microsoft.NETCore.App.Runtime.linux-x64@6.0.1 /app/shop.deps.json
pkg:nuget/Newtonsoft.Json@12.0.1 /app/shop.deps.json`
	if got := purls(r); got != want || len(r.Unread) > 0 {
		t.Errorf("got\n%s\nwant\n%s\nunread %v", got, want, r.Unread)
	}
	for name, file := range map[string]string{"Newtonsoft.Json": "/app/Newtonsoft.Json.dll", "rack": "/usr/local/bundle/gems/rack-2.2.3"} {
		if p := find(t, r, name); strings.Join(p.Files, " ") != file {
			t.Errorf("%s: files %v", name, p.Files)
		}
	}
}
