package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/risk"
)

// checkFinding compares a decision with what its scenario fixes: values, port, hops in their
// order, or the hop that blocks.
func checkFinding(t *testing.T, list []triad.Decision, f expectedFinding) {
	t.Helper()
	i := slices.IndexFunc(list, func(d triad.Decision) bool {
		return f.Workload.is(d.Asset) && (d.Finding.ID == f.CVE || slices.Contains(d.Finding.Aliases, f.CVE))
	})
	if i < 0 {
		t.Errorf("no decision on %s for %+v", f.CVE, f.Workload)
		return
	}
	d := list[i]
	for _, v := range [][3]string{
		{"exposure", string(d.Exposure), string(f.Exposure)},
		{"exploitation", d.Exploitation, hyphen(f.SSVC.Exploitation.Value)},
		{"automatable", d.Automatable, f.SSVC.Automatable.Value},
		{"impact", d.Impact, hyphen(f.SSVC.Impact.Value)},
		{"decision", string(d.Outcome), string(f.SSVC.Decision)},
	} {
		if v[1] != v[2] {
			t.Errorf("%s is %s, want %s", v[0], v[1], v[2])
		}
	}
	port := 0
	if f.Port != nil {
		port = f.Port.Container
	}
	function := f.Workload.Kind == "LambdaFunction"
	if d.Port != port && !(function && d.Port == 443) {
		t.Errorf("port is %d, want %d", d.Port, port)
	}
	if f.Port != nil && f.Port.Sources != nil && !slices.Equal(d.Sources, f.Port.Sources) {
		t.Errorf("sources are %v, want %v", d.Sources, f.Port.Sources)
	}
	if !slices.ContainsFunc(d.Packages, func(v triad.Vulnerability) bool { return v.PURL == f.Package && v.Fixed == f.Fixed }) {
		t.Errorf("no package %s fixed in %s among %+v", f.Package, f.Fixed, d.Packages)
	}
	rest := d.Proof
	for _, want := range f.Hops {
		at := slices.IndexFunc(rest, want.is)
		if at < 0 {
			t.Errorf("the proof lacks %s %s, or has it elsewhere:\n%s", want.Type, want.ID, hops(d.Proof))
			break
		}
		rest = rest[at+1:]
	}
	if f.BlockedAt != nil {
		checkStop(t, d.BlockedBy, d.AlsoBlockedBy, *f.BlockedAt, f.AlsoBlockedAt)
	} else if d.BlockedBy != nil {
		t.Errorf("blocked by %+v, want an open way", *d.BlockedBy)
	}
	for _, in := range d.Inputs {
		if in.Reason == "" {
			t.Errorf("input %s has no reason", in.Name)
		}
	}
	if t.Failed() {
		t.Logf("%s\n%s", d.Sentence, decisionJSON(t, d))
	}
}

// checkStop takes blocked_at or any of also_blocked_at, which are just as true.
func checkStop(t *testing.T, by *triad.Hop, also []triad.Hop, want expectedHop, others []expectedHop) {
	t.Helper()
	if by == nil {
		t.Errorf("nothing blocks, want %s %s", want.Type, want.ID)
		return
	}
	named := append([]triad.Hop{*by}, also...)
	for _, w := range append([]expectedHop{want}, others...) {
		if slices.ContainsFunc(named, w.is) {
			return
		}
	}
	t.Errorf("blocked at %s, want %s %s or one of %v", hops(named), want.Type, want.ID, others)
}

// checkPolicies wants every rule's workloads, and no others.
func checkPolicies(t *testing.T, list []triad.Decision, want []expectedPolicy) {
	t.Helper()
	for _, p := range want {
		var on []string
		found := false
		for _, d := range list {
			if d.Finding.Kind != triad.FindingMisconfiguration || d.Finding.ID != p.Rule {
				continue
			}
			switch {
			case p.Workload != nil && p.Workload.is(d.Asset), p.Instance != "" && strings.Contains(d.Asset.ID+d.Asset.Name, p.Instance):
				found = true
			case !slices.ContainsFunc(want, func(o expectedPolicy) bool { return o.Rule == p.Rule && o.Workload != nil && o.Workload.is(d.Asset) }):
				on = append(on, d.Asset.Name)
			}
		}
		if !found && !p.Optional {
			t.Errorf("no %s on %+v", p.Rule, p.Workload)
		}
		if len(on) > 0 && !p.Optional {
			t.Errorf("%s also on %v", p.Rule, on)
		}
	}
}

// checkStores compares who reaches each data store, and how exposed its endpoint is.
func checkStores(t *testing.T, x *estate) {
	t.Helper()
	stores := x.engine.DataStores()
	for _, want := range x.Stores {
		i := slices.IndexFunc(stores, func(s risk.DataStore) bool { return s.Name == want.ID })
		if i < 0 {
			t.Errorf("no data store %s", want.ID)
			continue
		}
		s := stores[i]
		if s.Public != want.Public {
			t.Errorf("%s is public: %t, want %t", want.ID, s.Public, want.Public)
		}
		if want.Exposure != "" && s.Exposure != want.Exposure {
			t.Errorf("%s is %s, want %s", want.ID, s.Exposure, want.Exposure)
		}
		if want.BlockedAt != nil {
			checkStop(t, s.BlockedBy, s.AlsoBlockedBy, *want.BlockedAt, want.Also)
		}
		var by []struct {
			Workload expectedWorkload `json:"workload"`
		}
		if json.Unmarshal(want.ReachedBy, &by) != nil { // ["internet"]
			continue
		}
		for _, w := range by {
			if !slices.ContainsFunc(s.ReachedBy, func(r triad.AssetRef) bool { return w.Workload.is(r) }) {
				t.Errorf("%s is not reached by %+v", want.ID, w.Workload)
			}
		}
		for _, r := range s.ReachedBy {
			if r.Kind != "Host" && !slices.ContainsFunc(by, func(w struct {
				Workload expectedWorkload `json:"workload"`
			},
			) bool {
				return w.Workload.is(r)
			}) {
				t.Errorf("%s is reached by %s %s too", want.ID, r.Kind, r.Name)
			}
		}
	}
}

func hyphen(s string) string { return strings.ReplaceAll(s, " ", "-") }

func hops(list []triad.Hop) string {
	var b strings.Builder
	for _, h := range list {
		b.WriteString(h.Type + " " + h.ID + " " + h.Reason + "\n")
	}
	return b.String()
}
