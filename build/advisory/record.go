package advisory

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits on one OSV record. The largest genuine one known (a Linux kernel erratum) is under
// 8 MiB.
const (
	maxRecordBytes = 16 << 20
	maxIDLength    = 256  // bytes
	maxNameLength  = 1024 // bytes, of a package's name
	maxVersion     = 512  // bytes
	maxSummary     = 300  // bytes kept
	maxExploits    = 3    // exploit references kept of a record
	maxNameList    = 4096 // aliases, upstream or related ids
	maxImports     = 1024 // vulnerable Go packages; the most known is 40
	maxSymbols     = 8192 // of one of them; the most known is some hundreds
)

// Record is what is kept of one OSV record beside its affected packages.
type Record struct {
	ID        string
	Modified  time.Time
	Withdrawn bool
	Aliases   []string // other ids of the same vulnerability
	Upstream  []string // ids of the vulnerabilities a distribution's record speaks of
	Related   []string
	Summary   string
	Severity  []Severity
	// Word is the publisher's own severity word, in lower case: critical, high, medium, low; or empty.
	Word string
	// Exploits are URLs of published exploits or proofs of concept.
	Exploits []string
}

// Severity is a CVSS vector or a publisher's own word, as OSV has it.
type Severity struct {
	Type  string // CVSS_V2, CVSS_V3, CVSS_V4, Ubuntu
	Score string
}

// EventKind is the kind of a range's event.
type EventKind byte

// The event kinds, in the order in which events at one version are taken.
const (
	Introduced EventKind = iota
	LastAffected
	Fixed
	Limit
)

func (k EventKind) String() string {
	return [...]string{"introduced", "last_affected", "fixed", "limit"}[k]
}

// Event is a version at which a range begins or ends.
type Event struct {
	Kind    EventKind
	Version string
}

// RangeType says which version order a range is written in.
type RangeType byte

// The range types. GIT ranges speak of commits and are not kept.
const (
	RangeEcosystem RangeType = iota
	RangeSemver
)

func (t RangeType) String() string { return [...]string{"ECOSYSTEM", "SEMVER"}[t] }

// Range is a set of versions between events.
type Range struct {
	Type   RangeType
	Events []Event
}

// Affected is one package that a record speaks of.
type Affected struct {
	Ecosystem string // as written, with the release: "Debian:12"
	Name      string
	Ranges    []Range
	Versions  []string
	Severity  []Severity
	Word      string
	// Custom are ranges in the project's own numbering, where that is not the module system's
	// (Go vulnerability database, custom_ranges).
	Custom []Range
	// Imports say which packages of a Go module are vulnerable, and which functions of them.
	Imports []GoPackage
}

// GoPackage is a vulnerable package of a Go module
// (https://go.dev/doc/security/vuln/database#schema, ecosystem_specific.imports).
type GoPackage struct {
	Path string
	// Symbols are functions, methods as Type.Method; none means all of the package.
	Symbols []string
	// GOOS and GOARCH restrict it to platforms; empty means all.
	GOOS, GOARCH []string
}

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

// SeverityWord turns the words that publishers use into critical, high, medium, low, or
// nothing. Red Hat and those who follow it say important and moderate; Ubuntu and Debian
// also say negligible and unimportant.
func SeverityWord(word string) string {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "critical":
		return "critical"
	case "high", "important":
		return "high"
	case "medium", "moderate":
		return "medium"
	case "low", "negligible", "unimportant", "minor":
		return "low"
	}
	return ""
}

// errNotAdvisory marks records that are no security advisories.
var errNotAdvisory = errors.New("not a security advisory")

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

// isBugFix tells errata that fix bugs or add features from security errata by their type, the
// letters before the year: AlmaLinux ALBA/ALEA, Rocky Linux RLBA/RLEA, Red Hat RHBA/RHEA. Red
// Hat's and Rocky's may fix a CVE all the same, and then name it.
func isBugFix(r *Record) bool {
	kind, _, ok := strings.Cut(r.ID, "-")
	if !ok {
		return false
	}
	switch kind {
	case "ALBA", "ALEA":
		return true
	case "RLBA", "RLEA", "RHBA", "RHEA":
		for _, list := range [][]string{r.Aliases, r.Upstream} {
			for _, id := range list {
				if IsCVE(id) {
					return false
				}
			}
		}
		return true
	}
	return false
}

// isExploit tells references to a published exploit. OSV's EVIDENCE is "a demonstration of
// the validity of a vulnerability claim, e.g. a proof of concept"; the others are collections
// that hold nothing but exploits.
func isExploit(kind, url string) bool {
	if kind == "EVIDENCE" {
		return true
	}
	_, rest, _ := strings.Cut(url, "://")
	rest = strings.TrimPrefix(rest, "www.")
	return strings.HasPrefix(rest, "exploit-db.com/exploits/") ||
		strings.HasPrefix(rest, "rapid7.com/db/modules/") ||
		strings.HasPrefix(rest, "github.com/rapid7/metasploit-framework/blob/")
}

// IsCVE reports whether id is a CVE id.
func IsCVE(id string) bool {
	rest, ok := strings.CutPrefix(id, "CVE-")
	if !ok || len(rest) < 9 || rest[4] != '-' {
		return false
	}
	for i := range len(rest) {
		if i != 4 && (rest[i] < '0' || rest[i] > '9') {
			return false
		}
	}
	return true
}

func checkID(id string) error {
	if id == "" {
		return errors.New("has no id")
	}
	if len(id) > maxIDLength {
		return fmt.Errorf("an id is longer than %d bytes", maxIDLength)
	}
	for _, c := range id {
		if c > unicode.MaxASCII || c <= ' ' || c == 0x7f || c == '/' || c == '\\' {
			return fmt.Errorf("id %q has a character that ids do not have", clip(id, 40))
		}
	}
	return nil
}

// clip shortens s to at most n bytes on a character's edge and replaces control characters,
// so that a hostile text cannot move a reader's terminal.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
		for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-4):]) {
			s = s[:len(s)-1]
		}
	}
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "?")))
}
