package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/triad-security/triad"
)

// SARIF writes a document as SARIF 2.1.0: every rule that was looked for also where nothing
// was found, what was set aside as suppressed results, and what could not be read as
// notifications. A run whose packages or vulnerabilities were not read was not successful.
func SARIF(w io.Writer, d *Document) error {
	s := &sarifWriter{d: d, base: sources, index: map[string]int{}, seen: map[string]int{}}
	bases := map[string]sarifBase{sources: {sarifText{"The folder that was scanned, or that the Dockerfile is in."}}}
	if d.Artifact.Type == "image" {
		s.base = "IMAGE"
		bases[s.base] = sarifBase{sarifText{strings.TrimSpace(printable("The root of the image's file system: " + d.Artifact.Name + " " + d.Artifact.Digest))}}
	}
	s.rules()
	for _, v := range d.Vulnerabilities {
		s.vulnerability(v, nil)
	}
	for _, f := range d.Findings {
		s.finding(f, nil)
	}
	said, _ := d.setAside()
	for _, one := range said {
		if one.Vulnerability != nil {
			s.vulnerability(*one.Vulnerability, &one.Suppression)
		} else if one.Finding != nil {
			s.finding(*one.Finding, &one.Suppression)
		}
	}
	if s.results == nil {
		s.results = []sarifResult{}
	}
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: d.Tool.Name, Version: d.Tool.Version, InformationURI: d.Tool.URL, Rules: s.list}},
		Invocations: []sarifInvocation{{Successful: !d.coreUnread(), Start: utc(d.Started), End: utc(d.At)}},
		Bases:       bases,
		// GitHub tells the uploads of several images apart by this.
		Automation: sarifAutomation{printable("triad/" + d.Artifact.Type + "/" + d.Artifact.Name + "/")},
		Results:    s.results,
		ColumnKind: "unicodeCodePoints",
	}
	if d.Artifact.Digest != "" {
		run.Properties = map[string]any{"digest": d.Artifact.Digest}
	}
	run.Tool.Driver.Notifications, run.Invocations[0].Notifications = s.notifications()
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

