package code

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/inspect"
	"github.com/triad-security/triad/build/secret"
)

// Bounds of a SARIF document.
const (
	maxSARIF   = 128 << 20 // bytes
	maxDepth   = 64        // objects and arrays in each other; SARIF itself needs about 20
	maxResults = 100_000
	maxText    = 500 // bytes kept of a message
)

// Imported is what a SARIF document says.
type Imported struct {
	Tools    []string // names and versions
	Findings []triad.Finding
	// Suppressed is how many results the analyser's users had set aside.
	Suppressed int
	Unread     []triad.Unread
}

// ImportFile reads a SARIF 2.1.0 document from a file. Paths below root become relative to it.
func ImportFile(name, root string) (*Imported, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading SARIF: %w", err)
	}
	defer func() { _ = f.Close() }()
	imported, err := Import(f, root)
	if err != nil {
		return nil, fmt.Errorf("reading SARIF %s: %w", name, err)
	}
	return imported, nil
}

// Import reads a SARIF 2.1.0 document (OASIS, sarif-v2.1.0-errata01).
func Import(r io.Reader, root string) (*Imported, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSARIF+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSARIF {
		return nil, fmt.Errorf("more than the %d bytes that are read", maxSARIF)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if err := shallow(data); err != nil {
		return nil, err
	}
	var log sarifLog
	if err := json.Unmarshal(data, &log); err != nil {
		return nil, fmt.Errorf("it is not SARIF: %w", err)
	}
	if !strings.HasPrefix(log.Version, "2.") || log.Runs == nil {
		return nil, errors.New(`it is not SARIF 2: "version" and "runs" are missing`)
	}
	imported := &Imported{}
	for i := range log.Runs {
		if err := imported.run(&log.Runs[i], root); err != nil {
			return nil, err
		}
	}
	return imported, nil
}

// shallow refuses documents nested deeper than any SARIF is.
func shallow(data []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("nested deeper than %d", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

func (im *Imported) run(run *sarifRun, root string) error {
	driver := run.Tool.Driver
	tool := cmp.Or(secret.Mask(clip(driver.Name, 100)), "unnamed analyser")
	if v := cmp.Or(driver.SemanticVersion, driver.Version); v != "" {
		tool += " " + clip(v, 50)
	}
	im.Tools = append(im.Tools, tool)
	for _, inv := range run.Invocations {
		if inv.Successful != nil && !*inv.Successful {
			im.Unread = append(im.Unread, triad.Unread{Section: inspect.SectionCode, Reason: tool + " says that it did not run to its end"})
		}
		failures := 0
		for _, n := range inv.Notifications {
			if n.Level == "error" {
				if failures++; failures <= 20 {
					im.Unread = append(im.Unread, triad.Unread{Section: inspect.SectionCode, Reason: tool + ": " + cleared(n.Message.text())})
				}
			}
		}
	}
	if run.Results == nil {
		im.Unread = append(im.Unread, triad.Unread{Section: inspect.SectionCode, Reason: tool + " gives no results, not even an empty list: it did not look"})
	}
	for i := range run.Results {
		result := &run.Results[i]
		switch {
		case result.suppressed():
			im.Suppressed++
			continue
		case result.Kind != "" && result.Kind != "fail" && result.Kind != "open" && result.Kind != "review", result.BaselineState == "absent":
			continue
		}
		if len(im.Findings) >= maxResults {
			return fmt.Errorf("more than the %d results that are read", maxResults)
		}
		im.Findings = append(im.Findings, run.finding(result, tool, root))
	}
	return nil
}

// finding translates one result.
func (run *sarifRun) finding(r *sarifResult, tool, root string) triad.Finding {
	rule := run.rule(r)
	id := cmp.Or(r.RuleID, r.Rule.ID, rule.ID, "unnamed")
	message := r.Message.text()
	if message == "" && r.Message.ID != "" {
		message = rule.Messages[r.Message.ID].Text
	}
	f := triad.Finding{
		Kind: triad.FindingCode, ID: clip(id, 200), Section: inspect.SectionCode,
		Title:    cleared(cmp.Or(rule.Short.Text, rule.Name, message, id)),
		Severity: severity(r, rule), Detail: cleared(message),
		Aliases: weaknesses(rule, r), Fix: cleared(rule.Help.Text),
		Evidence: []triad.Evidence{{Source: tool, Detail: clip(fingerprintOf(r), 200)}},
	}
	if len(r.Locations) > 0 {
		at := r.Locations[0].Physical
		f.Path = run.path(at.Artifact, root)
		f.Line = max(at.Region.StartLine, 0)
	}
	return f
}

// rule finds the description of a result's rule: by index, else by its ID.
func (run *sarifRun) rule(r *sarifResult) *sarifRule {
	component := &run.Tool.Driver
	if c := r.Rule.Component.Index; c != nil && *c >= 0 && *c < len(run.Tool.Extensions) {
		component = &run.Tool.Extensions[*c]
	}
	index := r.RuleIndex
	if index == nil {
		index = r.Rule.Index
	}
	if index != nil && *index >= 0 && *index < len(component.Rules) {
		return &component.Rules[*index]
	}
	if run.byID == nil {
		run.byID = map[string]*sarifRule{}
		for _, c := range append([]sarifComponent{run.Tool.Driver}, run.Tool.Extensions...) {
			for i := range c.Rules {
				run.byID[c.Rules[i].ID] = &c.Rules[i]
			}
		}
	}
	id := cmp.Or(r.RuleID, r.Rule.ID)
	for id != "" { // hierarchical: CA2101/1 is a part of CA2101
		if rule := run.byID[id]; rule != nil {
			return rule
		}
		i := strings.LastIndexByte(id, '/')
		if i < 0 {
			break
		}
		id = id[:i]
	}
	return &sarifRule{}
}

// severity is the security-severity that GitHub defined (a CVSS score), else the level.
func severity(r *sarifResult, rule *sarifRule) string {
	for _, p := range []properties{r.Properties, rule.Properties} {
		score, err := strconv.ParseFloat(strings.Trim(string(p.Severity), `"`), 64)
		if err != nil || score <= 0 {
			continue
		}
		switch {
		case score >= 9:
			return "critical"
		case score >= 7:
			return "high"
		case score >= 4:
			return "medium"
		}
		return "low"
	}
	switch cmp.Or(r.Level, rule.Default.Level, "warning") {
	case "error":
		return "high"
	case "warning":
		return "medium"
	}
	return "low"
}

// weaknesses are the CWE numbers among tags and taxa.
func weaknesses(rule *sarifRule, r *sarifResult) []string {
	var ids []string
	seen := map[string]bool{}
	add := func(s string) {
		i := strings.LastIndex(strings.ToUpper(s), "CWE-")
		if i < 0 {
			return
		}
		n := 0
		for n < 5 && i+4+n < len(s) && s[i+4+n] >= '0' && s[i+4+n] <= '9' {
			n++
		}
		if n == 0 {
			return
		}
		id := "CWE-" + cmp.Or(strings.TrimLeft(s[i+4:i+4+n], "0"), "0")
		if !seen[id] && len(ids) < 10 {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	for _, tags := range [][]string{rule.Properties.Tags, r.Properties.Tags} {
		for _, tag := range tags {
			add(tag)
		}
	}
	for _, to := range rule.Relationships {
		if strings.EqualFold(to.Target.Component.Name, "CWE") {
			add("CWE-" + strings.TrimPrefix(to.Target.ID, "CWE-"))
		}
	}
	for _, taxon := range r.Taxa {
		if strings.EqualFold(taxon.Component.Name, "CWE") {
			add("CWE-" + strings.TrimPrefix(taxon.ID, "CWE-"))
		}
	}
	return ids
}

// path is where a result is: relative to root where it is below it, else as it was given.
func (run *sarifRun) path(a sarifArtifact, root string) string {
	uri, base := a.URI, a.Base
	if uri == "" && a.Index != nil && *a.Index >= 0 && *a.Index < len(run.Artifacts) {
		uri, base = run.Artifacts[*a.Index].Location.URI, run.Artifacts[*a.Index].Location.Base
	}
	// A base may stand on another base (section 3.14.14).
	for n := 0; base != "" && n < 8 && !strings.Contains(uri, "://"); n++ {
		b := run.Bases[base]
		if b.URI != "" {
			uri = strings.TrimSuffix(b.URI, "/") + "/" + uri
		}
		base = b.Base
	}
	return Relative(uri, root)
}

// suppressed says whether somebody set the result aside and nobody refused it.
func (r *sarifResult) suppressed() bool {
	for _, s := range r.Suppressions {
		if s.Status == "" || s.Status == "accepted" {
			return true
		}
	}
	return false
}

// Relative makes a path or file URI relative to root where it is below it.
func Relative(uri, root string) string {
	name := uri
	if rest, is := strings.CutPrefix(uri, "file://"); is {
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			name = rest[i:]
		}
	}
	if unescaped, err := unescape(name); err == nil {
		name = unescaped
	}
	name = strings.ToValidUTF8(clip(name, 1024), "")
	if root != "" && filepath.IsAbs(name) {
		if abs, err := filepath.Abs(root); err == nil {
			if rel, err := filepath.Rel(abs, name); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
				return filepath.ToSlash(rel)
			}
		}
		return name
	}
	return strings.TrimPrefix(name, "./")
}

// cleared is a text for people without secrets, on one line and of bounded length: an
// analyser may cite the very line that leaks.
func cleared(s string) string {
	s = secret.Mask(clip(s, 4*maxText))
	return clip(strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " "), maxText)
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
