package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/triad-security/triad"
)

// Document is what a scan, a check or a benchmark found, and what it could not look at.
type Document struct {
	Tool Tool
	// Started and At are when the work began and ended.
	Started, At     time.Time
	Artifact        Artifact
	Packages        []triad.Package
	Vulnerabilities []triad.Vulnerability
	// Scanned are the sections that were looked at: packages, vulnerabilities, secrets, …
	Scanned []string
	// Findings are those of every other kind.
	Findings   []triad.Finding
	Suppressed []triad.Suppressed
	Unread     []triad.Unread
	// Rules are all that was looked for by rule, found or not, so that a clean run says what
	// it is clean of. Advisories are not rules: those that matched are added by the formats.
	Rules []Rule
}

// Tool is what made the document.
type Tool struct{ Name, Version, URL string }

// Artifact is what was looked at.
type Artifact struct {
	Type string // image, dir, repo, function, sbom, …
	Name string
	// Digest is an image's, sha256:….
	Digest string
	// OS is the distribution as os-release has it: its ID and version, and its name in full.
	OS, OSVersion, OSName string
	Layers                []triad.Layer
	// Base is the image that it was built from, where that is known.
	Base string
	// Cached is how many of the layers were known from an earlier scan.
	Cached int
}

// Rule is something that is looked for.
type Rule struct {
	ID       string
	Kind     triad.FindingKind
	Title    string
	Severity string
	// Help says in some sentences what it is about and what to do; URL where to read on.
	Help, URL string
}

// severity returns the word for a severity, unknown for none.
func severity(word string) string { return triad.Severities()[triad.SeverityRank(word)] }

// kinds of findings in the order in which they are shown.
var kinds = []struct {
	kind           triad.FindingKind
	section        string // by which it is unread
	one, many, cap string
}{
	{triad.FindingMalware, "malware", "malicious file", "malicious files", "Malware"},
	{triad.FindingSecret, "secrets", "secret", "secrets", "Secrets"},
	{triad.FindingVulnerability, "vulnerabilities", "vulnerability", "vulnerabilities", "Vulnerabilities"},
	{triad.FindingCode, "code", "code weakness", "code weaknesses", "Code"},
	{triad.FindingMisconfiguration, "misconfigurations", "misconfiguration", "misconfigurations", "Misconfigurations"},
	{triad.FindingCompliance, "compliance", "failed check", "failed checks", "Compliance"},
	{triad.FindingDetection, "detections", "detection", "detections", "Detections"},
}

// Counts returns how many findings there are of each severity, vulnerabilities included.
func (d *Document) Counts() map[string]int {
	n := map[string]int{}
	for _, v := range d.Vulnerabilities {
		n[severity(v.Severity)]++
	}
	for _, f := range d.Findings {
		n[severity(f.Severity)]++
	}
	return n
}

// AtLeast counts the findings of a severity or a worse one; unknown counts all.
func (d *Document) AtLeast(word string) int {
	n := 0
	for s, count := range d.Counts() {
		if triad.SeverityRank(s) <= triad.SeverityRank(word) {
			n += count
		}
	}
	return n
}

// IsUnread says whether something of a section could not be read.
func (d *Document) IsUnread(section string) bool {
	return slices.ContainsFunc(d.Unread, func(u triad.Unread) bool { return u.Section == section })
}

// coreUnread says whether something could not be read without which the rest says little.
func (d *Document) coreUnread() bool { return d.IsUnread("packages") || d.IsUnread("vulnerabilities") }

// byUrgency sorts vulnerabilities: the worst first, then by how likely they are exploited.
func byUrgency(a, b triad.Vulnerability) int {
	return cmp.Or(cmp.Compare(triad.SeverityRank(a.Severity), triad.SeverityRank(b.Severity)), cmp.Compare(b.EPSS, a.EPSS), cmp.Compare(b.CVSS, a.CVSS),
		cmp.Compare(a.ID, b.ID), cmp.Compare(a.Package, b.Package), cmp.Compare(a.Path, b.Path))
}

// bySeverity sorts findings: the worst first, then by where they are.
func bySeverity(a, b triad.Finding) int {
	return cmp.Or(cmp.Compare(triad.SeverityRank(a.Severity), triad.SeverityRank(b.Severity)), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
}

// ofKind returns the findings of one kind, the worst first.
func (d *Document) ofKind(kind triad.FindingKind) []triad.Finding {
	var all []triad.Finding
	for _, f := range d.Findings {
		if f.Kind == kind {
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, bySeverity)
	return all
}

// setAside returns what was suppressed by people's word, not by a filter of this run.
func (d *Document) setAside() (said []triad.Suppressed, filtered int) {
	for _, s := range d.Suppressed {
		if s.Suppression.Kind == triad.SuppressedByFilter {
			filtered++
		} else {
			said = append(said, s)
		}
	}
	return said, filtered
}
