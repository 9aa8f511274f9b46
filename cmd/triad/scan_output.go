package main

import (
	"io"
	"time"

	"github.com/triad-security/triad/build/sbom"
	"github.com/triad-security/triad/build/scan"
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
		Vulnerabilities: r.Found(), Findings: r.Findings(), Suppressed: r.SetAside(), Unread: r.Unread, Rules: scanRules(),
	}
	d.Artifact.OS, d.Artifact.OSVersion, d.Artifact.OSName = r.OS()
	if d.Artifact.OSName == "" {
		d.Artifact.OSName = r.Artifact.OS
	}
	for _, p := range r.Packages {
		d.Packages = append(d.Packages, p.Package)
	}
	return d
}

// scanRules are all that a scan looks for by rule.
func scanRules() []report.Rule { return nil }

// writeScan writes a scan's result in the format that was asked for.
func (a *app) writeScan(s *scanFlags, r *scan.Result, d *report.Document, b *report.Baseline) error {
	return a.result(r,
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
