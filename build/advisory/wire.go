package advisory

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// wire is an OSV record as published (schema 1.7, https://ossf.github.io/osv-schema/).
type wire struct {
	ID         string         `json:"id"`
	Modified   string         `json:"modified"`
	Withdrawn  string         `json:"withdrawn"`
	Aliases    []string       `json:"aliases"`
	Upstream   []string       `json:"upstream"`
	Related    []string       `json:"related"`
	Summary    string         `json:"summary"`
	Details    string         `json:"details"`
	Severity   []wireSeverity `json:"severity"`
	Affected   []wireAffected `json:"affected"`
	References []struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	} `json:"references"`
	Specific wireSpecific `json:"database_specific"`
}

type wireSeverity struct {
	Type  string `json:"type"`
	Score string `json:"score"`
}

type wireAffected struct {
	Package struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
	} `json:"package"`
	Ranges    []wireRange    `json:"ranges"`
	Versions  []string       `json:"versions"`
	Severity  []wireSeverity `json:"severity"`
	Database  wireSpecific   `json:"database_specific"`
	Ecosystem wireSpecific   `json:"ecosystem_specific"`
}

type wireRange struct {
	Type   string `json:"type"`
	Events []struct {
		Introduced   *string `json:"introduced"`
		Fixed        *string `json:"fixed"`
		LastAffected *string `json:"last_affected"`
		Limit        *string `json:"limit"`
	} `json:"events"`
}

// wireSpecific reads the few keys that carry a severity word, and what the Go vulnerability
// database adds; publishers may put anything there, of any type.
type wireSpecific struct {
	word    string
	custom  []wireRange
	imports []GoPackage
}