func utc(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

type sarifWriter struct {
	d       *Document
	base    string
	list    []sarifRule
	index   map[string]int // rule → its place in list
	results []sarifResult
	seen    map[string]int // fingerprint → how many have it
}

// rules lists those that were looked for, then those of what was found.
func (s *sarifWriter) rules() {
	s.list = []sarifRule{}
	for _, r := range s.d.Rules {
		s.rule(r, nil)
	}
	found, other := slices.Clone(s.d.Vulnerabilities), slices.Clone(s.d.Findings)
	said, _ := s.d.setAside()
	for _, one := range said {
		if one.Vulnerability != nil {
			found = append(found, *one.Vulnerability)
		} else if one.Finding != nil {
			other = append(other, *one.Finding)
		}
	}
	worst := map[string]triad.Vulnerability{}
	for _, v := range found {
		if w, ok := worst[v.ID]; !ok || triad.SeverityRank(v.Severity) < triad.SeverityRank(w.Severity) || triad.SeverityRank(v.Severity) == triad.SeverityRank(w.Severity) && v.CVSS > w.CVSS {
			worst[v.ID] = v
		}
	}
	for _, v := range found {
		w := worst[v.ID]
		r := Rule{ID: v.ID, Kind: triad.FindingVulnerability, Title: w.Summary, Severity: w.Severity, URL: advisoryURL(v.ID)}
		if r.Title == "" {
			r.Title = v.ID + " in " + v.Package
		}
		r.Help = sentence(w)
		s.rule(r, securitySeverity(w.Severity, w.CVSS))
	}
	for _, f := range other {
		s.rule(Rule{ID: f.ID, Kind: f.Kind, Title: title(f), Severity: f.Severity, Help: f.Fix}, nil)
	}
}

func (s *sarifWriter) rule(r Rule, score any) {
	r.ID = printable(r.ID)
	if _, ok := s.index[r.ID]; ok {
		return
	}
	s.index[r.ID] = len(s.list)
	if score == nil {
		score = securitySeverity(r.Severity, 0)
	}
	rule := sarifRule{
		ID: r.ID, Name: r.ID, Short: sarifText{line(r.Title, 1024)}, HelpURI: r.URL,
		Configuration: &sarifLevel{level(r.Severity)},
		Properties:    map[string]any{"tags": []string{"security", string(r.Kind)}, "precision": "high"},
	}
	if rule.Short.Text == "" {
		rule.Short.Text = r.ID
	}
	help := rule.Short.Text
	if r.Help != "" {
		help = line(r.Help, 4096)
	}
	rule.Full, rule.Help = &sarifText{help}, &sarifText{help}
	if score != nil {
		rule.Properties["security-severity"] = score
	}
	s.list = append(s.list, rule)
}

// level is SARIF's for a severity.
func level(severity string) string {
	switch severity {
	case "critical", "high":
		return "error"
	case "low":
		return "note"
	}
	return "warning"
}

// securitySeverity is the number by which GitHub shows critical (over 9.0), high (7.0),
// medium (4.0) and low: the CVSS score where it says the same as the severity, which may be
// the distribution's, else one in the middle of the severity's band. nil for unknown.
func securitySeverity(word string, cvss float64) any {
	bands := map[string]struct{ low, high, middle float64 }{
		"critical": {9.1, 10, 9.5}, "high": {7, 9, 8}, "medium": {4, 6.9, 5.5}, "low": {0.1, 3.9, 2},
	}
	b, ok := bands[word]
	switch {
	case !ok:
		return nil
	case cvss >= b.low && cvss <= b.high:
		return strconv.FormatFloat(cvss, 'f', 1, 64)
	}
	return strconv.FormatFloat(b.middle, 'f', 1, 64)
}

func (s *sarifWriter) vulnerability(v triad.Vulnerability, set *triad.Suppression) {
	p := map[string]any{"kind": "vulnerability", "package": printable(v.Package), "version": printable(v.Version), "severity": severity(v.Severity), "cvss": v.CVSS, "epss": v.EPSS, "kev": v.KEV}
	for key, value := range map[string]string{"purl": v.PURL, "fixed": v.Fixed, "layer": v.Layer, "step": v.Step, "origin": string(v.Origin), "advisory": v.Advisory} {
		if value != "" {
			p[key] = printable(value)
		}
	}
	if v.Linked != nil {
		p["linked"] = *v.Linked
	}
	s.add(sarifResult{
		RuleID: printable(v.ID), Level: level(v.Severity), Message: sarifText{line(sentence(v), 4096)}, Properties: p,
		Locations: []sarifLocation{s.location(v.Path, 0, v.Package+"@"+v.Version)},
	}, v.Dockerfile, []string{"vulnerability", v.ID, v.Package, v.Path}, set)
}

func (s *sarifWriter) finding(f triad.Finding, set *triad.Suppression) {
	p := map[string]any{"kind": string(f.Kind), "severity": severity(f.Severity)}
	for key, value := range map[string]string{"layer": f.Layer, "step": f.Step, "origin": string(f.Origin), "fix": f.Fix} {
		if value != "" {
			p[key] = printable(value)
		}
	}
	text := title(f)
	if f.Detail != "" {
		text += ": " + f.Detail
	}
	s.add(sarifResult{
		RuleID: printable(f.ID), Level: level(f.Severity), Message: sarifText{line(text, 4096)}, Properties: p,
		Locations: []sarifLocation{s.location(f.Path, f.Line, "")},
	}, f.Dockerfile, []string{string(f.Kind), f.ID, f.Path, f.Detail}, set)
}

// location says where something is. GitHub wants a line of every result; where none is known
// it is the first.
func (s *sarifWriter) location(path string, n int, module string) sarifLocation {
	if path == "" {
		path = s.d.Artifact.Name
	}
	l := sarifLocation{Physical: sarifPhysical{Artifact: sarifArtifact{URI: escaped(path), Base: s.base}, Region: sarifRegion{StartLine: max(n, 1)}}}
	if module != "" {
		l.Logical = []sarifLogical{{Name: printable(module), Kind: "module"}}
	}
	return l
}

// dockerfileLine is how a step is placed: Dockerfile:12-15, the first of several.
var dockerfileLine = regexp.MustCompile(`^(.+?):(\d{1,6})(?:-(\d{1,6}))?(?: or .*)?$`)

// sources is the base of paths in the repository; those in an image have another.
const sources = "%SRCROOT%"

// inDockerfile places a result where people can change it: at the line that brought it, with
// its place in the image beside.
func inDockerfile(r *sarifResult, at string) {
	m := dockerfileLine.FindStringSubmatch(at)
	if m == nil {
		return
	}
	start, _ := strconv.Atoi(m[2])
	end, _ := strconv.Atoi(m[3])
	r.Related = r.Locations
	r.Locations = []sarifLocation{{
		Physical: sarifPhysical{Artifact: sarifArtifact{URI: escaped(m[1]), Base: sources}, Region: sarifRegion{max(start, 1), end}},
		Logical:  r.Related[0].Logical,
	}}
}

func escaped(path string) string {
	return strings.ReplaceAll((&url.URL{Path: relative(printable(path))}).EscapedPath(), ":", "%3A")
}

// add numbers a result and gives it a fingerprint that stays when versions and lines change.
func (s *sarifWriter) add(r sarifResult, dockerfile string, identity []string, set *triad.Suppression) {
	inDockerfile(&r, dockerfile)
	sum := sha256.Sum256([]byte(strings.Join(identity, "\x00")))
	print := hex.EncodeToString(sum[:16])
	s.seen[print]++
	print += ":" + strconv.Itoa(s.seen[print])
	r.Fingerprints = map[string]string{"primaryLocationLineHash": print, "triad/v1": print}
	r.RuleIndex = s.index[r.RuleID]
	if set != nil {
		suppression := sarifSuppression{Kind: "external", Status: "accepted", Justification: line(set.Reason, 4096), Properties: map[string]any{"source": printable(set.Source)}}
		for key, value := range map[string]string{"vex_status": set.Status, "vex_justification": set.Justification, "owner": set.Owner} {
			if value != "" {
				suppression.Properties[key] = printable(value)
			}
		}
		if set.Expires != nil {
			suppression.Properties["expires"] = set.Expires.UTC().Format(time.RFC3339)
		}
		r.Suppressions = []sarifSuppression{suppression}
	}
	s.results = append(s.results, r)
}

func (s *sarifWriter) notifications() (descriptors []sarifRule, all []sarifNotification) {
	index := map[string]int{}
	for _, u := range s.d.Unread {
		id := "unread/" + u.Section
		if _, ok := index[id]; !ok {
			index[id] = len(descriptors)
			descriptors = append(descriptors, sarifRule{ID: id, Short: sarifText{"Something of " + u.Section + " could not be read; it is not clean."}})
		}
		level := "warning"
		if u.Section == "packages" || u.Section == "vulnerabilities" {
			level = "error"
		}
		all = append(all, sarifNotification{Descriptor: sarifReference{id, index[id]}, Level: level, Message: sarifText{line("Not read: "+u.Section+": "+u.Reason, 4096)}})
	}
	return descriptors, all
}
