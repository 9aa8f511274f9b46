package advisory

import (
	"bytes"
	"compress/gzip"
	"math"
	"strings"
	"testing"
)

func TestParseKEV(t *testing.T) {
	skipped := map[string]string{}
	entries, version, err := ParseKEV(strings.NewReader(`{"catalogVersion":"2026.01.01","vulnerabilities":[
		{"cveID":"CVE-2021-44228","dateAdded":"2021-12-10","knownRansomwareCampaignUse":"Known"},
		{"cveID":"nonsense"}, {"cveID":7}, "text"]}`), func(name string, err error) { skipped[name] = err.Error() })
	if err != nil || version != "2026.01.01" || len(entries) != 1 || entries[0] != (KEV{"CVE-2021-44228", "2021-12-10", true}) {
		t.Errorf("got %+v %s %v", entries, version, err)
	}
	if len(skipped) != 3 {
		t.Errorf("skipped %v, want three named", skipped)
	}
	for _, bad := range []string{"", "[]", `{"vulnerabilities":{}}`, `{}`, `{"vulnerabilities":[`} {
		if _, _, err := ParseKEV(strings.NewReader(bad), func(string, error) {}); err == nil {
			t.Errorf("%q is taken for a catalogue", bad)
		}
	}
}

func TestParseEPSS(t *testing.T) {
	const csv = "#model_version:v1,score_date:2026-01-01\ncve,epss,percentile\nCVE-2021-44228,0.97,0.999\nCVE-2021-0001,2,0.5\nx,0.1,0.1\nCVE-2021-0002,NaN,0.1\n"
	for name, in := range map[string][]byte{"plain": []byte(csv), "gzipped": gzipped(csv)} {
		t.Run(name+" scores are read and bad lines are named", func(t *testing.T) {
			var got []EPSS
			skips := 0
			version, err := ParseEPSS(bytes.NewReader(in), func(e EPSS) error { got = append(got, e); return nil }, func(string, error) { skips++ })
			if err != nil || version != "model_version:v1,score_date:2026-01-01" || len(got) != 1 || got[0] != (EPSS{"CVE-2021-44228", 0.97, 0.999}) || skips != 3 {
				t.Errorf("got %+v, %d skipped, %s, %v", got, skips, version, err)
			}
		})
	}
	for name, in := range map[string][]byte{"an empty file": nil, "another table": []byte("a,b\n1,2\n"), "a cut gzip": gzipped(csv)[:40], "an endless line": bytes.Repeat([]byte("x"), 1<<20)} {
		t.Run(name+" is an error", func(t *testing.T) {
			if _, err := ParseEPSS(bytes.NewReader(in), func(EPSS) error { return nil }, func(string, error) {}); err == nil {
				t.Error("no error")
			}
		})
	}
}

func gzipped(s string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.Bytes()
}

const enrichmentSample = `{"cveMetadata":{"cveId":"CVE-2024-45492","state":"PUBLISHED"},"containers":{"cna":{"metrics":[]},"adp":[
	{"providerMetadata":{"shortName":"CISA-ADP"},"metrics":[{"cvssV3_1":{"vectorString":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:L/A:L"}},
	{"other":{"type":"ssvc","content":{"options":[{"Exploitation":"poc"},{"Automatable":"yes"},{"Technical Impact":"partial"}],"timestamp":"2024-08-30T13:53:05Z"}}}]}]}}`

func TestParseVulnrichment(t *testing.T) {
	e, err := ParseVulnrichment([]byte(enrichmentSample))
	want := Enrichment{"CVE-2024-45492", "poc", "yes", "partial", "2024-08-30", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:L/A:L"}
	if err != nil || e != want {
		t.Errorf("got %+v %v", e, err)
	}
	cna := strings.Replace(enrichmentSample, `"metrics":[]`, `"metrics":[{"cvssV3_1":{"vectorString":"CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:L/I:L/A:L"}}]`, 1)
	if e, _ := ParseVulnrichment([]byte(cna)); !strings.Contains(e.Vector, "AV:L") {
		t.Errorf("the CVE's own authority does not go first: %s", e.Vector)
	}
	for name, in := range map[string]string{
		"another document":           `{}`,
		"a rejected CVE":             strings.Replace(enrichmentSample, "PUBLISHED", "REJECTED", 1),
		"an unknown decision value":  strings.Replace(enrichmentSample, `"poc"`, `"maybe"`, 1),
		"options of another type":    strings.Replace(enrichmentSample, `"options":[`, `"options":[3,`, 1),
		"a vector of another type":   strings.Replace(enrichmentSample, `"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:L/A:L"`, `7`, 1),
		"an identifier with a path":  strings.Replace(enrichmentSample, "CVE-2024-45492", "CVE-2024-4549/..", 1),
		"an overlong identification": strings.Replace(enrichmentSample, "CVE-2024-45492", "CVE-2024-"+strings.Repeat("1", 400), 1),
	} {
		t.Run(name+" is an error", func(t *testing.T) {
			if e, err := ParseVulnrichment([]byte(in)); err == nil {
				t.Errorf("got %+v", e)
			}
		})
	}
}

func FuzzKEV(f *testing.F) {
	f.Add([]byte(`{"catalogVersion":"1","vulnerabilities":[{"cveID":"CVE-2021-44228","dateAdded":"2021-12-10"},{"cveID":1}]}`))
	f.Add([]byte(`{"vulnerabilities":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, _, err := ParseKEV(bytes.NewReader(data), func(string, error) {})
		for _, e := range entries {
			if err != nil || !IsCVE(e.CVE) || len(e.Added) > 32 {
				t.Fatalf("accepted %+v", e)
			}
		}
	})
}

func FuzzEPSS(f *testing.F) {
	f.Add([]byte("#x\ncve,epss,percentile\nCVE-2021-44228,0.97,0.999\n"))
	f.Add(gzipped("cve,epss,percentile\nCVE-2021-44228,1e-3,.5\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = ParseEPSS(bytes.NewReader(data), func(e EPSS) error {
			if !IsCVE(e.CVE) || !(e.Score >= 0 && e.Score <= 1) || math.IsNaN(e.Percentile) {
				t.Fatalf("accepted %+v", e)
			}
			return nil
		}, func(string, error) {})
	})
}

func FuzzVulnrichment(f *testing.F) {
	f.Add([]byte(enrichmentSample))
	f.Add([]byte(`{"cveMetadata":{"cveId":"CVE-2024-45492"},"containers":{"adp":[{"metrics":[{"other":{"type":"ssvc","content":[]}}]}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ParseVulnrichment(data)
		if err == nil && (!IsCVE(e.CVE) || exploitationUnknown(e.Exploitation)) {
			t.Fatalf("accepted %+v", e)
		}
	})
}

func exploitationUnknown(s string) bool {
	return s != "" && s != "none" && s != "poc" && s != "active"
}
