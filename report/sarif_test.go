package report

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	sarif "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/triad-security/triad"
)

// readSARIF holds the text against the schema of OASIS and reads it with another implementation.
func readSARIF(t *testing.T, d *Document) *sarif.Run {
	t.Helper()
	text := written(t, SARIF, d)
	holds(t, moduleSchema(t, "github.com/securego/gosec/v2", "report", "sarif", "testdata", "sarif-schema-2.1.0.json"), text)
	log, err := sarif.FromString(text)
	if err != nil {
		t.Fatal(err)
	}
	return log.Runs[0]
}

func TestSARIFIsValidAndHoldsEveryFinding(t *testing.T) {
	d := sample()
	run := readSARIF(t, d)
	if got := len(run.Results); got != 4+2+3 {
		t.Fatalf("%d results, want 9: 4 vulnerabilities, 2 findings, 3 set aside; filtered ones are not in it", got)
	}
	for _, r := range run.Results {
		rule := run.Tool.Driver.Rules[r.RuleIndex]
		if *rule.ID != *r.RuleID {
			t.Errorf("result of %s points to the rule %s", *r.RuleID, *rule.ID)
		}
		uri := *r.Locations[0].PhysicalLocation.ArtifactLocation.URI
		if strings.HasPrefix(uri, "/") || strings.Contains(uri, "..") || strings.Contains(uri, ":") {
			t.Errorf("uri %q is not relative", uri)
		}
		if r.PartialFingerprints["primaryLocationLineHash"] == "" {
			t.Errorf("%s has no fingerprint", *r.RuleID)
		}
	}
	secret := run.Results[4]
	if at := secret.Locations[0].PhysicalLocation; *at.Region.StartLine != 3 || *at.ArtifactLocation.URI != "app/.env" {
		t.Errorf("the secret is at %s:%d", *at.ArtifactLocation.URI, *at.Region.StartLine)
	}
	for i, r := range run.Results {
		if suppressed := len(r.Suppressions) > 0; suppressed != (i >= 6) {
			t.Errorf("result %d: suppressed is %v", i, suppressed)
		}
	}
	if s := run.Results[6].Suppressions[0]; *s.Justification != "not called" || *s.Status != "accepted" {
		t.Errorf("suppression is %+v", s)
	}
}

func TestSARIFScoresSayWhatTheSeveritySays(t *testing.T) {
	run := readSARIF(t, sample())
	for _, r := range run.Tool.Driver.Rules {
		want := map[string]string{"CVE-2024-0001": "9.8", "CVE-2024-0002": "2.0", "GO-2024-0003": "7.5", "DL3002": "5.5"}[*r.ID]
		if want != "" && r.Properties.Properties["security-severity"] != want {
			t.Errorf("security-severity of %s is %v, want %s", *r.ID, r.Properties.Properties["security-severity"], want)
		}
	}
}

func TestSARIFOfACleanRunListsWhatWasLookedFor(t *testing.T) {
	d := clean()
	run := readSARIF(t, d)
	var ids []string
	for _, r := range run.Tool.Driver.Rules {
		ids = append(ids, *r.ID)
	}
	if !slices.Equal(ids, []string{"aws-access-key", "DL3002"}) || len(run.Results) != 0 {
		t.Errorf("rules %v, %d results", ids, len(run.Results))
	}
	if !*run.Invocations[0].ExecutionSuccessful {
		t.Error("a clean run was not successful")
	}
	if !strings.Contains(written(t, SARIF, d), `"results": []`) {
		t.Error("results must be an empty list: null says that nobody looked (SARIF 3.14.23)")
	}
}

func TestSARIFSaysWhatWasNotRead(t *testing.T) {
	d := clean()
	d.Unread = []triad.Unread{{Section: "vulnerabilities", Reason: "no advisories"}, {Section: "secrets", Reason: "a file is damaged"}, {Section: "secrets", Reason: "another"}}
	i := readSARIF(t, d).Invocations[0]
	if *i.ExecutionSuccessful || len(i.ToolExecutionNotifications) != 3 {
		t.Fatalf("successful %v, %d notifications", *i.ExecutionSuccessful, len(i.ToolExecutionNotifications))
	}
	if n := i.ToolExecutionNotifications[0]; n.Level != "error" || *n.Message.Text != "Not read: vulnerabilities: no advisories" {
		t.Errorf("notification %s: %s", n.Level, *n.Message.Text)
	}
	d.Unread = d.Unread[1:]
	if !*readSARIF(t, d).Invocations[0].ExecutionSuccessful {
		t.Error("that a file could not be searched for secrets makes the run unsuccessful")
	}
}

func TestSARIFFingerprintsStayWhenVersionsChangeAndAreUniqueInARun(t *testing.T) {
	d := sample()
	d.Vulnerabilities = append(d.Vulnerabilities, d.Vulnerabilities[0])
	seen := map[string]bool{}
	before := readSARIF(t, d)
	for _, r := range before.Results {
		f := r.PartialFingerprints["triad/v1"]
		if seen[f] {
			t.Errorf("%s stands twice", f)
		}
		seen[f] = true
	}
	d.Vulnerabilities[0].Version = "3.0.10-1"
	if after := readSARIF(t, d); after.Results[0].PartialFingerprints["triad/v1"] != before.Results[0].PartialFingerprints["triad/v1"] {
		t.Error("another version makes it another result")
	}
}

func TestSARIFIsOneJSONValue(t *testing.T) {
	if !json.Valid([]byte(written(t, SARIF, sample()))) {
		t.Error("it is not")
	}
}

func TestSARIFPlacesAFindingOfAnImageAtTheLineOfTheDockerfile(t *testing.T) {
	d := sample()
	d.Vulnerabilities[0].Dockerfile = "build/Dockerfile:12-15"
	d.Findings[0].Dockerfile = "Dockerfile:2 or Dockerfile:5"
	run := readSARIF(t, d)
	for i, want := range map[int][4]string{0: {"build/Dockerfile", "12", "15", "var/lib/dpkg/status"}, 4: {"Dockerfile", "2", "0", "app/.env"}} {
		r := run.Results[i]
		at := r.Locations[0].PhysicalLocation
		end := 0
		if at.Region.EndLine != nil {
			end = *at.Region.EndLine
		}
		got := [4]string{*at.ArtifactLocation.URI, strconv.Itoa(*at.Region.StartLine), strconv.Itoa(end), *r.RelatedLocations[0].PhysicalLocation.ArtifactLocation.URI}
		if got != want || *at.ArtifactLocation.URIBaseID != "%SRCROOT%" {
			t.Errorf("result %d is at %v, want %v", i, got, want)
		}
	}
}
