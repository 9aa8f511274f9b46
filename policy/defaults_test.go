package policy

import (
	"context"
	"errors"
	"testing"
)

func TestTheGuardrailsThatComeWithTriadDoAsTheyAreTested(t *testing.T) {
	s, err := Defaults()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Load("testdata/defaults.yaml"); err != nil {
		t.Fatal(err)
	}
	outcomes, coverage, err := s.Run(context.Background(), func(string) (*Subject, error) { return nil, errors.New("no scan is read") })
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range outcomes {
		for _, f := range o.Failures {
			t.Errorf("%s: %s: %s", o.Source, o.Test, f)
		}
	}
	for _, c := range coverage {
		if !c.Covered() {
			t.Errorf("rule %s/%s was seen to refuse %d times, to let pass %d times", c.Guardrail, c.Rule, c.Refused, c.Allowed)
		}
	}
}

func TestAFailedTestSaysWhatWasExpectedAndWhatCame(t *testing.T) {
	s := guardrails(t, one("for: vulnerabilities\nrefuse: v.kev")+`---
kind: test
name: wrong in three ways
subject: {vulnerabilities: [{id: CVE-1, kev: true}]}
expect: {it: allowed, other: refused}
---
kind: test
name: the wrong finding
subject: {vulnerabilities: [{id: CVE-1, kev: true}]}
expect: {it: {verdict: refused, findings: [CVE-2]}}
---
kind: test
name: a scan from elsewhere
scan: ../../etc/passwd
expect: {it: refused}
`)
	outcomes, _, err := s.Run(context.Background(), func(string) (*Subject, error) { return nil, errors.New("read") })
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"it: refused (CVE-1), expected allowed", "other: there is no such guardrail, or it is not enabled"},
		{"it: refuses [CVE-1], expected [CVE-2]"},
		{`scan "../../etc/passwd" is not beside or below the test`},
	}
	for i, o := range outcomes {
		if o.Passed || len(o.Failures) != len(want[i]) {
			t.Errorf("%s: %q", o.Test, o.Failures)
			continue
		}
		for j, f := range o.Failures {
			if f != want[i][j] {
				t.Errorf("%s: %q, want %q", o.Test, f, want[i][j])
			}
		}
	}
}
