package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/policy"
	"github.com/triad-security/triad/report"
)

// gateFormats are those of the gate's result, by --format and --write.
func gateFormats(out *gated) map[string]func(io.Writer) error {
	return map[string]func(io.Writer) error{
		"json": func(w io.Writer) error {
			enc := json.NewEncoder(w)
			enc.SetIndent("", "  ")
			enc.SetEscapeHTML(false)
			return enc.Encode(out)
		},
		"table":    func(w io.Writer) error { return printGate(w, out) },
		"sarif":    func(w io.Writer) error { return report.SARIF(w, refusedDocument(out)) },
		"gitlab":   func(w io.Writer) error { return gateGitLab(w, out) },
		"markdown": func(w io.Writer) error { return gateMarkdown(w, out) },
		"verdict": func(w io.Writer) error {
			_, err := fmt.Fprintln(w, out.Verdict)
			return err
		},
	}
}

// gateWrites are the files of --write, by format.
func gateWrites(pairs []string) (map[string]string, error) {
	files := map[string]string{}
	known := slices.Sorted(maps.Keys(gateFormats(nil)))
	for _, p := range pairs {
		format, file, ok := strings.Cut(p, "=")
		if !ok || file == "" || !slices.Contains(known, format) {
			return nil, triad.Errorf(triad.CodeInvalid, "--write %s: give FORMAT=FILE, with a format of %s", p, strings.Join(known, ", "))
		}
		files[format] = file
	}
	return files, nil
}

func writeGate(files map[string]string, out *gated) error {
	all := gateFormats(out)
	for _, format := range slices.Sorted(maps.Keys(files)) {
		var b bytes.Buffer
		if err := all[format](&b); err != nil {
			return fmt.Errorf("writing %s: %w", format, err)
		}
		if err := os.WriteFile(files[format], b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("writing %s: %w", format, err)
		}
	}
	return nil
}

// refusedDocument holds the findings that refuse or warn, of all targets.
func refusedDocument(out *gated) *report.Document {
	d := &report.Document{Tool: report.Tool{Name: "Triad gate", Version: version, URL: "https://github.com/triad-security/triad"}, Started: time.Now(), At: time.Now()}
	for i := range out.Targets {
		t := &out.Targets[i]
		if t.scan == nil {
			continue
		}
		whole := document(t.scan, t.At)
		if d.Artifact.Name == "" {
			d.Artifact, d.Scanned = whole.Artifact, whole.Scanned
		}
		d.Rules, d.Unread = append(d.Rules, whole.Rules...), append(d.Unread, whole.Unread...)
		for _, v := range whole.Vulnerabilities {
			if t.stops(v.ID, v.Package, v.Path, 0) {
				d.Vulnerabilities = append(d.Vulnerabilities, v)
			}
		}
		for _, f := range whole.Findings {
			if t.stops(f.ID, "", f.Path, f.Line) {
				d.Findings = append(d.Findings, f)
			}
		}
	}
	return d
}

// stops says whether a guardrail refuses or warns because of a finding.
func (t *gatedTarget) stops(id, pkg, path string, line int) bool {
	for _, g := range t.Guardrails {
		if !stopping(g.Effect) {
			continue
		}
		for _, r := range g.Reasons {
			if f := r.Finding; f != nil && f.ID == id && f.Package == pkg && f.Path == path && f.Line == line {
				return true
			}
		}
	}
	return false
}

// gateGitLab writes GitLab's container-scanning report of all findings of the one target, so
// that the merge request shows them beside the gate's verdict.
func gateGitLab(w io.Writer, out *gated) error {
	if len(out.Targets) != 1 || out.Targets[0].scan == nil {
		return triad.Errorf(triad.CodeInvalid, "GitLab's report is of one target that could be judged; there are %d", len(out.Targets))
	}
	return report.GitLab(w, document(out.Targets[0].scan, out.Targets[0].At))
}

// gateMarkdown writes the result for a pull request or a job's summary.
func gateMarkdown(w io.Writer, out *gated) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "## Triad gate: %s\n", out.Verdict)
	for i := range out.Targets {
		t := &out.Targets[i]
		fmt.Fprintf(&b, "\n### %s: %s\n\n", markdownText(t.Target), t.Verdict)
		if t.Error != "" {
			fmt.Fprintf(&b, "Not judged: %s\n", markdownText(t.Error))
			continue
		}
		fmt.Fprintln(&b, "| Guardrail | Severity | Verdict | Effect | Why |\n| --- | --- | --- | --- | --- |")
		for _, g := range t.Guardrails {
			if g.Verdict != policy.NotApplicable {
				fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", g.Guardrail, g.Severity, g.Verdict, g.Effect, markdownText(cut(gateSummary(&g), 200)))
			}
		}
		for _, g := range t.Guardrails {
			if len(g.Reasons) == 0 || g.Effect == policy.EffectNone {
				continue
			}
			fmt.Fprintf(&b, "\n**%s** (owner: %s)\n\n", g.Guardrail, markdownText(g.Owner))
			for n, r := range g.Reasons {
				if n == maxShown {
					fmt.Fprintf(&b, "- … and %d more\n", len(g.Reasons)-maxShown)
					break
				}
				fmt.Fprintf(&b, "- %s\n", markdownText(r.Message))
			}
		}
		for n, f := range t.Fixes {
			if n == 0 {
				fmt.Fprint(&b, "\n**Smallest fix**\n\n")
			}
			if n == maxShown {
				break
			}
			fmt.Fprintf(&b, "- %s: removes %s\n", markdownText(f.Change), markdownText(cut(strings.Join(f.Removes, ", "), 200)))
		}
		for n, u := range t.Unread {
			if n == 0 {
				fmt.Fprint(&b, "\n**Not read**, so not clean\n\n")
			}
			fmt.Fprintf(&b, "- %s: %s\n", markdownText(u.Section), markdownText(u.Reason))
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// markdownText takes the meaning out of what an artifact holds: it is text, on one line.
func markdownText(s string) string {
	var b strings.Builder
	for _, r := range oneLine(s) {
		if strings.ContainsRune("\\`*_{}[]()<>#+!|~@&", r) {
			if r < 0x80 && strings.ContainsRune("<>&@", r) { // no markup, entity or mention
				fmt.Fprintf(&b, "&#%d;", r)
				continue
			}
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
