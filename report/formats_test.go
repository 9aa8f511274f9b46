package report

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/openvex/go-vex/pkg/vex"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/triad-security/triad"
)

func TestJUnitSaysWhatFailedWhatWasSkippedAndWhatCouldNotBeRead(t *testing.T) {
	text := written(t, JUnit, sample())
	if !strings.HasPrefix(text, xml.Header) {
		t.Error("there is no XML declaration")
	}
	type node struct {
		Name     string `xml:"name,attr"`
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
		Errors   int    `xml:"errors,attr"`
		Skipped  int    `xml:"skipped,attr"`
	}
	var all struct {
		node
		Suites []struct {
			node
			Cases []struct {
				Name    string  `xml:"name,attr"`
				Failure *string `xml:"failure"`
				Error   *string `xml:"error"`
				Skipped *string `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	if all.Failures != 6 || all.Skipped != 4 || all.Errors != 1 || all.Tests != 11 {
		t.Errorf("%d tests, %d failures, %d errors, %d skipped", all.Tests, all.Failures, all.Errors, all.Skipped)
	}
	for _, s := range all.Suites {
		var n node
		for _, c := range s.Cases {
			n.Tests++
			if c.Failure != nil {
				n.Failures++
			}
			if c.Error != nil {
				n.Errors++
			}
			if c.Skipped != nil {
				n.Skipped++
			}
		}
		n.Name = s.Name
		if n != s.node {
			t.Errorf("suite %+v has %+v", s.node, n)
		}
	}
}

func TestJUnitOfACleanRunPassesWhatWasLookedForAlone(t *testing.T) {
	text := written(t, JUnit, clean())
	for _, want := range []string{"no vulnerability", "no secret", "no malicious file"} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no test %q", want)
		}
	}
	if strings.Contains(text, "no code weakness") {
		t.Error("code passed, and nobody looked at it")
	}
}

func TestCSVHasARowForEverythingAndNoFormulas(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(written(t, CSV, sample()))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+4+2+4+1 {
		t.Errorf("%d rows", len(rows))
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@|%", rune(cell[0])) {
				t.Errorf("a spreadsheet takes %q for a formula", cell)
			}
		}
	}
	at := slices.Index(rows[0], "suppressed")
	if rows[7][at] != "ignore" || rows[8][at] != "vex" {
		t.Errorf("suppressed by %s and %s", rows[7][at], rows[8][at])
	}
}

// gitlabSchema holds what GitLab's schema of container scanning 15.0.7 requires: its required
// fields, patterns and lengths, from GitLab's documentation of the report.
const gitlabSchema = `{
"type":"object","required":["scan","version","vulnerabilities"],
"properties":{
 "version":{"type":"string","pattern":"^15\\.[0-9]+\\.[0-9]+$"},
 "schema":{"type":"string","pattern":"^https?://.+"},
 "scan":{"type":"object","required":["analyzer","scanner","start_time","end_time","status","type"],"properties":{
  "analyzer":{"$ref":"#/$defs/tool"},"scanner":{"$ref":"#/$defs/tool"},
  "start_time":{"$ref":"#/$defs/time"},"end_time":{"$ref":"#/$defs/time"},
  "status":{"enum":["success","failure"]},"type":{"enum":["container_scanning"]},
  "messages":{"type":"array","items":{"type":"object","required":["level","value"],"properties":{"level":{"enum":["info","warn","fatal"]},"value":{"type":"string","minLength":1}}}}}},
 "vulnerabilities":{"type":"array","items":{"type":"object","required":["id","identifiers","location"],"properties":{
  "id":{"type":"string","pattern":"^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"},
  "name":{"type":"string","maxLength":255},"description":{"type":"string","maxLength":1048576},"solution":{"type":"string","maxLength":7000},
  "severity":{"enum":["Info","Unknown","Low","Medium","High","Critical"]},
  "identifiers":{"type":"array","minItems":1,"items":{"type":"object","required":["type","name","value"],"properties":{
   "type":{"type":"string","minLength":1},"name":{"type":"string","minLength":1},"value":{"type":"string","minLength":1},"url":{"type":"string","pattern":"^https?://.+"}}}},
  "links":{"type":"array","items":{"type":"object","required":["url"],"properties":{"url":{"type":"string","pattern":"^https?://.+"}}}},
  "location":{"type":"object","required":["dependency","operating_system","image"],"properties":{
   "dependency":{"type":"object","required":["package","version"],"properties":{"package":{"type":"object","required":["name"]},"version":{"type":"string"}}},
   "operating_system":{"type":"string","minLength":1},"image":{"type":"string","minLength":1}}}}}}},
"$defs":{
 "time":{"type":"string","pattern":"^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}$"},
 "tool":{"type":"object","required":["id","name","version","vendor"],"properties":{"id":{"type":"string","minLength":1},"name":{"type":"string","minLength":1},"version":{"type":"string","minLength":1},"url":{"type":"string","pattern":"^https?://.+"},"vendor":{"type":"object","required":["name"]}}}}}`

func TestGitLabsReportHasWhatItsSchemaRequires(t *testing.T) {
	schema, err := jsonschema.UnmarshalJSON(strings.NewReader(gitlabSchema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("gitlab.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("gitlab.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []*Document{sample(), clean(), {Artifact: Artifact{Type: "dir"}, Tool: Tool{Name: "Triad"}, Vulnerabilities: []triad.Vulnerability{{ID: "X"}}}} {
		holds(t, compiled, written(t, GitLab, d))
	}
	d := sample()
	d.Vulnerabilities = append(d.Vulnerabilities, d.Vulnerabilities[0])
	ids := map[string]bool{}
	for _, id := range regexp.MustCompile(`"id": "([0-9a-f-]{36})"`).FindAllString(written(t, GitLab, d), -1) {
		if ids[id] {
			t.Errorf("%s stands twice", id)
		}
		ids[id] = true
	}
	if len(ids) != 5 {
		t.Errorf("%d ids of 5 vulnerabilities", len(ids))
	}
	d.Unread = []triad.Unread{{Section: "vulnerabilities", Reason: "no advisories"}}
	if text := written(t, GitLab, d); !strings.Contains(text, `"status": "failure"`) {
		t.Error("a scan whose vulnerabilities were not looked up succeeded")
	}
}

func TestOpenVEXClaimsNoMoreThanWasSaid(t *testing.T) {
	d := sample()
	d.Vulnerabilities = d.Vulnerabilities[:3]
	d.Vulnerabilities[1].VEX = &triad.VEXStatement{Status: "affected", Detail: "upgrade", Source: "vendor.json"}
	text := written(t, OpenVEX, d)
	doc, err := vex.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if doc.Context != "https://openvex.dev/ns/v0.2.0" || doc.ID == "" || doc.Version != 1 {
		t.Errorf("context %q, id %q, version %d", doc.Context, doc.ID, doc.Version)
	}
	want := map[string]vex.Status{
		"CVE-2024-0001": vex.StatusUnderInvestigation, "CVE-2024-0002": vex.StatusAffected,
		"GO-2024-0003":  vex.StatusUnderInvestigation, // that it is not linked in is for people to confirm
		"CVE-2024-0009": vex.StatusAffected,           // accepted by people: that does not make it unaffected
		"CVE-2024-0010": vex.StatusNotAffected,
	}
	for i := range doc.Statements {
		s := &doc.Statements[i]
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", s.Vulnerability.Name, err)
		}
		if s.Status != want[string(s.Vulnerability.Name)] {
			t.Errorf("%s is %s, want %s", s.Vulnerability.Name, s.Status, want[string(s.Vulnerability.Name)])
		}
		delete(want, string(s.Vulnerability.Name))
		if len(s.Products) != 1 || !strings.HasPrefix(s.Products[0].ID, "pkg:oci/web@sha256") || len(s.Products[0].Subcomponents) != 1 {
			t.Errorf("%s is of %+v", s.Vulnerability.Name, s.Products)
		}
	}
	if len(want) > 0 {
		t.Errorf("nothing is said of %v", want)
	}
}

func TestOpenVEXOfAFolderNamesThePackagesAsProducts(t *testing.T) {
	d := sample()
	d.Artifact = Artifact{Type: "dir", Name: "."}
	d.Vulnerabilities, d.Suppressed = d.Vulnerabilities[2:3], nil
	doc, err := vex.Parse([]byte(written(t, OpenVEX, d)))
	if err != nil {
		t.Fatal(err)
	}
	if p := doc.Statements[0].Products[0]; p.ID != "pkg:golang/golang.org/x/net@0.1.0" {
		t.Errorf("the product is %s", p.ID)
	}
	d.Vulnerabilities = nil
	if text := written(t, OpenVEX, d); !json.Valid([]byte(text)) || !strings.Contains(text, `"statements": []`) {
		t.Error("an empty document has no list of statements")
	}
}
