package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/triad-security/triad/policy"
)

// maxShown bounds the reasons of one guardrail in the table; JSON has all.
const maxShown = 20

func printGate(w io.Writer, out *gated) error {
	var b bytes.Buffer
	for i := range out.Targets {
		if i > 0 {
			fmt.Fprintln(&b)
		}
		printGated(&b, &out.Targets[i])
	}
	_, err := w.Write(b.Bytes())
	return err
}

func printGated(b *bytes.Buffer, t *gatedTarget) {
	name := t.Artifact.Name
	if name == "" {
		name = t.Target
	}
	if t.Error != "" {
		fmt.Fprintf(b, "NOT JUDGED  %s\n  %s\n", oneLine(t.Target), oneLine(t.Error))
		return
	}
	fmt.Fprintf(b, "%s  %s %s", strings.ToUpper(string(t.Verdict)), t.Artifact.Type, oneLine(name))
	if t.Artifact.Digest != "" {
		fmt.Fprintf(b, " (%s)", t.Artifact.Digest)
	}
	fmt.Fprint(b, "\n\n")
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "GUARDRAIL\tSEVERITY\tMODE\tVERDICT\tEFFECT\tWHY")
	for _, g := range t.Guardrails {
		if g.Verdict == policy.NotApplicable {
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", g.Guardrail, g.Severity, g.Mode, g.Verdict, g.Effect, cut(oneLine(gateSummary(&g)), 100))
	}
	table.Flush()
	for _, g := range t.Guardrails {
		if len(g.Reasons) > 0 {
			printReasons(b, &g)
		}
	}
	printFixes(b, t.Fixes)
	printLive(b, t.Live)
	printExceptions(b, t.Exceptions)
	if len(t.Unread) > 0 {
		fmt.Fprintln(b, "\nNot read:")
		for _, u := range t.Unread {
			fmt.Fprintf(b, "  %s\n", oneLine(u.Section+": "+u.Reason))
		}
	}
}

// gateSummary is why a guardrail says what it says, in a few words.
func gateSummary(g *policy.Result) string {
	var parts []string
	switch n := len(g.Reasons); {
	case n == 1:
		parts = append(parts, g.Reasons[0].Message)
	case n > 1:
		parts = append(parts, fmt.Sprintf("%d reasons", n))
	}
	if g.Verdict == policy.Unknown {
		var sections []string
		for _, u := range g.Unread {
			if !slices.Contains(sections, u.Section) {
				sections = append(sections, u.Section)
			}
		}
		parts = append(parts, "not read: "+strings.Join(sections, ", "))
	}
	if n := len(g.Excepted); n > 0 {
		parts = append(parts, fmt.Sprintf("%d by exception", n))
	}
	return strings.Join(parts, "; ")
}

func printReasons(b *bytes.Buffer, g *policy.Result) {
	fmt.Fprintf(b, "\n%s: %s (owner: %s)\n", g.Guardrail, oneLine(g.Description), oneLine(g.Owner))
	for i, r := range g.Reasons {
		if i == maxShown {
			fmt.Fprintf(b, "  … and %d more; --format json has all\n", len(g.Reasons)-maxShown)
			break
		}
		fmt.Fprintf(b, "  %s\n", oneLine(r.Message))
		if f := r.Finding; f != nil {
			if where := findingLine(f); where != "" {
				fmt.Fprintf(b, "    %s\n", oneLine(where))
			}
		}
	}
}

func findingLine(f *policy.FindingRef) string {
	var parts []string
	if f.Severity != "" {
		parts = append(parts, f.Severity)
	}
	if f.Path != "" {
		at := f.Path
		if f.Line > 0 {
			at += fmt.Sprintf(":%d", f.Line)
		}
		parts = append(parts, at)
	}
	if f.Origin != "" {
		parts = append(parts, map[string]string{"base": "from the base image", "yours": "yours"}[f.Origin])
	}
	if f.Decision != "" {
		where := "where it runs"
		if f.Added {
			where = "new, and would be where its repository runs"
		}
		parts = append(parts, fmt.Sprintf("%s %s: %s, exposure %s", f.Decision, where, f.RunsAs, f.Exposure))
	}
	return strings.Join(parts, " · ")
}

func printFixes(b *bytes.Buffer, all []gateFix) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(b, "\nSmallest fix:")
	for i, f := range all {
		if i == maxShown {
			fmt.Fprintf(b, "  … and %d more\n", len(all)-maxShown)
			break
		}
		line := f.Change
		if f.Path != "" && !strings.Contains(f.Change, f.Path) {
			line += " (" + f.Path + ")"
		}
		fmt.Fprintf(b, "  %s: removes %s\n", oneLine(line), cut(oneLine(strings.Join(f.Removes, ", ")), 120))
	}
}

// printLive says what runs of the repository, and what the image would change.
func printLive(b *bytes.Buffer, l *gatedLive) {
	if l == nil {
		return
	}
	fmt.Fprintf(b, "\nWhere it runs (%s):\n", oneLine(l.Repository))
	for _, i := range l.Images {
		line := i.Reference
		if i.Same {
			line += " (this image)"
		}
		if !i.Scanned {
			line += ", never scanned"
		}
		if len(i.Workloads) > 0 {
			line += ": " + strings.Join(i.Workloads, ", ")
		}
		fmt.Fprintf(b, "  %s\n", cut(oneLine(line), 200))
	}
	if len(l.Images) == 0 {
		fmt.Fprintln(b, "  nothing of this repository is known to run")
	}
	for _, x := range []struct {
		say string
		ids []string
	}{{"would add", l.Added}, {"would remove", l.Removed}} {
		if len(x.ids) > 0 {
			fmt.Fprintf(b, "  %s %d: %s\n", x.say, len(x.ids), cut(oneLine(strings.Join(x.ids, ", ")), 160))
		}
	}
}

func printExceptions(b *bytes.Buffer, all []policy.ExceptionOutcome) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(b, "\nExceptions:")
	for _, x := range all {
		switch x.State {
		case "applied":
			fmt.Fprintf(b, "  %s lets %d pass until %s (%s: %s)\n", x.ID, x.Passed, x.Expires.Format("2006-01-02"), oneLine(x.Owner), oneLine(x.Reason))
		case "expired":
			fmt.Fprintf(b, "  %s ended on %s and is not applied; ask %s\n", x.ID, x.Expires.Format("2006-01-02"), oneLine(x.Owner))
		default:
			fmt.Fprintf(b, "  %s is not used: remove it (%s)\n", x.ID, x.Source)
		}
	}
}
