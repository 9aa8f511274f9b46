package docker

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/deploy/docker/enginetest"
	"github.com/triad-security/triad/deploy/manifest"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

func collect(t *testing.T, socket string, o Options) *triad.Report {
	t.Helper()
	c, err := NewClient("unix://" + socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := Live(context.Background(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Sections {
		if s.Status == triad.SectionUnread {
			t.Errorf("section %s is unread: %s", s.Name, s.Reason)
		}
	}
	return r
}

func findings(r *triad.Report, asset string) []string {
	var ids []string
	for _, f := range r.Findings {
		if f.Asset == asset {
			ids = append(ids, f.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func TestRealEngineIsReadWithItsContainersImagesAndDangers(t *testing.T) {
	socket := enginetest.Start(t)
	program := enginetest.Program(t)
	image := enginetest.Image(t, map[string][]byte{"app/run": program}, v1.Config{
		Entrypoint: []string{"/app/run"}, ExposedPorts: map[string]struct{}{"8080/tcp": {}},
		Env: []string{"API_TOKEN=tr1ad-s3cret"},
	})
	enginetest.Load(t, socket, "registry.example.com/test/app:1.0", image)
	config, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	safe := enginetest.Run(t, socket, "safe", map[string]any{
		"Image": "registry.example.com/test/app:1.0", "Cmd": []string{"-tcp", ":8080"},
		"HostConfig": map[string]any{"PortBindings": map[string]any{"8080/tcp": []any{map[string]any{"HostIp": "127.0.0.1", "HostPort": "18080"}}}},
	})
	danger := enginetest.Run(t, socket, "danger", map[string]any{
		"Image": "registry.example.com/test/app:1.0", "Cmd": []string{"-tcp", ":9090"},
		"HostConfig": map[string]any{
			"PidMode": "host", "NetworkMode": "host", "CapAdd": []string{"SYS_ADMIN"},
			"Binds": []string{socket + ":/var/run/docker.sock:ro", "/etc:/host/etc"},
		},
	})
	// Not started: that takes every capability, which a test machine may lack.
	privileged := enginetest.Create(t, socket, "privileged", map[string]any{
		"Image": "registry.example.com/test/app:1.0", "HostConfig": map[string]any{"Privileged": true},
	})
	enginetest.Ready(t, socket, safe, 1)
	enginetest.Ready(t, socket, danger, 1)

	trusted, err := manifest.TrustRegistries([]string{"registry.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	record := t.TempDir()
	o := Options{Trusted: trusted, Record: record, Host: "test", Now: time.Unix(1, 0)}
	r := collect(t, socket, o)

	workload := find(t, r, triad.DockerID("test", safe))
	if workload.Name != "test/safe" || strings.Contains(string(workload.Doc), "tr1ad-s3cret") {
		t.Errorf("workload %s, document %s", workload.Name, workload.Doc)
	}
	if got := findings(r, workload.ID); len(got) != 0 {
		t.Errorf("safe has findings %v", got)
	}
	if !related(r, ContainerID("test", safe), triad.RelRuns, config.String()) {
		t.Errorf("safe does not run %s", config)
	}
	if !related(r, ContainerID("test", safe), triad.RelListens, ContainerID("test", safe)+"#tcp/8080") {
		t.Error("safe does not listen on 8080")
	}
	want := []string{"dangerous-capability", "docker-socket-mount", "host-network", "host-path", "host-pid"}
	if got := findings(r, triad.DockerID("test", danger)); !slices.Equal(got, want) {
		t.Errorf("danger has findings %v, want %v", got, want)
	}
	if got := findings(r, triad.DockerID("test", privileged)); !slices.Equal(got, []string{"privileged-container"}) {
		t.Errorf("privileged has findings %v", got)
	}
	var props triad.ContainerProps
	if err := json.Unmarshal(find(t, r, ContainerID("test", danger)).Props, &props); err != nil {
		t.Fatal(err)
	}
	takeover := []string{"capability SYS_ADMIN", "docker-socket " + socket, "host-path /etc", "host-pid"}
	if !slices.Equal(props.Takeover, takeover) || !props.HostNetwork {
		t.Errorf("danger: takeover %q, want %q; host network %v", props.Takeover, takeover, props.HostNetwork)
	}

	// What was recorded reads as what was seen live, but for what a folder cannot hold.
	again, err := Dir(context.Background(), record, Options{Trusted: trusted, Host: "test", Now: time.Unix(1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(r.Assets, again.Assets, func(a, b triad.Asset) bool { return a.ID == b.ID && string(a.Props) == string(b.Props) }) {
		t.Errorf("live and recorded assets differ: %d and %d", len(r.Assets), len(again.Assets))
	}
	if !slices.EqualFunc(r.Relations, again.Relations, func(a, b triad.Relation) bool { return a.Key() == b.Key() }) {
		t.Errorf("live and recorded relations differ: %d and %d", len(r.Relations), len(again.Relations))
	}
}

// A fake engine stands for what a real one does not do on request: refuse and break off.
func TestFakeEngineThatRefusesOrBreaksOffLeavesSectionsUnread(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.24") })
	mux.HandleFunc("/v1.24/info", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"Name":"fake","ID":"x"}`)) })
	mux.HandleFunc("/v1.24/containers/json", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		w.Write([]byte(`{"message":"authorization denied by plugin"}`))
	})
	mux.HandleFunc("/v1.24/images/json", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`[{"Id":"sha256:`)) })
	mux.HandleFunc("/v1.24/networks", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`[{"Id":"gone"}]`)) })
	server := httptest.NewServer(mux)
	defer server.Close()
	c, err := NewClient(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Live(context.Background(), c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]triad.SectionStatus{}
	for _, s := range r.Sections {
		got[s.Name] = s.Status
		if s.Name == sectionContainers && !strings.Contains(s.Reason, "authorization denied by plugin") {
			t.Errorf("reason %q", s.Reason)
		}
	}
	for section, want := range map[string]triad.SectionStatus{
		sectionContainers: triad.SectionUnread, sectionImages: triad.SectionUnread,
		sectionNetworks: triad.SectionComplete, sectionInfo: triad.SectionComplete, sectionProcesses: triad.SectionAbsent,
	} {
		if got[section] != want {
			t.Errorf("section %s is %s, want %s", section, got[section], want)
		}
	}
}

func TestAnEngineThatIsNotThereIsAnErrorThatSaysWhatToDo(t *testing.T) {
	c, err := NewClient("unix://" + t.TempDir() + "/none.sock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Live(context.Background(), c, Options{}); triad.ErrorCode(err) != triad.CodeUnavailable {
		t.Errorf("error %v", err)
	}
	if _, err := NewClient("ssh://somewhere"); triad.ErrorCode(err) != triad.CodeInvalid {
		t.Errorf("error %v", err)
	}
}