func (s *wireSpecific) UnmarshalJSON(data []byte) error {
	if len(data) == 0 || data[0] != '{' {
		return nil
	}
	var v struct {
		Severity any             `json:"severity"` // GHSA, Ubuntu, openEuler
		Urgency  any             `json:"urgency"`  // Debian
		Custom   json.RawMessage `json:"custom_ranges"`
		Imports  json.RawMessage `json:"imports"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	for _, x := range []any{v.Severity, v.Urgency} {
		if word, ok := x.(string); ok && s.word == "" {
			s.word = SeverityWord(word)
		}
	}
	// Another publisher's keys of these names are not Go's, and no fault of the record.
	if len(v.Custom) > 0 && json.Unmarshal(v.Custom, &s.custom) != nil {
		s.custom = nil
	}
	if len(v.Imports) > 0 && json.Unmarshal(v.Imports, &s.imports) != nil {
		s.imports = nil
	}
	return nil
}

// ParseRecord reads one OSV record. An error names what is wrong; errNotAdvisory is returned
// for a bug fix or enhancement erratum.
func ParseRecord(data []byte) (*Record, []Affected, error) {
	if len(data) > maxRecordBytes {
		return nil, nil, fmt.Errorf("record is larger than %d MiB", maxRecordBytes>>20)
	}
	var w wire
	if err := json.Unmarshal(data, &w); err != nil {
		return nil, nil, err
	}
	if err := checkID(w.ID); err != nil {
		return nil, nil, err
	}
	r := &Record{ID: w.ID, Withdrawn: w.Withdrawn != "", Summary: w.Summary, Word: w.Specific.word}
	if r.Summary == "" {
		r.Summary, _, _ = strings.Cut(strings.TrimLeft(w.Details, " *#\n"), "\n")
	}
	r.Summary = clip(r.Summary, maxSummary)
	if w.Modified != "" {
		t, err := time.Parse(time.RFC3339, w.Modified)
		if err != nil {
			return nil, nil, fmt.Errorf("modified: %w", err)
		}
		r.Modified = t
	}
	for list, to := range map[*[]string]*[]string{&w.Aliases: &r.Aliases, &w.Upstream: &r.Upstream, &w.Related: &r.Related} {
		if len(*list) > maxNameList {
			return nil, nil, fmt.Errorf("names %d other records; at most %d are read", len(*list), maxNameList)
		}
		for _, id := range *list {
			// RustSec also names issues by URL here.
			if err := checkID(strings.ReplaceAll(id, "/", "")); err != nil {
				return nil, nil, err
			}
			*to = append(*to, id)
		}
	}
	if isBugFix(r) {
		return nil, nil, errNotAdvisory
	}
	if r.Word == "" {
		// AlmaLinux, Rocky Linux and Red Hat begin the summary with it: "Important: nodejs:14 security update".
		if before, _, ok := strings.Cut(r.Summary, ":"); ok {
			r.Word = SeverityWord(before)
		}
	}
	r.Severity = severities(w.Severity, &r.Word)
	for _, ref := range w.References {
		if len(r.Exploits) < maxExploits && isExploit(ref.Type, ref.URL) && len(ref.URL) <= 1024 {
			r.Exploits = append(r.Exploits, clip(ref.URL, 1024))
		}
	}
	affected := make([]Affected, 0, len(w.Affected))
	for i := range w.Affected {
		a, ok, err := w.Affected[i].convert()
		if err != nil {
			return nil, nil, fmt.Errorf("affected[%d]: %w", i, err)
		}
		if ok {
			affected = append(affected, a)
		}
	}
	return r, affected, nil
}

// convert turns one published entry into an Affected; ok is false for entries that name no
// package (they speak of git commits only).
func (w *wireAffected) convert() (Affected, bool, error) {
	a := Affected{Ecosystem: w.Package.Ecosystem, Name: w.Package.Name, Versions: w.Versions, Word: w.Ecosystem.word}
	if a.Name == "" || a.Ecosystem == "" {
		return a, false, nil
	}
	if len(a.Name) > maxNameLength || len(a.Ecosystem) > maxNameLength {
		return a, false, fmt.Errorf("name of a package or ecosystem is longer than %d bytes", maxNameLength)
	}
	if a.Word == "" {
		a.Word = w.Database.word
	}
	a.Severity = severities(w.Severity, &a.Word)
	for _, v := range w.Versions {
		if len(v) > maxVersion {
			return a, false, fmt.Errorf("version is longer than %d bytes", maxVersion)
		}
	}
	var err error
	if a.Ranges, err = ranges(w.Ranges); err != nil {
		return a, false, err
	}
	if Family(a.Ecosystem) == "Go" {
		if a.Custom, err = ranges(w.Ecosystem.custom); err != nil {
			return a, false, fmt.Errorf("custom_ranges: %w", err)
		}
		for i := range a.Custom {
			a.Custom[i].Type = RangeSemver // they say ECOSYSTEM, and are compared as Go's versions are
		}
		a.Imports = imports(w.Ecosystem.imports)
	}
	return a, true, nil
}

// imports keeps those that can be looked for.
func imports(all []GoPackage) []GoPackage {
	var out []GoPackage
	for _, i := range all[:min(len(all), maxImports)] {
		if i.Path == "" || len(i.Path) > maxNameLength || len(i.Symbols) > maxSymbols {
			return nil // half of them would call what is not listed clean
		}
		out = append(out, i)
	}
	if len(all) > maxImports {
		return nil
	}
	return out
}

func ranges(all []wireRange) ([]Range, error) {
	var list []Range
	for _, g := range all {
		out := Range{}
		switch g.Type {
		case "ECOSYSTEM":
		case "SEMVER":
			out.Type = RangeSemver
		case "GIT":
			continue
		default:
			return nil, fmt.Errorf("range type %q is unknown", clip(g.Type, 40))
		}
		for _, e := range g.Events {
			for i, v := range [...]*string{Introduced: e.Introduced, LastAffected: e.LastAffected, Fixed: e.Fixed, Limit: e.Limit} {
				if v == nil {
					continue
				}
				if *v == "" || len(*v) > maxVersion {
					return nil, fmt.Errorf("%v has no usable version", EventKind(i))
				}
				out.Events = append(out.Events, Event{Kind: EventKind(i), Version: *v})
			}
		}
		if len(out.Events) > 0 {
			list = append(list, out)
		}
	}
	return list, nil
}

// severities keeps CVSS vectors; a severity that is a word (Ubuntu) goes to word where that is empty.
func severities(in []wireSeverity, word *string) []Severity {
	var out []Severity
	for _, s := range in {
		switch {
		case strings.HasPrefix(s.Type, "CVSS_V") && len(s.Score) <= 256:
			out = append(out, Severity(s))
		case *word == "":
			*word = SeverityWord(s.Score)
		}
	}
	return out
}
