package policy

import (
	"strings"
	"testing"
)

const twoFindings = `kind: guardrail
name: no-kev
description: a test
owner: a test
severity: high
rules:
  - for: vulnerabilities
    refuse: v.kev
---
`

func exceptionText(fields string) string {
	return twoFindings + "kind: exception\nname: x\nowner: me\nreason: later\nexpires: 2026-12-31\n" + fields
}

func TestAnExceptionCoversOneFindingInOnePlaceForAWhile(t *testing.T) {
	web := Image{Repository: "registry.example.com/shop/web", Tag: "1.0", Digest: "sha256:aa"}
	findings := []Vulnerability{
		{ID: "CVE-1", Aliases: []string{"GHSA-1"}, KEV: true, Package: "log4j", Path: "app/a.jar"},
		{ID: "CVE-2", KEV: true, Package: "openssl", Path: "usr/lib/x"},
	}
	for _, test := range []struct {
		name, fields string
		left         string // findings that still refuse
		state        string
	}{
		{"by ID", "guardrail: no-kev\nfinding: CVE-1\nscope: {images: ['*']}", "CVE-2", "applied"},
		{"by alias", "guardrail: no-kev\nfinding: GHSA-1\nscope: {images: ['*']}", "CVE-2", "applied"},
		{"the guardrail as a whole", "guardrail: no-kev\nfinding: '*'\nscope: {images: ['registry.example.com/shop/*']}", "", "applied"},
		{"every guardrail", "guardrail: '*'\nfinding: CVE-2\nscope: {images: ['*']}", "CVE-1", "applied"},
		{"by digest", "guardrail: no-kev\nfinding: CVE-1\nscope: {images: ['registry.example.com/shop/web@sha256:aa']}", "CVE-2", "applied"},
		{"of one package", "guardrail: no-kev\nfinding: '*'\nscope: {packages: [openssl]}", "CVE-1", "applied"},
		{"at one path", "guardrail: no-kev\nfinding: '*'\nscope: {images: ['*'], paths: ['app/*']}", "CVE-2", "applied"},
		{"ended yesterday", "guardrail: no-kev\nfinding: CVE-1\nscope: {images: ['*']}\n#expires: 2026-11-23", "CVE-1 CVE-2", "expired"},
		{"ends today", "guardrail: no-kev\nfinding: CVE-1\nscope: {images: ['*']}\n#expires: 2026-11-24", "CVE-2", "applied"},
		{"of a finding that is gone", "guardrail: no-kev\nfinding: CVE-3\nscope: {images: ['*']}", "CVE-1 CVE-2", "unused"},
		{"of another image", "guardrail: no-kev\nfinding: CVE-1\nscope: {images: ['registry.example.com/shop/api:*']}", "CVE-1 CVE-2", ""},
		{"of a name that only begins alike", "guardrail: no-kev\nfinding: CVE-1\nscope: {images: ['registry.example.com/shop/web']}", "CVE-1 CVE-2", ""},
		{"of a folder", "guardrail: no-kev\nfinding: CVE-1\nscope: {artifacts: ['*']}", "CVE-1 CVE-2", ""},
		{"of another guardrail", "guardrail: other\nfinding: CVE-1\nscope: {images: ['*']}", "CVE-1 CVE-2", ""},
		{"of one container that is not this", "guardrail: no-kev\nfinding: CVE-1\nscope: {workloads: [prod/web], container: side}", "CVE-1 CVE-2", ""},
		{"of this container", "guardrail: no-kev\nfinding: CVE-1\nscope: {workloads: [prod/*], container: main}", "CVE-2", "applied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := exceptionText(test.fields)
			if _, own, ok := strings.Cut(test.fields, "#expires: "); ok {
				text = strings.Replace(text, "2026-12-31", own, 1)
			}
			e := evaluate(t, guardrails(t, text), &Subject{
				Artifact: Artifact{Type: "image"}, Image: web, Vulnerabilities: findings, Workload: Workload{Namespace: "prod", Name: "web", Container: "main"},
			})
			r := e.Guardrails[0]
			if got := strings.Join(r.findings(), " "); got != test.left {
				t.Errorf("%q still refuse, want %q", got, test.left)
			}
			if want := map[bool]Verdict{true: Allowed, false: Refused}[test.left == ""]; r.Verdict != want || e.Verdict != want {
				t.Errorf("verdict %s, over all %s, want %s", r.Verdict, e.Verdict, want)
			}
			state := ""
			if len(e.Exceptions) == 1 {
				state = e.Exceptions[0].State
			}
			if state != test.state {
				t.Errorf("state %q, want %q", state, test.state)
			}
			if len(r.Reasons)+len(r.Excepted) != 2 {
				t.Errorf("%d reasons and %d by exception", len(r.Reasons), len(r.Excepted))
			}
		})
	}
}

func TestAnExceptionFromAWholeGuardrailCoversWhatItDoesNotKnowButDoesNotCallItClean(t *testing.T) {
	s := guardrails(t, exceptionText("guardrail: no-kev\nfinding: '*'\nscope: {images: ['*']}"))
	e := evaluate(t, s, &Subject{Artifact: Artifact{Type: "image"}, Unread: []Unread{{Section: "packages", Reason: "a layer is missing"}}})
	if r := e.Guardrails[0]; r.Verdict != Unknown || r.Effect != EffectNone || len(r.Excepted) != 1 {
		t.Errorf("%+v", r)
	}
	one := guardrails(t, exceptionText("guardrail: no-kev\nfinding: CVE-1\nscope: {images: ['*']}"))
	e = evaluate(t, one, &Subject{Artifact: Artifact{Type: "image"}, Unread: []Unread{{Section: "packages", Reason: "a layer is missing"}}})
	if r := e.Guardrails[0]; r.Effect != EffectRefuse {
		t.Errorf("an exception from one finding covered what was not read: %+v", r)
	}
}
