package policy

import (
	"context"
	"testing"
)

func TestX(t *testing.T) {
	s, err := Defaults()
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.Evaluate(context.Background(), Build, &Subject{Artifact: Artifact{Type: "image"}, Vulnerabilities: []Vulnerability{{ID: "CVE-1", KEV: true, Fixed: "2", Severity: "high", Package: "p"}}, Unread: []Unread{{Section: "malware", Reason: "no engine"}, {Section: "registry", Reason: "none"}, {Section: "config", Reason: "x"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", e)
	for _, g := range s.Guardrails {
		t.Log(g.Name, g.Reads())
	}
}
