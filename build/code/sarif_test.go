package code

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestResultsOfAnotherAnalyserBecomeFindings(t *testing.T) {
	im, err := ImportFile("testdata/semgrep.sarif", "/src/shop")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range im.Findings {
		got = append(got, fmt.Sprintf("%s %s %s:%d %v %s", f.ID, f.Severity, f.Path, f.Line, f.Aliases, f.Evidence[0].Source))
	}
	want := []string{
		"python.eval high app/main.py:12 [CWE-95] Semgrep OSS 1.97.0",
		"python.md5 medium app/hash it.py:3 [CWE-327] Semgrep OSS 1.97.0",
		"python.note low /etc/other.py:1 [] Semgrep OSS 1.97.0",
		"python.md5 medium app/c.py:9 [CWE-327] Semgrep OSS 1.97.0",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("found\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if im.Suppressed != 1 {
		t.Errorf("%d suppressed, not 1", im.Suppressed)
	}
	if len(im.Unread) != 1 || !strings.Contains(im.Unread[0].Reason, "broken.py could not be parsed") {
		t.Errorf("unread: %v", im.Unread)
	}
	if d := im.Findings[0].Evidence[0].Detail; d != "matchBasedId/v1=abc" {
		t.Errorf("fingerprint %q", d)
	}
}

func TestAnAnalyserThatDidNotLookIsUnread(t *testing.T) {
	for name, doc := range map[string]string{
		"it failed":         `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"invocations":[{"executionSuccessful":false}],"results":[]}]}`,
		"it has no results": `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}}}]}`,
	} {
		im, err := Import(strings.NewReader(doc), "")
		if err != nil || len(im.Unread) != 1 {
			t.Errorf("%s: %v, unread %v", name, err, im)
		}
	}
}

func TestASecretInAMessageIsMasked(t *testing.T) {
	leak := "Tr0ub4dor" + "&3x"
	doc := `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[{"ruleId":"r","message":{"text":"DB_PASSWORD=` + leak + `"}}]}]}`
	im, err := Import(strings.NewReader(doc), "")
	if err != nil {
		t.Fatal(err)
	}
	if out, _ := json.Marshal(im); strings.Contains(string(out), leak) || strings.Contains(string(out), `\u00263x`) {
		t.Errorf("in clear: %s", out)
	}
}

func TestWhatIsNoSARIFIsRefused(t *testing.T) {
	for name, doc := range map[string]string{
		"empty": "", "text": "hello", "another document": `{"bomFormat":"CycloneDX"}`, "SARIF 1": `{"version":"1.0.0","runs":[]}`,
		"nested deep": `{"version":"2.1.0","runs":` + strings.Repeat("[", 200000) + strings.Repeat("]", 200000) + `}`,
		"cut off":     `{"version":"2.1.0","runs":[{"results":[{"ruleId":"x"`,
	} {
		if _, err := Import(strings.NewReader(doc), ""); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func FuzzImport(f *testing.F) {
	data, err := os.ReadFile("testdata/semgrep.sarif")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x","rules":[{"id":"a","properties":{"security-severity":9.8,"tags":7}}]}},"results":[{"rule":{"index":0,"toolComponent":{"index":5}},"ruleIndex":-1,"level":"none"}]}]}`))
	f.Add([]byte(`{"version":"2.1.0","runs":[{"originalUriBaseIds":{"A":{"uri":"x/","uriBaseId":"B"},"B":{"uriBaseId":"A"}},"results":[{"locations":[{"physicalLocation":{"artifactLocation":{"uri":"f","uriBaseId":"A"},"region":{"startLine":-5}}}]}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		im, err := Import(strings.NewReader(string(data)), "/src")
		if err != nil {
			return
		}
		for _, finding := range im.Findings {
			if finding.ID == "" || finding.Severity == "" || finding.Line < 0 || len(finding.Detail) > maxText+4 {
				t.Fatalf("%+v", finding)
			}
		}
	})
}
