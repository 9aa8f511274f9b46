package main

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/code"
	"github.com/triad-security/triad/build/dockerfile"
	"github.com/triad-security/triad/build/inspect"
	"github.com/triad-security/triad/build/malware"
	"github.com/triad-security/triad/build/sbom"
	"github.com/triad-security/triad/build/scan"
	"github.com/triad-security/triad/build/secret"
	"github.com/triad-security/triad/report"
)

// scanFormats are those that scan writes.
var scanFormats = []string{"table", "json", "sarif", "cyclonedx", "spdx", "spdx-tag-value", "openvex", "gitlab", "junit", "markdown", "csv"}

// document makes of a scan's result what every report is made of.
func document(r *scan.Result, started time.Time) *report.Document {
	d := &report.Document{
		Tool: report.Tool{Name: "Triad", Version: version, URL: "https://github.com/triad-security/triad"}, Started: started, At: time.Now(),
		Artifact:        report.Artifact{Type: r.Artifact.Type, Name: r.Artifact.Name, Digest: r.Artifact.Digest, Layers: r.Artifact.Layers, Cached: r.Artifact.Cached},
		Scanned:         r.Scanned,
		Vulnerabilities: r.Found(), Findings: r.Findings(), Suppressed: r.SetAside(), Unread: r.Unread, Rules: scanRules(r.Scanned),
	}
	d.Artifact.OS, d.Artifact.OSVersion, d.Artifact.OSName = r.OS()
	if d.Artifact.OSName == "" {
		d.Artifact.OSName = r.Artifact.OS
	}
	if r.Artifact.Base != nil {
		d.Artifact.Base = r.Artifact.Base.Name
	}
	for _, p := range r.Packages {
		d.Packages = append(d.Packages, p.Package)
	}
	return d
}

// scanRules are the rules of the sections that were looked at.
func scanRules(scanned []string) []report.Rule {
	var all []report.Rule
	if slices.Contains(scanned, inspect.SectionSecrets) {
		for _, r := range secret.Rules() {
			all = append(all, report.Rule{ID: r.ID, Kind: triad.FindingSecret, Title: r.Title, Severity: r.Severity, Help: "Revoke it, and take it out of the image or repository and its history."})
		}
	}
	if slices.Contains(scanned, inspect.SectionMalware) {
		for _, r := range malware.Rules() {
			all = append(all, report.Rule{ID: r.ID, Kind: triad.FindingMalware, Title: r.Title, Severity: r.Severity, Help: r.Reason})
		}
	}
	if slices.Contains(scanned, inspect.SectionMisconfigurations) {
		for _, r := range dockerfile.Rules() {
			all = append(all, report.Rule{ID: r.ID, Kind: triad.FindingMisconfiguration, Title: r.Title, Severity: r.Severity, Help: strings.TrimSpace(r.Why + " " + r.Fix)})
		}
	}
	if slices.Contains(scanned, inspect.SectionCode) {
		for _, r := range code.Rules() {
			all = append(all, report.Rule{ID: r.ID, Kind: triad.FindingCode, Title: r.Title})
		}
	}
	return all
}

// writeScan writes a scan's result in the format that was asked for.
func (a *app) writeScan(s *scanFlags, r *scan.Result, d *report.Document, b *report.Baseline) error {
	return a.result(r.JSON(),
		func(w io.Writer) error {
			return report.Table(w, d, report.TableOptions{Packages: s.packages, Suppressed: s.filters.showSet, Baseline: b})
		},
		map[string]func(io.Writer) error{
			"sarif":    func(w io.Writer) error { return report.SARIF(w, d) },
			"markdown": func(w io.Writer) error { return report.Markdown(w, d, b) },
			"openvex":  func(w io.Writer) error { return report.OpenVEX(w, d) },
			"gitlab":   func(w io.Writer) error { return report.GitLab(w, d) },
			"junit":    func(w io.Writer) error { return report.JUnit(w, d) },
			"csv":      func(w io.Writer) error { return report.CSV(w, d) },
			"cyclonedx": func(w io.Writer) error {
				return sbom.Write(w, r.Document(), r.Found(), version, d.At)
			},
			"spdx": func(w io.Writer) error {
				return sbom.WriteSPDX(w, r.Document(), r.Found(), version, d.At)
			},
			"spdx-tag-value": func(w io.Writer) error {
				return sbom.WriteSPDXTagValue(w, r.Document(), r.Found(), version, d.At)
			},
		})
}
