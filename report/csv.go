package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/triad-security/triad"
)

var csvHeader = []string{
	"kind", "id", "aliases", "severity", "package", "version", "fixed", "purl", "path", "line", "cvss", "epss", "kev", "title", "layer", "step", "origin",
	"suppressed", "reason", "source", "expires",
}

// CSV writes one row for each finding (RFC 4180), for spreadsheets: also for what was set
// aside, whose column "suppressed" says by what, and for what could not be read, whose kind
// is "unread".
func CSV(w io.Writer, d *Document) error {
	out := csv.NewWriter(w)
	if err := out.Write(csvHeader); err != nil {
		return err
	}
	for _, v := range d.Vulnerabilities {
		writeRow(out, vulnerabilityRow(v), nil)
	}
	for _, f := range d.Findings {
		writeRow(out, findingRow(f), nil)
	}
	for _, s := range d.Suppressed {
		switch {
		case s.Vulnerability != nil:
			writeRow(out, vulnerabilityRow(*s.Vulnerability), &s.Suppression)
		case s.Finding != nil:
			writeRow(out, findingRow(*s.Finding), &s.Suppression)
		}
	}
	for _, u := range d.Unread {
		writeRow(out, map[string]string{"kind": "unread", "id": u.Section, "title": u.Reason}, nil)
	}
	out.Flush()
	return out.Error()
}

func vulnerabilityRow(v triad.Vulnerability) map[string]string {
	return map[string]string{
		"kind": "vulnerability", "id": v.ID, "aliases": strings.Join(v.Aliases, " "), "severity": severity(v.Severity), "package": v.Package, "version": v.Version,
		"fixed": v.Fixed, "purl": v.PURL, "path": v.Path, "cvss": number(v.CVSS), "epss": number(v.EPSS), "kev": strconv.FormatBool(v.KEV), "title": v.Summary,
		"layer": v.Layer, "step": v.Step, "origin": string(v.Origin),
	}
}

func findingRow(f triad.Finding) map[string]string {
	row := map[string]string{
		"kind": string(f.Kind), "id": f.ID, "aliases": strings.Join(f.Aliases, " "), "severity": severity(f.Severity), "path": f.Path, "title": title(f),
		"layer": f.Layer, "step": f.Step, "origin": string(f.Origin),
	}
	if f.Line > 0 {
		row["line"] = strconv.Itoa(f.Line)
	}
	if f.Detail != "" {
		row["title"] += ": " + f.Detail
	}
	return row
}

func number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func writeRow(out *csv.Writer, row map[string]string, s *triad.Suppression) {
	if s != nil {
		row["suppressed"], row["reason"], row["source"] = string(s.Kind), s.Reason, s.Source
		if s.Expires != nil {
			row["expires"] = s.Expires.UTC().Format(time.RFC3339)
		}
	}
	cells := make([]string, len(csvHeader))
	for i, name := range csvHeader {
		cells[i] = cell(row[name])
	}
	_ = out.Write(cells) // Error of the writer tells
}

// cell keeps a spreadsheet from taking text for a formula (OWASP, CSV injection).
func cell(text string) string {
	text = line(text, 8192)
	if text != "" && strings.ContainsRune("=+-@|%", rune(text[0])) {
		return "'" + text
	}
	return text
}
