package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/deploy/docker"
	"github.com/triad-security/triad/deploy/docker/enginetest"
)

// Two processes run in one container. Which of them listens on the published port, and which
// of them has the archive open, must not be mixed up: in one container the program with the
// archive is behind the published port, in the other it is beside it.
func TestOneOfTwoProcessesInAContainerListensAndLoads(t *testing.T) {
	socket := enginetest.Start(t)
	t.Cleanup(enginetest.Stop)
	program := enginetest.Program(t)
	jar := bytes.Repeat([]byte("triad"), 2000)
	image := enginetest.Image(t, map[string][]byte{
		"app/vulnerable": program, "app/other": program,
		"app/lib/log4j-core-2.14.1.jar": jar, "app/lib/libharmless.so.1": jar,
	}, v1.Config{Entrypoint: []string{"/app/vulnerable"}})
	enginetest.Load(t, socket, "registry.example.com/test/pair:1.0", image)

	const published, private = ":8080", "127.0.0.1:9090"
	run := func(name, vulnerable, other string) string {
		id := enginetest.Run(t, socket, name, map[string]any{
			"Image": "registry.example.com/test/pair:1.0",
			"Cmd": []string{
				"-tcp", vulnerable, "-open", "/app/lib/log4j-core-2.14.1.jar", "--",
				"/app/other", "-tcp", other, "-map", "/app/lib/libharmless.so.1",
			},
			"ExposedPorts": map[string]any{"8080/tcp": map[string]any{}},
			"HostConfig":   map[string]any{"PortBindings": map[string]any{"8080/tcp": []any{map[string]any{"HostPort": ""}}}},
		})
		enginetest.Ready(t, socket, id, 2)
		return id
	}
	behind := run("behind", published, private)
	beside := run("beside", private, published)

	report := collectReport(t, "docker", "--engine", "unix://"+socket, "--host", "test")
	for _, test := range []struct {
		name, container           string
		vulnerable, other         int
		vulnerableAddr, otherAddr string
	}{
		{"behind", docker.ContainerID("test", behind), 8080, 9090, "::", "127.0.0.1"},
		{"beside", docker.ContainerID("test", beside), 9090, 8080, "127.0.0.1", "::"},
	} {
		for _, process := range []struct {
			exe, load, address string
			port               int
		}{
			{"/app/vulnerable", "/app/lib/log4j-core-2.14.1.jar", test.vulnerableAddr, test.vulnerable},
			{"/app/other", "/app/lib/libharmless.so.1", test.otherAddr, test.other},
		} {
			id := processOf(t, report, test.container, process.exe)
			var props triad.ProcessProps
			if err := json.Unmarshal(assetOf(t, report, id).Props, &props); err != nil {
				t.Fatal(err)
			}
			if want := []string{process.load, process.exe}; !slices.Equal(props.Loads, sorted(want)) {
				t.Errorf("%s: %s loads %v, want %v", test.name, process.exe, props.Loads, want)
			}
			var listens []triad.Listen
			for _, r := range report.Relations {
				if r.From == id && r.Type == triad.RelListens {
					var l triad.Listen
					if err := json.Unmarshal(r.Props, &l); err != nil {
						t.Fatal(err)
					}
					listens = append(listens, l)
				}
			}
			want := triad.Listen{Protocol: "tcp", Port: process.port, Address: process.address, Basis: triad.BasisObserved, Process: id}
			if len(listens) != 1 || listens[0] != want {
				t.Errorf("%s: %s listens %+v, want %+v", test.name, process.exe, listens, want)
			}
		}
	}
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// processOf returns the ID of a container's one process of an executable.
func processOf(t *testing.T, r *triad.Report, container, exe string) string {
	t.Helper()
	var found []string
	for _, a := range r.Assets {
		if a.ID == triad.ProcessID(container, exe) || strings.HasPrefix(a.ID, triad.ProcessID(container, exe)+"@") {
			found = append(found, a.ID)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s has the processes %v of %s, want one", container, found, exe)
	}
	return found[0]
}

func assetOf(t *testing.T, r *triad.Report, id string) triad.Asset {
	t.Helper()
	i := slices.IndexFunc(r.Assets, func(a triad.Asset) bool { return a.ID == id })
	if i < 0 {
		t.Fatalf("no asset %s in the report", id)
	}
	return r.Assets[i]
}

// collectReport runs a collect command and returns the report that it prints.
func collectReport(t *testing.T, args ...string) *triad.Report {
	t.Helper()
	var out bytes.Buffer
	a := &app{stdout: &out, stderr: os.Stderr}
	root := newRootCommand(a)
	root.SetArgs(append([]string{"collect", "--format", "report", "--data", t.TempDir()}, args...))
	if err := root.ExecuteContext(context.Background()); err != nil {
		t.Fatal(err)
	}
	r := new(triad.Report)
	if err := json.Unmarshal(out.Bytes(), r); err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Sections {
		if s.Status == triad.SectionUnread {
			t.Errorf("section %s is unread: %s", s.Name, s.Reason)
		}
	}
	return r
}
