package dockerfile

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/triad-security/triad/build/inspect"
)

var update = flag.Bool("update", false, "write docs/dockerfile.md anew")

func TestTheListOfChecksIsUpToDate(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Checks of Dockerfiles and image configs

Written by ` + "`go test ./build/dockerfile -update`" + ` from the table of checks; a test holds it against that.
` + "`triad scan dir|repo|image --scanners misconfig`" + ` runs them over every Dockerfile (` + "`Dockerfile`, `Dockerfile.*`, `*.Dockerfile`, `Containerfile`" + `) and over an image's config.
DL… are the ids of hadolint, CIS-4.x the recommendations of the CIS Docker Benchmark, section 4; both are found in a finding's aliases, and both set it aside:

    # triad:ignore=base-undigested a bot keeps the tag up to date
    FROM debian:12.11
    # hadolint ignore=DL3008
    RUN apt-get install -y curl

A comment counts for the instruction that follows, or that it stands in; ` + "`# triad:ignore-file=ID`" + ` and ` + "`# hadolint global ignore=ID`" + ` count for the file.

`)
	fmt.Fprintf(&b, "%d checks of Dockerfiles and %d of image configs.\n\n| id | also | severity | what | why | fix |\n|---|---|---|---|---|---|\n", len(checks), len(configChecks))
	cell := func(s string) string {
		return strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ", "*", `\*`).Replace(s)
	}
	for _, r := range Rules() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", r.ID, strings.Join(r.Aliases, ", "), r.Severity, cell(r.Title), cell(r.Why), cell(r.Fix))
	}
	path := filepath.Join("..", "..", "docs", "dockerfile.md")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil || string(have) != b.String() {
		t.Errorf("docs/dockerfile.md is not what the table of checks says (%v): go test ./build/dockerfile -update", err)
	}
}

func TestAnImagesConfigIsJudged(t *testing.T) {
	ids := func(c v1.Config) (all []string) {
		for _, f := range CheckConfig(&v1.ConfigFile{Config: c}) {
			all = append(all, f.ID)
		}
		slices.Sort(all)
		return all
	}
	good := v1.Config{User: "1000", Cmd: []string{"x"}, Healthcheck: &v1.HealthConfig{Test: []string{"NONE"}}, Env: []string{"PATH=/usr/bin:/bin"}, ExposedPorts: map[string]struct{}{"8080/tcp": {}}}
	if got := ids(good); len(got) != 0 {
		t.Errorf("of a good one: %v", got)
	}
	bad := v1.Config{
		User: "0:0", Cmd: []string{"x"}, Env: []string{"PATH=/tmp:/bin", "LD_PRELOAD=/x.so", "NODE_TLS_REJECT_UNAUTHORIZED=0"},
		ExposedPorts: map[string]struct{}{"22/tcp": {}}, Volumes: map[string]struct{}{"/etc": {}}, OnBuild: []string{"RUN x"},
	}
	if got := ids(bad); len(got) != len(configChecks) {
		t.Errorf("%d of %d: %v", len(got), len(configChecks), got)
	}
}

func TestTheInspectorTakesDockerfilesAndNothingElse(t *testing.T) {
	n := NewInspector()
	if n.Open(context.Background(), inspect.File{Name: "src/main.go", Size: 10}) != nil || n.Open(context.Background(), inspect.File{Name: "Dockerfile", Size: MaxBytes + 1}) != nil {
		t.Error("a file that is none is opened")
	}
	for text, want := range map[string]bool{"FROM debian:latest\n": true, "not one at all": false, "\x00": false} {
		s := n.Open(context.Background(), inspect.File{Name: "a/Dockerfile.dev", Size: int64(len(text))})
		for _, b := range []byte(text) { // in pieces of any size
			if _, err := s.Write([]byte{b}); err != nil {
				t.Fatal(err)
			}
		}
		found, err := s.Close()
		if err != nil || (len(found) > 0) != want {
			t.Errorf("%q: %v %v", text, found, err)
		}
		for _, f := range found {
			if f.Path != "a/Dockerfile.dev" || f.Line != 1 || f.Section != inspect.SectionMisconfigurations {
				t.Errorf("%+v", f)
			}
		}
	}
}
