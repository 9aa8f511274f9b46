package risk

import (
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/risk/graph"
)

func findingsKey(asset string) string { return "findings|" + asset }

// findingsOf returns an asset's findings, of all scopes, ordered by key.
func (e *Engine) findingsOf(c *graph.Context, asset string) []triad.Finding {
	c.Note(findingsKey(asset))
	byKey := e.findings[asset]
	list := make([]triad.Finding, 0, len(byKey))
	for _, f := range byKey {
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b triad.Finding) int { return strings.Compare(a.Key(), b.Key()) })
	return list
}

// misconfigurations adds what collectors and scans found themselves, one finding per kind and
// rule: of the subject, and of the images or code that it runs.
//
// SSVC was made for vulnerabilities; for other findings its inputs are read so:
// Exploitation is public-poc where the method is well known (SSVC's own second meaning of
// the value), which a severity of high or critical says, active where that is malware, else
// none; Automatable is no: it takes a foothold first; exposure and impact are the workload's.
func (f *folder) misconfigurations() {
	for _, asset := range sorted(slices.Concat(f.s.Findings, f.scanned)) {
		for _, x := range f.e.findingsOf(f.c, asset) {
			key := string(x.Kind) + "|" + x.ID
			j := f.byID[key]
			if j == nil {
				j = &judged{
					ID: decisionID(f.e.options.Tenant, f.s.Ref, x.Kind, x.ID), Way: f.anyWay(), Exploit: "none", Auto: "no",
				}
				f.byID[key] = j
			}
			j.Findings = append(j.Findings, x)
			if s := strings.ToLower(x.Severity); s == "high" || s == "critical" {
				j.Exploit = higherExploitation(j.Exploit, "public-poc")
				if x.Kind == triad.FindingMalware {
					j.Exploit = "active" // whoever put it there is at work
				}
			}
		}
	}
}

// publicStore grades a data store that is reached through its provider's API.
func publicStore(d dataStore) *way {
	switch {
	case d.Public:
		return &way{Result: reach.Result{
			Verdict: reach.Reachable, Exposure: triad.ExposureOpen,
			Path: []triad.Hop{{Type: "internet"}, {Type: "resource-policy", ID: d.ID}},
		}, Member: d.Name}
	case d.PublicUnknown != "":
		return &way{Result: reach.Result{
			Verdict: reach.Unknown, Exposure: triad.ExposureUnknown,
			Unread: []triad.Unread{{Section: d.Label, Reason: d.PublicUnknown}},
		}, Member: d.Name}
	}
	return &way{Result: small(triad.Hop{Type: "resource-policy", ID: d.ID, Reason: "no policy lets everybody in"}), Member: d.Name}
}

func small(by triad.Hop) reach.Result {
	return reach.Result{Verdict: reach.Blocked, Exposure: triad.ExposureSmall, BlockedBy: &by}
}

// storeImpact is the impact of a finding on a data store itself.
func storeImpact(d dataStore) impact {
	i := impact{Value: "high", Reason: "it is " + d.Label, Change: "a data store is at least high, a restricted one very-high"}
	if d.Public && d.PublicUnknown == "" && d.Classification == "public" {
		return impact{Value: "low", Reason: d.Label + " is classified public", Change: "another data-classification would make it high"}
	}
	if d.Classification == "restricted" {
		i.Value = "very-high"
	}
	if d.Classification != "" {
		i.Reason += " (data-classification " + d.Classification + ")"
	}
	return i
}
