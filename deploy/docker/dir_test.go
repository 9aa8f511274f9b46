package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/triad-security/triad"
)

func folder(t *testing.T, files map[string]string) (*triad.Report, error) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "build-1")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Dir(context.Background(), dir, Options{})
}

func status(r *triad.Report, section string) triad.SectionStatus {
	for _, s := range r.Sections {
		if s.Name == section {
			return s.Status
		}
	}
	return ""
}

func TestWhatAFolderLacksIsUnreadAndTheFolderNamesTheHost(t *testing.T) {
	r, err := folder(t, map[string]string{"docker-inspect.json": `[{"Id":"abc","Name":"/web","Config":{"Image":"nginx"},"NetworkSettings":{"Ports":{"80/tcp":null}}}]`})
	if err != nil {
		t.Fatal(err)
	}
	if r.Scope != "docker/build-1" || status(r, sectionInfo) != triad.SectionUnread || status(r, sectionImages) != triad.SectionUnread || status(r, sectionContainers) != triad.SectionComplete {
		t.Errorf("scope %s, sections %+v", r.Scope, r.Sections)
	}
	if !related(r, ContainerID("build-1", "abc"), triad.RelListens, ContainerID("build-1", "abc")+"#tcp/80") {
		t.Error("a port that is exposed and not published is no listener")
	}
	if _, err := folder(t, nil); triad.ErrorCode(err) != triad.CodeInvalid {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestHostileFilesLeaveTheirSectionUnread(t *testing.T) {
	for name, text := range map[string]string{
		"truncated":               `[{"Id":"abc"`,
		"no array":                `{"Id":"abc"}`,
		"a container without ID":  `[{"Name":"/x"}]`,
		"another type":            `[{"Id":5}]`,
		"deep":                    `[{"Id":"abc","x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}]`,
		"a container of 5 MiB":    `[{"Id":"abc","x":"` + strings.Repeat("x", 5<<20) + `"}]`,
		"a port that is none":     `[{"Id":"abc","Config":{"ExposedPorts":{"eighty/tcp":{}}}}]`,
		"a range without end":     `[{"Id":"abc","Config":{"ExposedPorts":{"1-65535/tcp":{}}}}]`,
		"a range the wrong way":   `[{"Id":"abc","Config":{"ExposedPorts":{"90-80/tcp":{}}}}]`,
		"a port beyond the range": `[{"Id":"abc","Config":{"ExposedPorts":{"70000/tcp":{}}}}]`,
	} {
		t.Run(name, func(t *testing.T) {
			r, err := folder(t, map[string]string{"docker-inspect.json": text})
			if err != nil {
				t.Fatal(err)
			}
			if got := status(r, sectionContainers); got != triad.SectionUnread {
				t.Errorf("docker-inspect is %s", got)
			}
		})
	}
}

func TestSecretsDoNotReachAReport(t *testing.T) {
	const secret = "hunter2hunter2"
	r, err := folder(t, map[string]string{
		"docker-inspect.json": `[{"Id":"abc","Args":["--token","` + secret + `"],"State":{"Health":{"Log":[{"Output":"` + secret + `"}]}},` +
			`"Config":{"Image":"nginx","Env":["DB_PASSWORD=` + secret + `","URL=redis://:` + secret + `@h"],"Cmd":["--password=` + secret + `"],"Labels":{"x":"password=` + secret + `"}}}]`,
		"docker-image-inspect.json": `[{"Id":"sha256:1","Config":{"Env":["API_KEY=` + secret + `"],"Cmd":["--password=` + secret + `"]}}]`,
	})
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if i := bytes.Index(data, []byte(secret)); i >= 0 {
		t.Errorf("a secret is in the report: %s", data[max(0, i-200):i+20])
	}
}

func TestOneSocketForAllAddressesStandsForItsNarrowerKin(t *testing.T) {
	got := widest([]Socket{{"tcp", "127.0.0.1", 80}, {"tcp", "10.0.0.1", 80}, {"tcp", "::", 80}, {"udp", "127.0.0.1", 80}})
	if len(got) != 2 || got[0].Address != "::" || got[1].Protocol != "udp" {
		t.Errorf("got %v", got)
	}
}

func TestAHalfReadContainerReportsNoProcessesSoThatDeclaredPortsStand(t *testing.T) {
	d := &dump{
		containers: []json.RawMessage{json.RawMessage(`{"Id":"abc","Name":"/web","State":{"Running":true,"Pid":1},"Config":{"Image":"nginx","ExposedPorts":{"80/tcp":{}}}}`)},
		processes:  map[string][]Process{"abc": {{PID: 1, Exe: "/nginx"}, {PID: 2, Unread: "its open files: permission denied"}}},
	}
	d.section(sectionProcesses, triad.SectionComplete, "")
	r, err := d.report("h", Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range r.Assets {
		if a.Type == triad.TypeProcess {
			t.Errorf("process %s is reported", a.ID)
		}
	}
	if status(r, sectionProcesses) != triad.SectionUnread {
		t.Error("the processes are not unread")
	}
}

func FuzzInspectReadersOnlyFailWithAnError(f *testing.F) {
	f.Add([]byte(`[{"Id":"abc","Name":"/x","HostConfig":{"Binds":["/a:/b:ro"],"PortBindings":{"80/tcp":[]}},"Config":{"Env":["A=b"],"ExposedPorts":{"8000-8010/udp":{}}}}]`))
	f.Add([]byte(`[{"Id":"sha256:1","RepoDigests":["a@sha256:2"],"RootFS":{"Layers":["x"]}}][]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		docs, err := list(data)
		if err != nil {
			return
		}
		d := &dump{containers: docs, images: docs, networks: docs, info: data}
		r, err := d.report("fuzz", Options{})
		if err != nil {
			return
		}
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	})
}
