package fix

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"pgregory.net/rapid"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/dockerfile"
	"github.com/triad-security/triad/build/origin"
)

// fake advisories: version ranges of one package, [from, to) by number.
type fakeAdvisories map[string][2]int

func (f fakeAdvisories) Match(_ context.Context, packages []triad.Package) (all []triad.Vulnerability, _ error) {
	for _, p := range packages {
		for id, r := range f {
			n := int(p.Version[0] - '0')
			if n >= r[0] && n < r[1] {
				v := triad.Vulnerability{ID: id, Package: p.Name, Version: p.Version, PURL: p.PURL, Path: p.Path, Severity: "high"}
				if r[1] < 9 {
					v.Fixed = string(rune('0'+r[1])) + ".0.0"
				}
				all = append(all, v)
			}
		}
	}
	return all, nil
}

func TestTheLowestVersionThatClearsMostIsAdvised(t *testing.T) {
	for _, test := range []struct {
		name                   string
		advisories             fakeAdvisories
		to                     string
		removes, leaves, bring int
		unfixed                int
	}{
		{"the lowest that clears all", fakeAdvisories{"A": {0, 2}, "B": {0, 3}}, "3.0.0", 2, 0, 0, 0},
		{"a later one brings its own", fakeAdvisories{"A": {0, 2}, "B": {0, 3}, "C": {3, 9}, "D": {3, 9}}, "2.0.0", 1, 1, 0, 0},
		{"one has no fix", fakeAdvisories{"A": {0, 2}, "B": {0, 9}}, "2.0.0", 1, 1, 0, 1},
		{"none has", fakeAdvisories{"A": {0, 9}}, "", 0, 0, 0, 1},
		{"what is gained is lost again", fakeAdvisories{"A": {0, 2}, "B": {2, 9}}, "", 0, 0, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := triad.Package{Name: "x", Version: "1.0.0", Ecosystem: "npm", PURL: "pkg:npm/x@1.0.0", Path: "/x"}
			found, _ := test.advisories.Match(context.Background(), []triad.Package{p})
			plan, err := Advise(context.Background(), []triad.Package{p}, found, test.advisories)
			if err != nil {
				t.Fatal(err)
			}
			if len(plan.Unfixed) != test.unfixed || len(plan.Packages) > 1 || (len(plan.Packages) == 0) != (test.to == "") {
				t.Fatalf("%+v", plan)
			}
			if test.to == "" {
				return
			}
			if b := plan.Packages[0]; b.To != test.to || len(b.Removes) != test.removes || len(b.Leaves) != test.leaves || len(b.Brings) != test.bring {
				t.Errorf("%+v", b)
			}
		})
	}
}

