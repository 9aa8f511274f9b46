package server_test

import (
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/bench/estate"
	"github.com/triad-security/triad/server"
	"github.com/triad-security/triad/server/datadir"
)

// Nothing is scanned or read again: the store's packages are joined with the new advisory,
// by the scans' and the advisories' spelling of the name.
func TestANewAdvisoryFindsTheWorkloadsThatRunItsPackage(t *testing.T) {
	dir := datadir.Dir(t.TempDir())
	importRecords(t, dir, record(1000, "package-1", "1.0"))
	core, err := server.OpenCore(t.Context(), dir, "", triad.DefaultTenant)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = core.Close() }()
	// 40 images of ten versions: each of 60 deployments runs one, so that versions below 3.0 are a third.
	size := estate.Size{Cells: 2, Nodes: 2, Deployments: 30, Images: 40, Packages: 10}
	if err := size.Reports(func(r *triad.Report) error { _, err := core.Store.Apply(t.Context(), r); return err }); err != nil {
		t.Fatal(err)
	}
	if _, err := core.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	var listed []triad.AssetRef
	core.Affected = func(_ string, workloads []triad.AssetRef) { listed = workloads }
	importRecords(t, dir, record(1000, "package-1", "1.0"), record(1001, "package-7", "3.0"))
	u, err := core.CatchUp(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := core.Decisions(t.Context(), triad.DecisionFilter{Text: "CVE-2026-1001"})
	if err != nil || len(decisions) == 0 || len(decisions) != len(u.Put) || u.Recomputed != len(listed) {
		t.Fatalf("%d decisions, %d written, %d recomputed, %d listed, %v", len(decisions), len(u.Put), u.Recomputed, len(listed), err)
	}
	if u.Recomputed >= u.Subjects/2 {
		t.Errorf("%d of %d workloads were looked at again", u.Recomputed, u.Subjects)
	}
	for _, d := range decisions {
		if u.Cause[d.ID] == "" {
			t.Errorf("the decision on %s has no cause", d.Asset.Name)
		}
	}
	// The same estate read anew says the same.
	fresh, err := server.OpenCore(t.Context(), dir, "", triad.DefaultTenant)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = fresh.Close() }()
	again, err := fresh.CatchUp(t.Context())
	if err != nil || len(again.Put)+len(again.Removed) != 0 {
		t.Errorf("read anew, %d decisions differ and %d are gone; %v", len(again.Put), len(again.Removed), err)
	}
}
