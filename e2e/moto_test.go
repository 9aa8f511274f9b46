package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/cloud/aws/mototest"
)

// TestTheShopReadLiveIsDecidedAsFromItsDump loads shop's account into an API server of other
// people's making, collects it live with the program beside shop's cluster and Docker host, and
// compares decision by decision with the same program on shop's own dump. Then a rule is added
// on the server.
func TestTheShopReadLiveIsDecidedAsFromItsDump(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and starts an API server")
	}
	shop := filepath.Join(shared(t), "scenarios", "shop")
	account := glob(t, shop, "aws", "*", "*")[0]
	id, region := filepath.Base(filepath.Dir(account)), filepath.Base(account)
	var x scenario
	expect, err := os.ReadFile(filepath.Join(shop, "expect.json"))
	must(t, err)
	must(t, json.Unmarshal(expect, &x))

	url := mototest.Start(t, id)
	l := mototest.NewLoader(t, url, region, account)
	l.Load(t.Context())
	rewritten := t.TempDir()
	for _, scope := range []string{"kubernetes", "docker"} {
		l.RewriteDir(filepath.Join(shop, scope), filepath.Join(rewritten, scope))
	}

	bin := program(t)
	dump, live := t.TempDir(), t.TempDir()
	run(t, bin, "--data", dump, "db", "import", filepath.Join(shop, "advisories"))
	for _, file := range glob(t, shop, "sboms", "*.cdx.json") {
		run(t, bin, "--data", dump, "scan", "sbom", file)
	}
	must(t, os.CopyFS(live, os.DirFS(dump))) // both name functions and digests alike
	workloads(t, bin, dump, shop, x.Trusted)
	workloads(t, bin, live, rewritten, x.Trusted)
	run(t, bin, "--data", dump, "collect", "aws", "--from", account)
	collect := func() []byte {
		return run(t, bin, "--data", live, "collect", "aws", "--endpoint-url", url, "--region", region, "--format", "json")
	}
	checkUnread(t, collect())

	asIs := func(s string) string { return s }
	want := verdicts(t, risksIn(t, bin, dump), l.Rewrite)
	before := verdicts(t, risksIn(t, bin, live), asIs)
	if len(want) < len(x.Findings) {
		t.Fatalf("%d decisions from the dump", len(want))
	}
	t.Logf("%d decisions of shop from its dump, %d live", len(want), len(before))
	for _, k := range keys(want, before) {
		compare(t, k, want[k], before[k])
	}

	later := glob(t, filepath.Dir(shop), x.After.Folder, "aws", id, region)
	l.AllowFrom(t.Context(), later[0])
	collect()
	after := verdicts(t, risksIn(t, bin, live), asIs)
	for _, k := range keys(before, after) {
		changes := slices.ContainsFunc(x.After.Changes, func(f expectedFinding) bool {
			_, name := f.Workload.ref()
			return strings.HasSuffix(k, " "+l.Rewrite(name))
		})
		same := mustJSON(t, before[k]) == mustJSON(t, after[k])
		if !changes && !same {
			t.Errorf("%s changed with the rule too:\n%s\n%s", k, mustJSON(t, before[k]), mustJSON(t, after[k]))
		}
	}
	for _, f := range x.After.Changes {
		kind, name := f.Workload.ref()
		k := f.CVE + " " + kind + " " + l.Rewrite(name)
		v := after[k]
		if v == nil || v.Exposure != f.Exposure || v.Outcome != f.SSVC.Decision || before[k].Exposure == f.Exposure {
			t.Errorf("%s after the rule: %s, want %s and %s", k, mustJSON(t, v), f.Exposure, f.SSVC.Decision)
		}
	}
}

// workloads collects what is not AWS: the cluster and Docker hosts.
func workloads(t *testing.T, bin, data, dir string, trusted []string) {
	t.Helper()
	args := func(rest ...string) []string {
		for _, r := range trusted {
			rest = append(rest, "--trusted-registry", r)
		}
		return append([]string{"--data", data}, rest...)
	}
	run(t, bin, args("collect", "kubernetes", "--from", filepath.Join(dir, "kubernetes"))...)
	for _, host := range glob(t, dir, "docker", "*") {
		run(t, bin, args("collect", "docker", "--from", host)...)
	}
}

func risksIn(t *testing.T, bin, data string) []triad.Decision {
	t.Helper()
	var list []triad.Decision
	must(t, json.Unmarshal(run(t, bin, "--data", data, "risks", "--format", "json"), &list))
	return list
}

