package docker

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/triad-security/triad"
)

// shared finds the folder of scenarios beside the repository.
func shared(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("TRIAD_SHARED"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "shared", "scenarios")); err == nil {
			return filepath.Join(dir, "shared")
		}
	}
	t.Skip("no folder shared with scenarios beside the repository; set TRIAD_SHARED")
	return ""
}

func find(t *testing.T, r *triad.Report, id string) triad.Asset {
	t.Helper()
	for _, a := range r.Assets {
		if a.ID == id {
			return a
		}
	}
	t.Fatalf("no asset %s in the report", id)
	return triad.Asset{}
}

func related(r *triad.Report, from string, relation triad.RelationType, to string) bool {
	for _, rel := range r.Relations {
		if rel.From == from && rel.Type == relation && rel.To == to {
			return true
		}
	}
	return false
}

func TestShopDockerHostIsReadAsItsAuthorsDescribeIt(t *testing.T) {
	const instance = "i-0c0000000000000c1"
	r, err := Dir(context.Background(), filepath.Join(shared(t), "scenarios", "shop", "docker", instance), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Scope != "docker/"+instance {
		t.Errorf("scope %s", r.Scope)
	}
	const web = "a1b0579e973972bbe3ce5c0530198bcb50e5a555c97720e44f6c8bcf4cc17a67"
	const config = "sha256:d03c54056229579ab72d97e38526fac6a63c735fb6367a2eb49099e8d3f2bb1e"
	workload := find(t, r, triad.DockerID(instance, web))
	if workload.Name != instance+"/web" || workload.Kind != "DockerContainer" {
		t.Errorf("workload %s %q", workload.Kind, workload.Name)
	}
	container := ContainerID(instance, web)
	var props triad.ContainerProps
	if err := json.Unmarshal(find(t, r, container).Props, &props); err != nil {
		t.Fatal(err)
	}
	if props.Digest != config || !props.Running || props.Privileged || len(props.Takeover) > 0 {
		t.Errorf("container web: %+v", props)
	}
	if aliases := find(t, r, config).Aliases; len(aliases) != 1 || aliases[0] != "sha256:4e5203b252797ae13abf66521d7d030b76f14501a49ae1a8a07a3a19df5f5e9f" {
		t.Errorf("image aliases %v", aliases)
	}
	host := find(t, r, "docker-host:"+instance)
	if len(host.Aliases) != 2 || host.Aliases[1] != "aws-instance:"+instance {
		t.Errorf("host aliases %v", host.Aliases)
	}
	for _, want := range []struct {
		from     string
		relation triad.RelationType
		to       string
	}{
		{container, triad.RelRuns, config},
		{container, triad.RelOwnedBy, workload.ID},
		{container, triad.RelRunsOn, host.ID},
		{container, triad.RelListens, container + "#tcp/8080"},
	} {
		if !related(r, want.from, want.relation, want.to) {
			t.Errorf("missing: %s %s %s", want.from, want.relation, want.to)
		}
	}
	if len(r.Findings) != 0 {
		t.Errorf("findings %+v", r.Findings)
	}
	for _, s := range r.Sections {
		if s.Status == triad.SectionUnread {
			t.Errorf("section %s is unread: %s", s.Name, s.Reason)
		}
	}
}
