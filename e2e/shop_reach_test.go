package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/triad-security/triad"
	cloudaws "github.com/triad-security/triad/cloud/aws"
	"github.com/triad-security/triad/deploy/docker"
	"github.com/triad-security/triad/deploy/kubernetes"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/reach/exposure"
)

type wayHop struct {
	Type  string   `json:"type"`
	ID    string   `json:"id"`
	AnyOf []string `json:"any_of"`
}

func (x wayHop) is(h triad.Hop) bool {
	if x.Type != h.Type {
		return false
	}
	return x.ID == "" || x.ID == h.ID || slices.Contains(x.AnyOf, h.ID)
}

type wayFinding struct {
	Workload struct{ Kind, Cluster, Namespace, Name, Host string }
	CVE      string `json:"cve"`
	Exposure triad.Exposure
	Port     *struct {
		Protocol  string
		Internet  int
		Container int
		Sources   []string
	}
	Hops      []wayHop
	BlockedAt *wayHop  `json:"blocked_at"`
	AlsoAt    []wayHop `json:"also_blocked_at"`
}

type wayShop struct {
	Findings  []wayFinding
	AfterRule struct{ Changes []wayFinding } `json:"after_rule_change"`
	Stores    []struct {
		Kind, ID  string
		Exposure  triad.Exposure
		Public    bool
		BlockedAt *wayHop  `json:"blocked_at"`
		AlsoAt    []wayHop `json:"also_blocked_at"`
		ReachedBy []json.RawMessage
	} `json:"datastores"`
	Endpoints []struct {
		Kind, ID string
		Exposure triad.Exposure
		Sources  []string
	}
}

// wayEstate reads a scenario's folders of all kinds into one estate.
func wayEstate(t testing.TB, dir string, over ...string) *reach.Estate {
	t.Helper()
	e := reach.NewEstate(exposure.Indexes()...)
	put := func(r *triad.Report, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		e.PutReport(r)
	}
	regions, _ := filepath.Glob(filepath.Join(dir, "aws", "*", "*"))
	for _, region := range regions {
		if len(over) > 0 {
			region = wayOverlay(t, region, over[0])
		}
		put(cloudaws.FromDir(region))
	}
	hosts, _ := filepath.Glob(filepath.Join(dir, "docker", "*"))
	for _, host := range hosts {
		put(docker.Dir(context.Background(), host, docker.Options{}))
	}
	if k := filepath.Join(dir, "kubernetes"); isDir(k) {
		put(kubernetes.Dir(context.Background(), k, kubernetes.Options{}))
	}
	return e
}

