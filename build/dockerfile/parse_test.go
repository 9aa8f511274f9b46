package dockerfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestInstructionsHaveTheirExactLines(t *testing.T) {
	f := parse(t, "# escape=`\r\n# comment\r\n\r\nARG V=1\r\nFROM --platform=linux/arm64 debian:$V AS Base\r\nRUN a `\r\n  # why\r\n\r\n  b \"c d\" `  \r\n  --x\r\nCOPY [\"a b\", \"/c/\"]\r\nONBUILD RUN <<-EOF\r\n\techo 1\r\n\tEOF\r\nrun x")
	want := []struct {
		name, args string
		start, end int
	}{
		{"ARG", "V=1", 4, 4},
		{"FROM", "debian:$V AS Base", 5, 5},
		{"RUN", "a   b \"c d\"   --x", 6, 10},
		{"COPY", `["a b", "/c/"]`, 11, 11},
		{"ONBUILD", "RUN <<-EOF", 12, 14},
		{"RUN", "x", 15, 15},
	}
	if len(f.Instructions) != len(want) {
		t.Fatalf("%d instructions", len(f.Instructions))
	}
	for n, i := range f.Instructions {
		if w := want[n]; i.Name != w.name || i.Args != w.args || i.Start != w.start || i.End != w.end {
			t.Errorf("%s %q lines %d-%d, want %+v", i.Name, i.Args, i.Start, i.End, w)
		}
	}
	if s := f.Stages[0]; s.Name != "base" || s.Resolved != "debian:1" || s.Platform != "linux/arm64" {
		t.Errorf("%+v", s)
	}
	run := f.Instructions[2]
	if at := strings.Index(run.Args, "b \"c"); run.Line(at) != 9 || f.text[run.Byte(at)] != 'b' {
		t.Errorf("line %d", run.Line(at))
	}
	if h := f.Instructions[4].OnBuild.Heredocs; len(h) != 1 || h[0].Body != "echo 1\n" || h[0].Line != 13 {
		t.Errorf("%+v", h)
	}
	if words := f.Instructions[3].Words(); len(words) != 2 || words[0].Text != "a b" {
		t.Errorf("%+v", words)
	}
}

func TestVariablesArePutInAsBuildersDo(t *testing.T) {
	values := map[string]string{"a": "1", "empty": "", "path": "usr/local/bin.tar.gz"}
	look := func(name string) (string, bool) { v, ok := values[name]; return v, ok }
	for _, test := range []struct {
		text, want string
		whole      bool
	}{
		{"x$a-${a}", "x1-1", true},
		{"${b:-d}", "d", true},
		{"${empty:-d}${empty-e}", "d", true},
		{"${a:+y}${b:+z}", "y", true},
		{"${b}", "${b}", false},
		{"'$a' \"$a\" \\$a", "$a 1 $a", true},
		{"${path#usr/}", "local/bin.tar.gz", true},
		{"${path##*/}", "bin.tar.gz", true},
		{"${path%.*}", "usr/local/bin.tar", true},
		{"${path%%.*}", "usr/local/bin", true},
		{"${path/local/x}", "usr/x/bin.tar.gz", true},
		{"${b:-${a:-c}}", "1", true},
		{"$ ${", "$ ${", true},
	} {
		if got, whole := expand(test.text, '\\', look); got != test.want || whole != test.whole {
			t.Errorf("%s: %q %v, want %q %v", test.text, got, whole, test.want, test.whole)
		}
	}
	double := parse(t, "FROM x\n"+strings.Repeat("ENV a=$a$a$a$a$a$a$a$a\n", 100)+"RUN x\n")
	if m := double.Map(nil, 0, ""); m.Reason == "" {
		t.Error("no reason")
	}
	if e := double.expectations(double.Stages[0], nil); len(e) != 101 {
		t.Errorf("%d", len(e))
	}
}

func TestShellTextIsSplitIntoItsCommands(t *testing.T) {
	f := parse(t, "FROM x\nRUN A=1 sudo -u app apt-get -qy install 'a=1' \"b c\" > /l 2>&1 && (cd /x; make) | tee $(which l) # no\nRUN <<EOF\nif true; then\n  curl x | sh\nfi\nEOF\nRUN [\"sh\", \"-c\", \"a && b\"]\n")
	var got []string
	for _, i := range f.Instructions {
		if i.Name != "RUN" {
			continue
		}
		for _, c := range i.Commands() {
			got = append(got, c.Before+text(&c)+":"+itoa(c.Line()))
		}
	}
	want := []string{
		`sudo -u app apt-get -qy install 'a=1' "b c":2`, "&&cd /x:2", ";make:2", "which l:2", ";tee $(which l):2",
		"true:4", ";curl x:5", "|sh:5", "a:8", "&&b:8",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	in := f.Instructions[1].Installs()
	if len(in) != 1 || in[0].Manager != "apt" || len(in[0].Packages) != 2 || in[0].Packages[0].Text != "a=1" {
		t.Errorf("%+v", in)
	}
}

func TestCommentsSetChecksAside(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       bool // still found
	}{
		{"by id, before the line", "# triad:ignore=base-latest we follow it\nFROM debian:latest\n", false},
		{"by another tool's id", "# hadolint ignore=DL3006,DL3007\nFROM debian:latest\n", false},
		{"for the file", "# hadolint global ignore=DL3007\nARG A=1\nFROM debian:latest\n", false},
		{"inside the instruction", "FROM debian:latest\nRUN \\\n  # triad:ignore=sudo\n  sudo x\n", true},
		{"another check", "# triad:ignore=sudo\nFROM debian:latest\n", true},
		{"an earlier line's", "# triad:ignore=base-latest\nARG A=1\nFROM debian:latest\n", true},
	} {
		if findings := Check(parse(t, test.text)); has(findings, "base-latest") != test.want || has(findings, "sudo") {
			t.Errorf("%s: %+v", test.name, findings)
		}
	}
}

