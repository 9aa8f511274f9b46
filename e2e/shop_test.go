package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/advisory"
	"github.com/triad-security/triad/build/match"
	"github.com/triad-security/triad/build/scan"
	cloudaws "github.com/triad-security/triad/cloud/aws"
	"github.com/triad-security/triad/deploy/docker"
	"github.com/triad-security/triad/deploy/kubernetes"
	"github.com/triad-security/triad/deploy/manifest"
	"github.com/triad-security/triad/reach/exposure"
	"github.com/triad-security/triad/risk"
	"github.com/triad-security/triad/store"
)

// scenario is what an expect.json fixes beside its queries.
type scenario struct {
	Trusted  []string          `json:"trusted_registries"`
	Findings []expectedFinding `json:"findings"`
	After    struct {
		Folder  string            `json:"folder"`
		Changes []expectedFinding `json:"changes"`
	} `json:"after_rule_change"`
	Stores   []expectedStore  `json:"datastores"`
	Policies []expectedPolicy `json:"policy_findings"`
}

type expectedWorkload struct {
	Kind      string `json:"kind"`
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
	Host      string `json:"host"`
	Name      string `json:"name"`
}

// ref is the kind and the end of the name that triad risks gives; a function's name begins
// with its account and region, which an expectation leaves out.
func (w expectedWorkload) ref() (kind, name string) {
	switch {
	case w.Cluster != "":
		return w.Kind, w.Cluster + "/" + w.Namespace + "/" + w.Name
	case w.Host != "":
		return w.Kind, w.Host + "/" + w.Name
	}
	return w.Kind, "/" + w.Name
}

func (w expectedWorkload) is(a triad.AssetRef) bool {
	kind, name := w.ref()
	return a.Kind == kind && (a.Name == name || strings.HasPrefix(name, "/") && strings.HasSuffix(a.Name, name))
}

type expectedHop struct {
	Type  string   `json:"type"`
	ID    string   `json:"id"`
	AnyOf []string `json:"any_of"`
}

func (x expectedHop) is(h triad.Hop) bool {
	return h.Type == x.Type && (h.ID == x.ID || x.ID == "" || slices.Contains(x.AnyOf, h.ID))
}

type expectedFinding struct {
	Workload expectedWorkload `json:"workload"`
	CVE      string           `json:"cve"`
	Package  string           `json:"package"`
	Fixed    string           `json:"fixed_version"`
	Exposure triad.Exposure   `json:"exposure"`
	Port     *struct {
		Protocol  string   `json:"protocol"`
		Container int      `json:"container"`
		Sources   []string `json:"sources"`
	} `json:"port"`
	Hops          []expectedHop `json:"hops"`
	BlockedAt     *expectedHop  `json:"blocked_at"`
	AlsoBlockedAt []expectedHop `json:"also_blocked_at"`
	SSVC          struct {
		Exploitation struct{ Value string }
		Automatable  struct{ Value string }
		Impact       struct{ Value string }
		Decision     triad.Outcome
	} `json:"ssvc"`
}

type expectedStore struct {
	Kind      string          `json:"kind"`
	ID        string          `json:"id"`
	Public    bool            `json:"public"`
	Exposure  triad.Exposure  `json:"exposure"`
	BlockedAt *expectedHop    `json:"blocked_at"`
	Also      []expectedHop   `json:"also_blocked_at"`
	ReachedBy json.RawMessage `json:"reached_by"`
}

type expectedPolicy struct {
	Rule     string            `json:"rule"`
	Workload *expectedWorkload `json:"workload"`
	Instance string            `json:"instance"`
	Optional bool              `json:"optional"`
}

// estate is a scenario collected into a store, with an engine on it.
type estate struct {
	scenario
	dir    string
	store  triad.Store
	engine *risk.Engine
}

