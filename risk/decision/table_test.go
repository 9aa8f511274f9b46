package decision_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/risk/decision"
)

func TestEveryRowOfThePublishedTableComesOut(t *testing.T) {
	dir := shared(t)
	f, err := os.Open(filepath.Join(dir, "advisories/ssvc/deployer_patch_application_priority_1_0_0.csv"))
	if err != nil {
		t.Skip("the published SSVC table is not here: ", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 73 {
		t.Fatalf("the published table has %d lines, want a head and 72 rows", len(rows))
	}
	for _, r := range rows[1:] {
		outcome, row, err := decision.Decide(r[1], triad.Exposure(r[2]), r[3], r[4])
		if err != nil || string(outcome) != r[5] || strconv.Itoa(row) != r[0] {
			t.Errorf("row %v: got %s, row %d, %v", r, outcome, row, err)
		}
	}
}

func TestUnknownExposureCountsAsOpen(t *testing.T) {
	outcome, row, err := decision.Decide("active", triad.ExposureUnknown, "yes", "high")
	if err != nil || outcome != triad.Immediate || row != 70 {
		t.Errorf("got %s, row %d, %v; want immediate, row 70", outcome, row, err)
	}
}

func TestAValueOutsideTheTableIsAnError(t *testing.T) {
	if _, _, err := decision.Decide("maybe", triad.ExposureOpen, "yes", "high"); err == nil {
		t.Error("no error for exploitation \"maybe\"")
	}
}

func TestRankOrdersByOutcomeThenEPSSThenUseThenCVSS(t *testing.T) {
	yes, no := true, false
	vulnerability := triad.FindingRef{Kind: triad.FindingVulnerability}
	want := []triad.Decision{
		{ID: "a", Outcome: triad.Immediate},
		{ID: "b", Outcome: triad.OutOfCycle, EPSS: 0.9},
		{ID: "c", Outcome: triad.OutOfCycle, EPSS: 0.1, InUse: &yes},
		{ID: "d", Outcome: triad.OutOfCycle, EPSS: 0.1, CVSS: 9},
		{ID: "e", Outcome: triad.OutOfCycle, EPSS: 0.1, CVSS: 5},
		{ID: "f", Outcome: triad.OutOfCycle, EPSS: 0.1, InUse: &no, CVSS: 10},
		{ID: "z", Outcome: triad.Scheduled, Finding: vulnerability},
		{ID: "g", Outcome: triad.Scheduled},
	}
	got := []triad.Decision{want[7], want[3], want[5], want[1], want[6], want[4], want[0], want[2]}
	decision.Rank(got)
	for i := range want {
		if got[i].ID != want[i].ID {
			t.Errorf("place %d: got %s, want %s", i, got[i].ID, want[i].ID)
		}
	}
}

// shared finds the folder of shared test data beside the repository.
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
		candidate := filepath.Join(dir, "shared")
		if _, err := os.Stat(filepath.Join(candidate, "advisories")); err == nil {
			return candidate
		}
	}
	t.Skip("no folder shared beside the repository; set TRIAD_SHARED")
	return ""
}