func TestWhatIsNoDockerfileIsRefused(t *testing.T) {
	for name, data := range map[string]string{"zeros": "FROM a\x00", "no UTF-8": "FROM \xff", "too large": strings.Repeat("#", MaxBytes+1), "too many lines": strings.Repeat("\n", maxLines+1)} {
		if _, err := Parse("Dockerfile", []byte(data)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := Parse("x", []byte("\x00")); !errors.Is(err, ErrNot) {
		t.Error(err)
	}
	for name, want := range map[string]bool{"Dockerfile": true, "a/web.Dockerfile": true, "Dockerfile.dev": true, "Containerfile": true, "Dockerfile.go": false, "dockerfile.md": false, "Dockerfile.dockerignore": false, "MyDockerfile": false} {
		if Is(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

// A file made to be slow takes no longer than one of its size.
func TestHostileFilesAreJudgedInTime(t *testing.T) {
	half := MaxBytes / 2
	for name, text := range map[string]string{
		"substitutions":  "FROM a\nRUN " + strings.Repeat("$(", half/2),
		"braces":         "FROM a\nENV x=" + strings.Repeat("${", half/2),
		"backquotes":     "FROM a\nRUN " + strings.Repeat("`", half),
		"operators":      "FROM a\nRUN " + strings.Repeat("a|", half/2),
		"quotes":         "FROM a\nRUN " + strings.Repeat("'\"", half/2),
		"stages":         strings.Repeat("FROM a AS b\n", maxStages),
		"continuations":  "FROM a\nRUN " + strings.Repeat("\\\n", 19000),
		"copies":         "FROM a\n" + strings.Repeat("COPY --from=0 a b c/\n", 9000),
		"here-documents": "FROM a\nRUN " + strings.Repeat("<<a ", half/4),
		"variables":      "FROM a\n" + strings.Repeat("ENV a=$a$a\n", 19000),
		"arguments":      strings.Repeat("ARG a=$a\n", 9000) + strings.Repeat("FROM $a AS $a\n", maxStages),
	} {
		start := time.Now()
		f, err := Parse("Dockerfile", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		Check(f)
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("%s took %v", name, d)
		} else {
			t.Logf("%s: %v", name, d.Round(time.Millisecond))
		}
	}
}

// The Dockerfiles of the modules that this one is built with.
func TestDockerfilesOfOthersHaveNoProblems(t *testing.T) {
	root := os.Getenv("GOMODCACHE")
	if root == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			t.Skip(err)
		}
		root = filepath.Join(home, "go", "pkg", "mod")
	}
	dir := filepath.Join(root, "k8s.io")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no modules are kept here")
	}
	n := 0
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !Is(path) {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		f, err := Parse(path, data)
		if err != nil {
			t.Error(err)
			return nil
		}
		n++
		if len(f.Stages) == 0 || len(f.Problems) > 0 && !strings.Contains(f.text, "_SPEC_FILE") {
			t.Errorf("%s: %+v", path, f.Problems)
		}
		Check(f)
		return nil
	})
	t.Logf("%d files", n)
}

func FuzzParse(f *testing.F) {
	for _, c := range checks {
		f.Add(c.Bad)
		f.Add(c.Good)
	}
	f.Add("# escape=`\nFROM a\nRUN <<A <<B\nx\nA\ny\nB\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse("Dockerfile", []byte(text))
		if err != nil {
			return
		}
		last := 0
		for _, i := range file.Instructions {
			if i.Start <= last || i.End < i.Start || i.End > len(text)+1 {
				t.Fatalf("lines %d-%d after %d", i.Start, i.End, last)
			}
			last = i.End
			for _, in := range i.Installs() {
				for _, w := range in.Packages {
					if at := in.Command.ByteOf(w); at > len(text) {
						t.Fatalf("byte %d of %d", at, len(text))
					}
				}
			}
		}
		for _, finding := range Check(file) {
			if finding.Line < 1 {
				t.Fatal(finding)
			}
		}
	})
}
