package policy

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// Whatever a file holds, it is read or refused with its name; what is read can be asked.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"defaults/*.yaml", "testdata/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add([]byte("kind: exception\nname: x\nguardrail: it\nfinding: '*'\nscope: {images: ['*']}\nowner: me\nreason: later\nexpires: 2027-01-01\n"))
	f.Add([]byte("a: &a [*a, *a]\n"))
	f.Add([]byte("kind: test\nname: x\nsubject: {unread: [{section: malware}], freshness: {scan_age: 3h}}\nexpect: {it: {verdict: allowed}}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := parse("guardrails.yaml", data)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without words")
			}
			return
		}
		s := &Set{}
		if s.add(parsed) != nil {
			return
		}
		subject := &Subject{
			Artifact: Artifact{Type: "image"}, Now: noon, Vulnerabilities: []Vulnerability{{ID: "CVE-1"}}, Secrets: []Finding{{ID: "key"}},
			Unread: []Unread{{Section: "malware", Reason: "a test"}},
		}
		if e, err := s.Evaluate(context.Background(), Build, subject); err == nil && e.Verdict == "" {
			t.Fatal("no verdict")
		}
	})
}