// collectScenario reads all of a scenario as a person would: every dump and bill of materials.
func collectScenario(t testing.TB, name string) *estate {
	t.Helper()
	ctx := t.Context()
	x := &estate{dir: filepath.Join(shared(t), "scenarios", name)}
	data, err := os.ReadFile(filepath.Join(x.dir, "expect.json"))
	must(t, err)
	must(t, json.Unmarshal(data, &x.scenario))

	advisories := t.TempDir()
	_, err = advisory.Import(ctx, advisories, filepath.Join(x.dir, "advisories"), func(string) {})
	must(t, err)
	db, err := advisory.Open(advisories)
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	x.store, err = store.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "triad.db"))
	must(t, err)
	t.Cleanup(func() { _ = x.store.Close() })
	x.engine = newEngine(match.New(db))

	for _, dir := range glob(t, x.dir, "aws", "*", "*") {
		x.aws(t, dir)
	}
	trusted, err := manifest.TrustRegistries(x.Trusted)
	must(t, err)
	report, err := kubernetes.Dir(ctx, filepath.Join(x.dir, "kubernetes"), kubernetes.Options{Trusted: trusted})
	must(t, err)
	x.apply(t, report)
	for _, dir := range glob(t, x.dir, "docker", "*") {
		report, err := docker.Dir(ctx, dir, docker.Options{Trusted: trusted})
		must(t, err)
		x.apply(t, report)
	}
	for _, file := range glob(t, x.dir, "sboms", "*.cdx.json") {
		f, err := os.Open(file)
		must(t, err)
		result, err := scan.SBOM(f)
		must(t, err)
		_ = f.Close()
		x.apply(t, result.Report())
	}
	return x
}

func newEngine(m triad.Matcher) *risk.Engine {
	return risk.NewEngine(risk.Options{
		Indexes: exposure.Indexes(),
		Ways: risk.Ways{
			Container: exposure.Of, Ports: exposure.Ports,
			Function: exposure.Function, Host: exposure.Host, DataStore: exposure.DataStore, Connect: exposure.Connect,
		},
		Matcher: m,
	})
}

func (x *estate) aws(t testing.TB, dir string) {
	t.Helper()
	report, err := cloudaws.FromDir(dir)
	must(t, err)
	x.apply(t, report)
}

func (x *estate) apply(t testing.TB, r *triad.Report) {
	t.Helper()
	r.Tenant = triad.DefaultTenant
	if r.Collector == "" { // the program names itself
		r.Collector = "triad test"
	}
	_, err := x.store.Apply(t.Context(), r)
	must(t, err)
}

func (x *estate) catchUp(t testing.TB) *risk.Update {
	t.Helper()
	u, err := x.engine.CatchUp(t.Context(), x.store)
	must(t, err)
	return u
}

func (x *estate) decisions(ctx context.Context, t testing.TB) []triad.Decision {
	t.Helper()
	list, err := x.store.Decisions(ctx, triad.DefaultTenant, triad.DecisionFilter{})
	must(t, err)
	return list
}

func TestTheShopComesOutAsExpected(t *testing.T) {
	x := collectScenario(t, "shop")
	x.catchUp(t)
	list := x.decisions(t.Context(), t)
	for _, f := range x.Findings {
		_, name := f.Workload.ref()
		t.Run(f.CVE+" of "+strings.Trim(name, "/"), func(t *testing.T) { checkFinding(t, list, f) })
	}
	t.Run("policy findings", func(t *testing.T) { checkPolicies(t, list, x.Policies) })
	t.Run("data stores", func(t *testing.T) { checkStores(t, x) })
	t.Run("the rebuilt engine decides the same and saves nothing", func(t *testing.T) {
		before, err := x.store.Position(t.Context(), triad.DefaultTenant)
		must(t, err)
		u, err := x.engine.Load(t.Context(), x.store)
		must(t, err)
		if len(u.Put) != 0 || len(u.Removed) != 0 {
			t.Errorf("a second load changed %d decisions and removed %d", len(u.Put), len(u.Removed))
		}
		after, err := x.store.Position(t.Context(), triad.DefaultTenant)
		must(t, err)
		if after != before {
			t.Errorf("a second load wrote %d changes", after-before)
		}
	})
}