// wayOverlay copies a region's folder and lays another scenario's files over it.
func wayOverlay(t testing.TB, region, scenario string) string {
	t.Helper()
	account, name := filepath.Base(filepath.Dir(region)), filepath.Base(region)
	to := filepath.Join(t.TempDir(), "aws", account, name)
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{region, filepath.Join(scenario, "aws", account, name)} {
		files, _ := filepath.Glob(filepath.Join(from, "*.json"))
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err == nil {
				err = os.WriteFile(filepath.Join(to, filepath.Base(f)), data, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return to
}

// wayContainers are the container assets of a workload.
func wayContainers(e *reach.Estate, x wayFinding) []string {
	var ids []string
	for _, row := range e.Rows(reach.TypeKey(triad.TypeContainer)) {
		name := row.Asset.Name
		w := x.Workload
		if w.Kind == "DockerContainer" && name == w.Host+"/"+w.Name || w.Kind != "DockerContainer" && strings.HasPrefix(name, w.Cluster+"/"+w.Namespace+"/"+w.Name+"-") {
			ids = append(ids, row.Asset.ID)
		}
	}
	return ids
}

func wayAnswer(t *testing.T, e *reach.Estate, x wayFinding) reach.Result {
	t.Helper()
	if x.Workload.Kind == "LambdaFunction" {
		return exposure.Function(e, "arn:aws:lambda:us-east-1:111122223333:function:"+x.Workload.Name)
	}
	protocol, port := "tcp", 0
	if x.Port != nil {
		protocol, port = x.Port.Protocol, x.Port.Container
	}
	ids := wayContainers(e, x)
	if len(ids) == 0 {
		t.Fatalf("no container of %+v", x.Workload)
	}
	return exposure.Of(e, ids[0], protocol, port)
}

func checkWay(t *testing.T, e *reach.Estate, x wayFinding) {
	t.Helper()
	r := wayAnswer(t, e, x)
	text, _ := json.MarshalIndent(r, "", " ")
	if r.Exposure != x.Exposure {
		t.Errorf("exposure %s, want %s\n%s", r.Exposure, x.Exposure, text)
		return
	}
	next := 0
	for _, h := range r.Path {
		if next < len(x.Hops) && x.Hops[next].is(h) {
			next++
		}
	}
	if next < len(x.Hops) {
		t.Errorf("hop %d %+v is not in the path\n%s", next, x.Hops[next], text)
	}
	if x.Port != nil && x.Port.Internet != 0 && r.Port != x.Port.Internet {
		t.Errorf("port %d, want %d", r.Port, x.Port.Internet)
	}
	if x.Port != nil && !slices.Equal(r.Sources, x.Port.Sources) {
		t.Errorf("sources %v, want %v", r.Sources, x.Port.Sources)
	}
	checkWayStops(t, r, x.BlockedAt, x.AlsoAt)
	if len(r.Unread) > 0 {
		t.Errorf("unread %v", r.Unread)
	}
}

// checkWayStops asks for the named stop as the first, and for the others among the rest.
func checkWayStops(t *testing.T, r reach.Result, at *wayHop, also []wayHop) {
	t.Helper()
	text, _ := json.MarshalIndent(r, "", " ")
	if at == nil {
		if r.BlockedBy != nil {
			t.Errorf("blocked by %+v", *r.BlockedBy)
		}
		return
	}
	if r.BlockedBy == nil || !at.is(*r.BlockedBy) {
		t.Errorf("not blocked first by %+v\n%s", *at, text)
		return
	}
	if r.BlockedBy.Reason == "" {
		t.Errorf("the stop tells no reason\n%s", text)
	}
	for _, x := range also {
		if !slices.ContainsFunc(r.AlsoBlockedBy, x.is) {
			t.Errorf("not blocked by %+v\n%s", x, text)
		}
	}
}

func TestShopIsExposedAsItsAuthorSays(t *testing.T) {
	dir := filepath.Join(shared(t), "scenarios", "shop")
	var x wayShop
	readJSON(t, filepath.Join(dir, "expect.json"), &x)
	e := wayEstate(t, dir)
	for _, f := range x.Findings {
		t.Run(f.Workload.Namespace+f.Workload.Host+"/"+f.Workload.Name+"/"+f.CVE, func(t *testing.T) { checkWay(t, e, f) })
	}
	for _, s := range x.Stores {
		t.Run(s.Kind+" "+s.ID, func(t *testing.T) {
			r := exposure.DataStore(e, wayStore(t, e, s.ID))
			want := s.Exposure
			if s.Kind == "s3" {
				want = triad.ExposureSmall
				if s.Public {
					want = triad.ExposureOpen
				}
			}
			if r.Exposure != want {
				t.Errorf("exposure %s, want %s: %+v", r.Exposure, want, r)
			}
			if s.BlockedAt != nil {
				checkWayStops(t, r, s.BlockedAt, s.AlsoAt)
			}
		})
	}
	for _, s := range x.Endpoints {
		t.Run(s.Kind+" "+s.ID, func(t *testing.T) {
			for _, row := range e.Rows(reach.TypeKey(triad.TypeCluster)) {
				if strings.HasPrefix(row.Asset.ID, "arn:") && strings.HasSuffix(row.Asset.ID, "/"+s.ID) {
					if r := exposure.DataStore(e, row.Asset.ID); r.Exposure != s.Exposure || !slices.Equal(r.Sources, s.Sources) {
						t.Errorf("%+v", r)
					}
					return
				}
			}
			t.Error("no such cluster")
		})
	}
	t.Run("no workload's network connects to a database", func(t *testing.T) {
		for _, row := range e.Rows(reach.TypeKey(triad.TypeContainer)) {
			for _, store := range []string{"orders", "sales"} {
				if r := exposure.Connect(e, row.Asset.ID, wayStore(t, e, store)); r.Verdict != reach.Blocked {
					t.Errorf("%s to %s: %+v", row.Asset.Name, store, r)
				}
			}
		}
	})
}

func wayStore(t *testing.T, e *reach.Estate, name string) string {
	t.Helper()
	for _, row := range e.Rows(reach.TypeKey(triad.TypeDataStore)) {
		if strings.HasSuffix(row.Asset.ID, ":"+name) || strings.HasSuffix(row.Asset.ID, "/"+name) {
			return row.Asset.ID
		}
	}
	t.Fatalf("no data store %s", name)
	return ""
}

func TestAfterTheRuleChangeOneContainerIsOpenAndNothingElse(t *testing.T) {
	scenarios := filepath.Join(shared(t), "scenarios")
	var x wayShop
	readJSON(t, filepath.Join(scenarios, "shop", "expect.json"), &x)
	e := wayEstate(t, filepath.Join(scenarios, "shop"), filepath.Join(scenarios, "shop-rule-change"))
	changed := map[string]bool{}
	for _, f := range x.AfterRule.Changes {
		changed[f.Workload.Name] = true
		checkWay(t, e, f)
	}
	for _, f := range x.Findings {
		if !changed[f.Workload.Name] {
			checkWay(t, e, f)
		}
	}
}

// A computation's record must hold all that it depends on: with the rows of the record alone
// the answer is the same, and a change elsewhere cannot matter.
func TestARecordHoldsAllThatAnAnswerDependsOn(t *testing.T) {
	dir := filepath.Join(shared(t), "scenarios", "shop")
	e := wayEstate(t, dir)
	for _, row := range e.Rows(reach.TypeKey(triad.TypeContainer)) {
		rec := reach.NewRecorder(e)
		want, _ := json.Marshal(exposure.Of(rec, row.Asset.ID, "tcp", 8080))
		got, _ := json.Marshal(exposure.Of(only{e, rec.Read}, row.Asset.ID, "tcp", 8080))
		if string(got) != string(want) {
			t.Errorf("%s\nwith the record %s\nwithout %s", row.Asset.Name, got, want)
		}
	}
}

// only is a view that knows nothing beyond some keys.
type only struct {
	reach.View
	keys map[string]struct{}
}

func (o only) Rows(key string) []*reach.Row {
	if _, ok := o.keys[key]; !ok {
		return nil
	}
	return o.View.Rows(key)
}

func (o only) Section(scope, name string) triad.Section {
	if _, ok := o.keys[reach.SectionKey(scope, name)]; !ok {
		return triad.Section{}
	}
	return o.View.Section(scope, name)
}

// With any one file of the dump missing, nothing that is exposed is called safe, and nothing
// that is safe is called open.
func TestAMissingFileNeverMakesTheShopLookSafer(t *testing.T) {
	dir := filepath.Join(shared(t), "scenarios", "shop")
	var x wayShop
	readJSON(t, filepath.Join(dir, "expect.json"), &x)
	var files []string
	for _, pattern := range []string{"aws/*/*/*.json", "kubernetes/*.yaml", "docker/*/*.json"} {
		found, _ := filepath.Glob(filepath.Join(dir, pattern))
		files = append(files, found...)
	}
	unknowns := 0
	for _, missing := range files {
		name, _ := filepath.Rel(dir, missing)
		if strings.HasSuffix(name, "meta.json") {
			continue // says which account it is
		}
		to := filepath.Join(t.TempDir(), "shop") // the folder names the cluster
		for _, f := range files {
			rel, _ := filepath.Rel(dir, f)
			if f == missing {
				continue
			}
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Dir(filepath.Join(to, rel)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(to, rel), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		e := wayEstate(t, to)
		for _, f := range x.Findings {
			if f.Workload.Kind != "LambdaFunction" && len(wayContainers(e, f)) == 0 {
				continue // the container itself is not in the dump
			}
			r := wayAnswer(t, e, f)
			if r.Exposure == triad.ExposureUnknown {
				unknowns++
				if len(r.Unread) == 0 {
					t.Errorf("without %s %s is unknown for no reason", name, f.Workload.Name)
				}
				continue
			}
			if r.Exposure != f.Exposure {
				text, _ := json.Marshal(r)
				t.Errorf("without %s %s is %s, and it is %s\n%s", name, f.Workload.Name, r.Exposure, f.Exposure, text)
			}
		}
	}
	if unknowns == 0 {
		t.Error("no missing file made anything unknown")
	}
}
