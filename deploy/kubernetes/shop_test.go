package kubernetes

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/deploy/manifest"
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

func shopReport(t *testing.T) *triad.Report {
	t.Helper()
	trusted, err := manifest.TrustRegistries([]string{"registry.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Dir(context.Background(), filepath.Join(shared(t), "scenarios", "shop", "kubernetes"),
		Options{Trusted: trusted, Now: time.Unix(1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return r
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

func TestShopIsReadAsItsAuthorsDescribeIt(t *testing.T) {
	r := shopReport(t)
	if r.Scope != "kubernetes/shop" {
		t.Errorf("scope %s, want kubernetes/shop from the folder's parent", r.Scope)
	}
	storefront := find(t, r, "k8s:shop/Deployment/shop/storefront")
	if storefront.Name != "shop/shop/storefront" || storefront.Type != triad.TypeWorkload {
		t.Errorf("storefront is %s %q", storefront.Type, storefront.Name)
	}
	const pod = "k8s:shop/Pod/shop/storefront-952acee83-efbe0"
	const digest = "sha256:8d8db9d8c58310a68aabc705c6ff977702be4db008e0cf2835bf33ccd0908fc1"
	container := find(t, r, pod+"#storefront")
	var props triad.ContainerProps
	if err := json.Unmarshal(container.Props, &props); err != nil {
		t.Fatal(err)
	}
	if props.Digest != digest || !props.Running || props.ImageRef != "registry.example.com/shop/storefront:1.4.2" {
		t.Errorf("container storefront: %+v", props)
	}
	node := find(t, r, "k8s:shop/Node/ip-10-0-2-10.ec2.internal")
	if len(node.Aliases) != 2 || node.Aliases[0] != "aws-instance:i-0b0000000000000b1" {
		t.Errorf("node aliases %v", node.Aliases)
	}
	if tier := find(t, r, "k8s:shop/Namespace/shop").Tags["tier"]; tier != "production" {
		t.Errorf("namespace shop has tier %q", tier)
	}
	for _, want := range []struct {
		from     string
		relation triad.RelationType
		to       string
	}{
		{pod, triad.RelOwnedBy, storefront.ID},
		{pod, triad.RelContains, container.ID},
		{container.ID, triad.RelRuns, digest},
		{pod, triad.RelRunsOn, node.ID},
		{pod, triad.RelAssumes, "k8s:shop/ServiceAccount/shop/storefront"},
		{"k8s:shop/ServiceAccount/shop/storefront", triad.RelAssumes, "arn:aws:iam::111122223333:role/storefront"},
		{container.ID, triad.RelListens, container.ID + "#tcp/8080"},
	} {
		if !related(r, want.from, want.relation, want.to) {
			t.Errorf("missing: %s %s %s", want.from, want.relation, want.to)
		}
	}
	agent := find(t, r, "k8s:shop/Pod/ops/agent-d282bd1e9-77d53#agent")
	if err := json.Unmarshal(agent.Props, &props); err != nil {
		t.Fatal(err)
	}
	if len(props.Takeover) != 2 || props.Takeover[0] != "docker-socket /var/run/docker.sock" || props.Takeover[1] != "privileged" {
		t.Errorf("agent can take over its host by %v", props.Takeover)
	}
	for _, s := range r.Sections {
		if s.Status == triad.SectionUnread {
			t.Errorf("section %s is unread: %s", s.Name, s.Reason)
		}
	}
}

func TestShopPolicyFindingsAreThoseExpected(t *testing.T) {
	r := shopReport(t)
	data, err := os.ReadFile(filepath.Join(shared(t), "scenarios", "shop", "expect.json"))
	if err != nil {
		t.Fatal(err)
	}
	var expect struct {
		Findings []struct {
			Rule     string `json:"rule"`
			Optional bool   `json:"optional"`
			Workload *struct {
				Kind, Cluster, Namespace, Name string
			} `json:"workload"`
		} `json:"policy_findings"`
	}
	if err := json.Unmarshal(data, &expect); err != nil {
		t.Fatal(err)
	}
	asked, want := map[string]bool{}, map[string]bool{}
	for _, f := range expect.Findings {
		asked[f.Rule] = true
		if f.Workload == nil {
			continue
		}
		key := f.Rule + " " + triad.KubernetesID(f.Workload.Cluster, f.Workload.Kind, f.Workload.Namespace, f.Workload.Name)
		want[key] = !f.Optional
	}
	for _, f := range r.Findings {
		key := f.ID + " " + f.Asset
		if _, ok := want[key]; !ok && asked[f.ID] {
			t.Errorf("unexpected finding %s", key)
		}
		delete(want, key)
	}
	for key, must := range want {
		if must {
			t.Errorf("missing finding %s", key)
		}
	}
}
