package report

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/triad-security/triad"
)

// gitlabVersion is the version of GitLab's security report schemas that is written: the last
// of 15.0, the oldest of the versions 15 and so the most widely read.
const gitlabVersion = "15.0.7"

type (
	gitlabReport struct {
		Version         string                `json:"version"`
		Schema          string                `json:"schema"`
		Scan            gitlabScan            `json:"scan"`
		Vulnerabilities []gitlabVulnerability `json:"vulnerabilities"`
	}
	gitlabScan struct {
		Analyzer gitlabTool      `json:"analyzer"`
		Scanner  gitlabTool      `json:"scanner"`
		Start    string          `json:"start_time"`
		End      string          `json:"end_time"`
		Status   string          `json:"status"`
		Type     string          `json:"type"`
		Messages []gitlabMessage `json:"messages,omitempty"`
	}
	gitlabTool struct {
		ID      string            `json:"id"`
		Name    string            `json:"name"`
		URL     string            `json:"url,omitempty"`
		Vendor  map[string]string `json:"vendor"`
		Version string            `json:"version"`
	}
	gitlabMessage struct {
		Level string `json:"level"`
		Value string `json:"value"`
	}
	gitlabVulnerability struct {
		ID          string             `json:"id"`
		Name        string             `json:"name"`
		Description string             `json:"description"`
		Severity    string             `json:"severity"`
		Solution    string             `json:"solution,omitempty"`
		Identifiers []gitlabIdentifier `json:"identifiers"`
		Links       []gitlabLink       `json:"links,omitempty"`
		Location    gitlabLocation     `json:"location"`
	}
	gitlabIdentifier struct {
		Type  string `json:"type"`
		Name  string `json:"name"`
		Value string `json:"value"`
		URL   string `json:"url,omitempty"`
	}
	gitlabLink struct {
		URL string `json:"url"`
	}
	gitlabLocation struct {
		Dependency struct {
			Package struct {
				Name string `json:"name"`
			} `json:"package"`
			Version string `json:"version"`
		} `json:"dependency"`
		OperatingSystem string `json:"operating_system"`
		Image           string `json:"image"`
	}
)

// GitLab writes the vulnerabilities of a document as GitLab's container scanning report. That
// report has no place for findings of other kinds: how many there are is said in a message of
// it, as is what could not be read.
func GitLab(w io.Writer, d *Document) error {
	version := d.Tool.Version
	if version == "" {
		version = "unknown"
	}
	tool := gitlabTool{ID: strings.ToLower(d.Tool.Name), Name: d.Tool.Name, URL: d.Tool.URL, Vendor: map[string]string{"name": d.Tool.Name}, Version: version}
	r := gitlabReport{
		Version:         gitlabVersion,
		Schema:          "https://gitlab.com/gitlab-org/security-products/security-report-schemas/-/raw/v" + gitlabVersion + "/dist/container-scanning-report-format.json",
		Scan:            gitlabScan{Analyzer: tool, Scanner: tool, Start: gitlabTime(d.Started), End: gitlabTime(d.At), Status: "success", Type: "container_scanning"},
		Vulnerabilities: []gitlabVulnerability{},
	}
	if d.coreUnread() {
		r.Scan.Status = "failure"
	}
	for _, u := range d.Unread {
		r.Scan.Messages = append(r.Scan.Messages, gitlabMessage{"warn", line("not read: "+u.Section+": "+u.Reason, 2000)})
	}
	if n := len(d.Findings); n > 0 {
		r.Scan.Messages = append(r.Scan.Messages, gitlabMessage{"warn", plural(n, "finding", "findings") + " of other kinds (malware, secrets, code, misconfigurations) have no place in this report"})
	}
	if n := len(d.Suppressed); n > 0 {
		r.Scan.Messages = append(r.Scan.Messages, gitlabMessage{"info", plural(n, "finding was", "findings were") + " set aside"})
	}
	seen := map[string]int{}
	for _, v := range d.Vulnerabilities {
		r.Vulnerabilities = append(r.Vulnerabilities, gitlabOne(d, v, seen))
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

func gitlabOne(d *Document, v triad.Vulnerability, seen map[string]int) gitlabVulnerability {
	key := vulnerabilityKey(v) + "\x00" + d.Artifact.Name + "\x00" + v.Version
	seen[key]++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", key, seen[key]))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // RFC 9562, version 8: of our own making
	one := gitlabVulnerability{
		ID:          fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]),
		Name:        line(v.ID+" in "+v.Package, 255),
		Description: gitlabMarkdown(sentence(v)),
		Severity:    map[string]string{"critical": "Critical", "high": "High", "medium": "Medium", "low": "Low", "unknown": "Unknown"}[severity(v.Severity)],
	}
	if v.Fixed != "" {
		one.Solution = line(fmt.Sprintf("Upgrade %s from %s to %s", v.Package, v.Version, v.Fixed), 7000)
	}
	for _, id := range append([]string{v.ID}, v.Aliases...) {
		if id = line(id, 255); id != "" {
			url := advisoryURL(id)
			one.Identifiers = append(one.Identifiers, gitlabIdentifier{Type: identifierType(id), Name: id, Value: id, URL: url})
			if url != "" {
				one.Links = append(one.Links, gitlabLink{url})
			}
		}
	}
	one.Location.Dependency.Package.Name, one.Location.Dependency.Version = line(v.Package, 255), line(v.Version, 255)
	one.Location.OperatingSystem = "unknown"
	if d.Artifact.OS != "" {
		one.Location.OperatingSystem = line(strings.TrimSuffix(d.Artifact.OS+":"+d.Artifact.OSVersion, ":"), 255)
	}
	if one.Location.Image = line(d.Artifact.Name, 255); one.Location.Image == "" {
		one.Location.Image = "unnamed"
	}
	return one
}

// gitlabMarkdown is text for a field that GitLab shows as its Markdown.
func gitlabMarkdown(text string) string { return md(text, 4096) }

// identifierType is GitLab's word for the kind of an identifier: cve, ghsa, rhsa, ….
func identifierType(id string) string {
	kind, _, ok := strings.Cut(id, "-")
	if !ok || kind == "" {
		return "triad"
	}
	return strings.ToLower(kind)
}

// gitlabTime is without a zone: UTC is meant.
func gitlabTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05") }