// motoLacks is what the server cannot hold of shop, and how a decision differs for it. Nothing
// else may differ. docs/collect-aws.md has the same list.
var motoLacks = []struct {
	what    string
	section string // unread for it
	asset   string // whose decisions differ
	// forgive makes the two equal if they differ for no other reason.
	forgive func(dump, live *verdict)
}{
	{
		what:    "add-ons of a cluster cannot be listed, so that its network plugin enforces policies is not known, and none is named as blocking",
		section: "eks-describe-addon",
		asset:   "Deployment shop/batch/batch",
		forgive: func(dump, _ *verdict) { dump.AlsoBlockedBy = without(dump.AlsoBlockedBy, "network-policy", "") },
	},
	{
		what:  "target health tells no zone, so a proof may go over the load balancer's node in the other zone, past the network ACLs between",
		asset: "Deployment shop/partners/partners",
		forgive: func(dump, live *verdict) {
			dump.Proof, live.Proof = without(dump.Proof, "network-acl", "target-group"), without(live.Proof, "network-acl", "target-group")
		},
	},
}

// without leaves out hops of a type, after the first of another type if one is given.
func without(hops []string, typ, after string) []string {
	var out []string
	past := after == ""
	for _, h := range hops {
		past = past || strings.HasPrefix(h, after+" ")
		if !past || !strings.HasPrefix(h, typ+" ") {
			out = append(out, h)
		}
	}
	return out
}

func checkUnread(t *testing.T, summary []byte) {
	t.Helper()
	var list []struct{ Sections []triad.Section }
	must(t, json.Unmarshal(summary, &list))
	for _, s := range list[0].Sections {
		if s.Status != triad.SectionUnread {
			continue
		}
		known := false
		for _, lack := range motoLacks {
			known = known || s.Name == lack.section
		}
		if !known {
			t.Errorf("%s is unread: %s", s.Name, s.Reason)
		}
	}
}

// verdict is what of a decision must not depend on how the account was read.
type verdict struct {
	Outcome       triad.Outcome
	Exposure      triad.Exposure
	Exploitation  string
	Automatable   string
	Impact        string
	Port          int
	Proof         []string // hops in order, type and id
	BlockedBy     string   // type and id
	AlsoBlockedBy []string
	Sources       []string
	Packages      int
	Unread        []string
	Fix           triad.Fix
}

// verdicts are decisions by finding and asset, ids mapped.
func verdicts(t *testing.T, list []triad.Decision, rewrite func(string) string) map[string]*verdict {
	out := map[string]*verdict{}
	for _, d := range list {
		v := &verdict{
			Outcome: d.Outcome, Exposure: d.Exposure, Exploitation: d.Exploitation, Automatable: d.Automatable,
			Impact: d.Impact, Port: d.Port, Sources: d.Sources, Packages: len(d.Packages),
		}
		hop := func(h triad.Hop) string { return h.Type + " " + rewrite(h.ID) }
		for _, h := range d.Proof {
			v.Proof = append(v.Proof, hop(h))
		}
		if d.BlockedBy != nil {
			v.BlockedBy = hop(*d.BlockedBy)
		}
		for _, h := range d.AlsoBlockedBy {
			v.AlsoBlockedBy = append(v.AlsoBlockedBy, hop(h))
		}
		for _, u := range d.Unread {
			v.Unread = append(v.Unread, u.Section)
		}
		if d.Fix != nil {
			v.Fix = *d.Fix
			v.Fix.Detail = rewrite(v.Fix.Detail)
		}
		k := rewrite(d.Finding.ID + " " + d.Asset.Kind + " " + d.Asset.Name)
		if out[k] != nil {
			t.Errorf("two decisions on %s", k)
		}
		out[k] = v
	}
	return out
}

func keys(a, b map[string]*verdict) []string {
	var out []string
	for k := range a {
		out = append(out, k)
	}
	for k := range b {
		if a[k] == nil {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

func compare(t *testing.T, k string, want, got *verdict) {
	t.Helper()
	w, g := mustJSON(t, want), mustJSON(t, got)
	if w == g {
		return
	}
	for _, lack := range motoLacks {
		if want != nil && got != nil && strings.HasSuffix(k, " "+lack.asset) {
			dump, live := *want, *got
			lack.forgive(&dump, &live)
			if mustJSON(t, dump) == mustJSON(t, live) {
				t.Logf("%s differs: %s", k, lack.what)
				return
			}
		}
	}
	t.Errorf("%s\nfrom the dump %s\nlive          %s", k, w, g)
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	must(t, err)
	return string(data)
}