func TestOpeningThePortFlipsAdminAlone(t *testing.T) {
	x := collectScenario(t, "shop")
	x.catchUp(t)
	before := map[string]triad.Decision{}
	for _, d := range x.decisions(t.Context(), t) {
		before[d.ID] = d
	}
	for _, dir := range x.changed(t) {
		x.aws(t, dir)
	}
	start := time.Now()
	u := x.catchUp(t)
	if took := time.Since(start); took > time.Second {
		t.Errorf("the change took %v, want less than a second", took)
	}
	list := x.decisions(t.Context(), t)
	for _, f := range x.After.Changes {
		checkFinding(t, list, f)
	}
	for _, d := range list {
		same := decisionJSON(t, before[d.ID]) == decisionJSON(t, d)
		changed := slices.ContainsFunc(x.After.Changes, func(f expectedFinding) bool { return f.Workload.is(d.Asset) })
		if !same && !changed {
			t.Errorf("%s of %s changed too:\n%s\n%s", d.Finding.ID, d.Asset.Name, decisionJSON(t, before[d.ID]), decisionJSON(t, d))
		}
		if !changed || same {
			continue
		}
		history, err := x.store.History(t.Context(), triad.DefaultTenant, triad.RowDecision, d.ID)
		must(t, err)
		last := history[len(history)-1]
		if len(history) < 2 || !strings.Contains(last.Cause, "SecurityGroup") && !strings.Contains(last.Cause, "sg-") || !strings.HasPrefix(last.Cause, "change ") {
			t.Errorf("%s of %s: %d changes, the last because of %q", d.Finding.ID, d.Asset.Name, len(history), last.Cause)
		}
	}
	if len(list) != len(before) {
		t.Errorf("%d decisions, %d before", len(list), len(before))
	}
	t.Logf("recomputed %d of %d subjects in %v: %v", u.Recomputed, u.Subjects, u.Took, u.Computed)
	if u.Recomputed > 5 {
		t.Errorf("%d of %d subjects recomputed for one security group rule", u.Recomputed, u.Subjects)
	}
}

// changed lays the changed files over the scenario's account and returns the folders.
func (x *estate) changed(t testing.TB) (laid []string) {
	t.Helper()
	for _, dir := range glob(t, filepath.Dir(x.dir), x.After.Folder, "aws", "*", "*") {
		account, region := filepath.Base(filepath.Dir(dir)), filepath.Base(dir)
		into := filepath.Join(t.TempDir(), account, region)
		must(t, os.CopyFS(into, os.DirFS(filepath.Join(x.dir, "aws", account, region))))
		for _, file := range glob(t, dir, "*.json") {
			data, err := os.ReadFile(file)
			must(t, err)
			_ = os.Chmod(filepath.Join(into, filepath.Base(file)), 0o644)
			must(t, os.WriteFile(filepath.Join(into, filepath.Base(file)), data, 0o644))
		}
		laid = append(laid, into)
	}
	return laid
}

// BenchmarkOpeningThePort measures what a rule change of the shop costs, back and forth: its
// report into the store, and the decisions brought up to date.
func BenchmarkOpeningThePort(b *testing.B) {
	x := collectScenario(b, "shop")
	x.catchUp(b)
	folders := [][]string{x.changed(b), glob(b, x.dir, "aws", "*", "*")}
	var applied, decided time.Duration
	recomputed := 0
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		for _, dir := range folders[i%2] {
			x.aws(b, dir)
		}
		applied += time.Since(start)
		u := x.catchUp(b)
		decided += u.Took
		recomputed = max(recomputed, u.Recomputed)
	}
	b.ReportMetric(float64(applied.Microseconds())/float64(b.N)/1000, "ms-report/op")
	b.ReportMetric(float64(decided.Microseconds())/float64(b.N)/1000, "ms-decide/op")
	b.ReportMetric(float64(recomputed), "recomputed")
}

func decisionJSON(t testing.TB, d triad.Decision) string {
	t.Helper()
	data, err := json.Marshal(d)
	must(t, err)
	return string(data)
}

func glob(t testing.TB, parts ...string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(parts...))
	must(t, err)
	return list
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