func TestOnlyImagesOfTheSameLineStandForTheBase(t *testing.T) {
	from := origin.Image{Name: "python:3.12.1-slim-bookworm", Digest: "a", Architecture: "amd64"}
	for name, want := range map[string]bool{
		"python:3.12.4-slim-bookworm": true, "python:3.13.0-slim-bookworm": true, "python:3.12.1-slim-bookworm": true,
		"python:3.9.1-slim-bookworm": false, "python:3.12.4": false, "python:3.12.4-alpine3.20": false, "evil/python:3.12.4-slim-bookworm": false, "python:latest": false,
	} {
		if got := SameLine(from, origin.Image{Name: name, Digest: "b", Architecture: "amd64"}); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if SameLine(from, origin.Image{Name: "python:3.12.4-slim-bookworm", Digest: "b", Architecture: "arm64"}) {
		t.Error("another architecture")
	}
	if !SameLine(origin.Image{Name: "alpine:3.9"}, origin.Image{Name: "alpine:3.10", Digest: "b"}) {
		t.Error("3.10 is not taken for later than 3.9")
	}
}

func file(t *testing.T, name, text string) *Patch {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	p, err := OpenPatch(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestADockerfileIsChangedWhereThePackageIsNamed(t *testing.T) {
	all := func(string) bool { return true }
	for _, test := range []struct {
		name, text string
		history    []string // of the layers
		bump       Bump
		layer      string
		has        func(string) bool
		user       string
		want       string // the changed file, or a part of why it was not
	}{
		{
			name: "apt, pinned, in a continued RUN with Windows' line ends", text: "FROM debian:12\r\nRUN apt-get install -y \\\r\n  curl=1 \\\r\n  wget\r\n",
			history: []string{"b", "RUN /bin/sh -c apt-get install -y   curl=1   wget # buildkit"}, layer: "1", bump: Bump{Package: "curl", Ecosystem: "Debian:12", To: "2"},
			want: "FROM debian:12\r\nRUN apt-get install -y \\\r\n  curl=2 \\\r\n  wget\r\n",
		},
		{
			name: "apt, another package's dependency", text: "FROM debian:12\nUSER app\nRUN apt-get install -y curl\nCMD [\"x\"]\n",
			history: []string{"b", "RUN /bin/sh -c apt-get install -y curl # buildkit"}, layer: "1", bump: Bump{Package: "libcurl4", Ecosystem: "Debian:12", To: "2"},
			want: "FROM debian:12\nUSER app\nRUN apt-get install -y curl\nUSER root\nRUN apt-get update && apt-get install -y --no-install-recommends --only-upgrade libcurl4=2 && rm -rf /var/lib/apt/lists/*\nUSER app\nCMD [\"x\"]\n",
		},
		{
			name: "apk of the base, which runs as somebody, at the end of a file without a line end", text: "FROM alpine:3.20\nCOPY a b",
			history: []string{"b", "COPY a b # buildkit"}, layer: "0", bump: Bump{Package: "openssl", Ecosystem: "Alpine:v3.20", To: "3.3-r1"}, user: "1000:1000",
			want: "FROM alpine:3.20\nUSER root\nRUN apk add --no-cache --upgrade 'openssl>=3.3-r1'\nUSER 1000:1000\nCOPY a b",
		},
		{
			name: "apk, without a version", text: "FROM alpine:3.20\nRUN apk add --no-cache curl jq",
			history: []string{"b", "RUN /bin/sh -c apk add --no-cache curl jq # buildkit"}, layer: "1", bump: Bump{Package: "curl", Ecosystem: "Alpine:v3.20", To: "8-r1"},
			want: "FROM alpine:3.20\nRUN apk add --no-cache 'curl>=8-r1' jq",
		},
		{
			name: "a here-document", text: "FROM fedora:42\nRUN <<EOF\nset -e\ndnf install -y curl-1.0-1.el9\nEOF\n",
			history: []string{"b", "RUN /bin/sh -c set -e\ndnf install -y curl-1.0-1.el9\n # buildkit"}, layer: "1", bump: Bump{Package: "curl", Ecosystem: "Rocky Linux:9", To: "1.0-2.el9"},
			want: "FROM fedora:42\nRUN <<EOF\nset -e\ndnf install -y curl-1.0-2.el9\nEOF\n",
		},
		{
			name: "pip, with extras and quotes", text: "FROM python:3\nRUN pip install \"Flask[async]>=2\" x\n",
			history: []string{"b", "RUN /bin/sh -c pip install \"Flask[async]>=2\" x # buildkit"}, layer: "1", bump: Bump{Package: "flask", Ecosystem: "PyPI", To: "3.1"},
			want: "FROM python:3\nRUN pip install \"Flask[async]==3.1\" x\n",
		},
		{
			name: "npm in the stage that it is copied from", text: "FROM node:24 AS build\nRUN npm install -g lodash@4.17.4\nFROM debian:12\nCOPY --from=build /usr /usr\n",
			history: []string{"b", "COPY /usr /usr # buildkit"}, layer: "1", bump: Bump{Package: "lodash", Ecosystem: "npm", To: "4.17.21"},
			want: "FROM node:24 AS build\nRUN npm install -g lodash@4.17.21\nFROM debian:12\nCOPY --from=build /usr /usr\n",
		},
		{
			name: "a version from a variable", text: "FROM debian:12\nARG V=1\nRUN apt-get install -y curl=$V\n",
			history: []string{"b", "RUN |1 V=1 /bin/sh -c apt-get install -y curl=$V # buildkit"}, layer: "1", bump: Bump{Package: "curl", Ecosystem: "Debian:12", To: "2"},
			want: "line 3 takes its version from $V",
		},
		{
			name: "an image without a package manager", text: "FROM distroless\nCOPY a b\n", has: func(string) bool { return false },
			history: []string{"b", "COPY a b # buildkit"}, layer: "0", bump: Bump{Package: "openssl", Ecosystem: "Debian:12", To: "2"},
			want: "no package manager",
		},
		{
			name: "numbered by its source package", text: "FROM debian:12\nCOPY a b\n",
			history: []string{"b", "COPY a b # buildkit"}, layer: "0", bump: Bump{Package: "libx", Ecosystem: "Debian:12", To: "2:1", Source: "x"},
			want: "FROM debian:12\nRUN apt-get update && apt-get install -y --no-install-recommends --only-upgrade libx && rm -rf /var/lib/apt/lists/*\nCOPY a b\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := file(t, "Dockerfile", test.text)
			f, err := dockerfile.Parse("Dockerfile", p.Data())
			if err != nil {
				t.Fatal(err)
			}
			var history []v1.History
			for _, by := range test.history {
				history = append(history, v1.History{CreatedBy: by})
			}
			if test.has == nil {
				test.has = all
			}
			test.bump.Layer = test.layer
			build := Build{File: f, Mapping: f.Map(history, len(history), ""), Layers: []string{"0", "1"}, Has: test.has, BaseUser: test.user}
			left := Dockerfile(p, build, nil, []Bump{test.bump})
			if len(left) > 0 {
				if p.Changed() || !strings.Contains(left[0].Reason, test.want) {
					t.Errorf("%+v", left)
				}
				return
			}
			if got := string(p.After()); got != test.want {
				t.Errorf("got\n%q\nwant\n%q", got, test.want)
			}
		})
	}
}

func TestTheBaseIsChangedByTagDigestOrArgument(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	for _, test := range []struct{ name, text, to, digest, want string }{
		{"a tag", "FROM debian:12.1 AS x\nRUN m\n", "debian:12.2", digest, "FROM debian:12.2 AS x\nRUN m\n"},
		{"a digest", "FROM debian:12.1@sha256:0\nRUN m\n", "debian:12.2", digest, "FROM debian:12.2@" + digest + "\nRUN m\n"},
		{"a digest that is not known", "FROM debian:12.1@sha256:0\nRUN m\n", "debian:12.2", "", "pinned by digest"},
		{"the same tag, built again", "FROM debian:12\nRUN m\n", "debian:12", "", "--pull"},
		{"an argument", "ARG V=12.1\nFROM debian:${V}\nRUN m\n", "debian:12.2", "", "ARG V=12.2\nFROM debian:${V}\nRUN m\n"},
		{"two arguments", "ARG V=12 W=1\nFROM debian:$V.$W\nRUN m\n", "debian:12.2", "", "put together of variables"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := file(t, "Dockerfile", test.text)
			f, err := dockerfile.Parse("Dockerfile", p.Data())
			if err != nil {
				t.Fatal(err)
			}
			history := []v1.History{{CreatedBy: "b"}, {CreatedBy: "RUN /bin/sh -c m # buildkit"}}
			left := Dockerfile(p, Build{File: f, Mapping: f.Map(history, 2, "")}, &BaseBump{To: test.to, Digest: test.digest}, nil)
			if got := string(p.After()); got != test.want && (len(left) == 0 || !strings.Contains(left[0].Reason, test.want)) {
				t.Errorf("got\n%s\n%+v", got, left)
			}
		})
	}
}

func TestManifestsAreChangedWhereTheyNameThePackage(t *testing.T) {
	const project = "<project><properties><log4j.version>2.14.1</log4j.version></properties><dependencies>\n<dependency><groupId>g</groupId><artifactId>other</artifactId><version>2.14.1</version></dependency>\n<dependency><groupId>org.x</groupId><artifactId>core</artifactId><version>VERSION</version><exclusions><exclusion><groupId>g</groupId><artifactId>a</artifactId></exclusion></exclusions></dependency></dependencies></project>\n"
	for _, test := range []struct {
		name, file, text string
		bump             Bump
		want             string
	}{
		{"requirements", "requirements.txt", "a==1\nFlask [async] == 2.0 ; python_version > '3'\n-r x\n", Bump{Package: "flask", Ecosystem: "PyPI", To: "3.1"}, "a==1\nFlask [async] == 3.1 ; python_version > '3'\n-r x\n"},
		{"requirements without a version", "requirements-dev.txt", "flask # web\n", Bump{Package: "flask", Ecosystem: "PyPI", To: "3.1"}, "flask>=3.1 # web\n"},
		{"requirements with checksums", "requirements.txt", "flask==2.0 \\\n  --hash=sha256:00\n", Bump{Package: "flask", Ecosystem: "PyPI", To: "3.1"}, "by checksum"},
		{"go.mod", "go.mod", "module m\n\nrequire (\n\tgolang.org/x/net v0.1.0 // indirect\n\tgolang.org/x/netx v0.1.0\n)\n", Bump{Package: "golang.org/x/net", Ecosystem: "Go", To: "0.38.0"}, "module m\n\nrequire (\n\tgolang.org/x/net v0.38.0 // indirect\n\tgolang.org/x/netx v0.1.0\n)\n"},
		{"go.mod, replaced", "go.mod", "module m\nreplace golang.org/x/net v0.1.0 => ../n\n", Bump{Package: "golang.org/x/net", Ecosystem: "Go", To: "0.38.0"}, "names it"},
		{"package.json", "package.json", "{\"name\": \"lodash\",\r\n \"dependencies\": {\"lodash\": \"^4.17.4\", \"lodash.x\": \"4.17.4\"}, \"config\": {\"lodash\": \"1\"}}\r\n", Bump{Package: "lodash", Ecosystem: "npm", To: "4.17.21"}, "{\"name\": \"lodash\",\r\n \"dependencies\": {\"lodash\": \"^4.17.21\", \"lodash.x\": \"4.17.4\"}, \"config\": {\"lodash\": \"1\"}}\r\n"},
		{"package.json with a range", "package.json", "{\"dependencies\": {\"lodash\": \">=1 <5\"}}", Bump{Package: "lodash", Ecosystem: "npm", To: "4.17.21"}, "set it to"},
		{"pom.xml", "pom.xml", strings.Replace(project, "VERSION", "2.14.1", 1), Bump{Package: "org.x:core", Ecosystem: "Maven", To: "2.17.1"}, strings.Replace(project, "VERSION", "2.17.1", 1)},
		{"pom.xml, by a property", "pom.xml", strings.Replace(project, "VERSION", "${log4j.version}", 1), Bump{Package: "org.x:core", Ecosystem: "Maven", To: "2.17.1"}, strings.Replace(strings.Replace(project, "VERSION", "${log4j.version}", 1), ">2.14.1</log4j", ">2.17.1</log4j", 1)},
		{"a package that is not there", "requirements.txt", "a==1\n", Bump{Package: "flask", Ecosystem: "PyPI", To: "3.1"}, "names it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := file(t, test.file, test.text)
			patches := map[string]*Patch{}
			left, err := Manifests(filepath.Dir(p.Path), patches, []Bump{test.bump}, func(Bump) string { return "" })
			if err != nil {
				t.Fatal(err)
			}
			got := test.text
			if changed := patches[p.Path]; changed != nil {
				got = string(changed.After())
			}
			if got != test.want && (len(left) == 0 || !strings.Contains(left[0].Reason, test.want)) {
				t.Errorf("got\n%s\n%+v", got, left)
			}
		})
	}
}

