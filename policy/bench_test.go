package policy

import (
	"context"
	"fmt"
	"testing"
)

// One image with 500 vulnerabilities, of which two refuse, by the guardrails that come with
// Triad: what a gate or an admission webhook spends per image.
func BenchmarkEvaluate500Vulnerabilities(b *testing.B) {
	set, err := Defaults()
	if err != nil {
		b.Fatal(err)
	}
	s := &Subject{Artifact: Artifact{Type: "image"}, Image: Image{Repository: "registry.example.com/shop/web", Tag: "1.0"}, Registry: Registry{Official: true}, Now: noon}
	severities := []string{"critical", "high", "medium", "low"}
	for i := range 500 {
		s.Vulnerabilities = append(s.Vulnerabilities, Vulnerability{
			ID: fmt.Sprint("CVE-2026-", i), Package: "p", Version: "1", Fixed: "2", Severity: severities[i%4], Exploitation: "none", Linked: "unknown", KEV: i%250 == 0,
		})
	}
	for _, c := range []struct {
		name   string
		unread []Unread
	}{{"read", nil}, {"unread", []Unread{{Section: SectionDecisions, Reason: "x"}, {Section: SectionMalware, Reason: "x"}}}} {
		b.Run(c.name, func(b *testing.B) {
			s.Unread = c.unread
			b.ReportAllocs()
			for b.Loop() {
				e, err := set.Evaluate(context.Background(), Build, s)
				if err != nil || e.Verdict != Refused {
					b.Fatal(err, e)
				}
			}
		})
	}
}