func TestADiffIsWhatThePatchProgramMakesTheChangeOf(t *testing.T) {
	program, err := exec.LookPath("patch")
	if err != nil {
		t.Skip("the program patch is not installed")
	}
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		text := "a" + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "", "c c"}), 1, 30).Draw(t, "lines"), "\n") + rapid.SampledFrom([]string{"", "\n"}).Draw(t, "end")
		p := &Patch{Path: "f", data: []byte(text)}
		for range rapid.IntRange(1, 4).Draw(t, "edits") {
			start := rapid.IntRange(0, len(text)).Draw(t, "start")
			end := rapid.IntRange(start, min(len(text), start+5)).Draw(t, "length")
			p.Add(Edit{start, end, rapid.SampledFrom([]string{"", "x", "y\n", "\nz", "p\nq\n"}).Draw(t, "text")}, "")
		}
		if !p.Changed() {
			return
		}
		path := filepath.Join(dir, "f")
		if err := os.WriteFile(path, p.data, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, "--quiet", "--force", "--posix", "--fuzz=0", path)
		cmd.Stdin = strings.NewReader(p.Diff())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s\n%s", err, out, p.Diff())
		}
		got, err := os.ReadFile(path)
		if err != nil && len(p.After()) > 0 {
			t.Fatal(err)
		}
		if !bytes.Equal(got, p.After()) {
			t.Fatalf("%q, want %q\n%s", got, p.After(), p.Diff())
		}
	})
}

func TestAFileIsWrittenWholeOrNotAtAll(t *testing.T) {
	p := file(t, "f", "a\n")
	p.Add(Edit{0, 1, "b"}, "")
	if p.Add(Edit{0, 1, "c"}, "") || p.Add(Edit{5, 6, ""}, "") {
		t.Error("overlapping edits, or edits outside, are taken")
	}
	if err := p.Write(); err != nil {
		t.Fatal(err)
	}
	data, _ := os.ReadFile(p.Path)
	info, _ := os.Stat(p.Path)
	if string(data) != "b\n" || info.Mode().Perm() != 0o640 {
		t.Errorf("%q %v", data, info.Mode())
	}
	if err := p.Write(); err == nil {
		t.Error("a file that was changed in the meantime is written")
	}
	link := p.Path + "-link"
	if err := os.Symlink(p.Path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPatch(link); err == nil {
		t.Error("a link is followed")
	}
	entries, _ := os.ReadDir(filepath.Dir(p.Path))
	if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), ".triad") }) {
		t.Error("something is left behind")
	}
}
