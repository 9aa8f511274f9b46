package scan

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"
)

// severities in order of urgency, with their colours (ANSI, so that the terminal's own
// scheme decides how they look).
var severities = []struct{ name, colour string }{{"critical", "9"}, {"high", "1"}, {"medium", "3"}, {"low", "4"}, {"unknown", "8"}}

func rank(severity string) int {
	for i, s := range severities {
		if s.name == severity {
			return i
		}
	}
	return len(severities) - 1
}

// AtLeast counts the vulnerabilities of a severity or a worse one.
func (r *Result) AtLeast(severity string) int {
	n := 0
	for _, v := range r.Vulnerabilities {
		if rank(v.Severity) <= rank(severity) {
			n++
		}
	}
	return n
}

// IsSeverity reports whether a word names a severity.
func IsSeverity(word string) bool {
	return slices.ContainsFunc(severities, func(s struct{ name, colour string }) bool { return s.name == word })
}

// Table writes the result for people: one line that sums up, the vulnerabilities by
// severity, and what could not be read. With packages it lists those too.
func (r *Result) Table(w io.Writer, packages bool) error {
	var b strings.Builder
	b.WriteString(r.summary() + "\n")
	if len(r.Vulnerabilities) > 0 {
		b.WriteString("\n" + r.vulnerabilityTable() + "\n")
	}
	if packages {
		b.WriteString("\n" + r.packageTable() + "\n")
	}
	for i, u := range r.Unread {
		if i == 0 {
			b.WriteString("\nNot read:\n")
		}
		fmt.Fprintf(&b, "  %s: %s\n", u.Section, u.Reason)
	}
	_, err := lipgloss.Fprint(w, b.String()) // leaves colours out where w is no terminal
	return err
}

func (r *Result) summary() string {
	a := r.Artifact
	name := lipgloss.NewStyle().Bold(true).Render(printable(a.Name))
	parts := []string{fmt.Sprintf("%s %s", a.Type, name)}
	if a.OS != "" {
		parts = append(parts, printable(a.OS))
	}
	if len(a.Layers) > 0 {
		layers := plural(len(a.Layers), "layer", "layers")
		if a.Cached > 0 {
			layers += fmt.Sprintf(" (%d from the cache)", a.Cached)
		}
		parts = append(parts, layers)
	}
	parts = append(parts, plural(len(r.Packages), "package", "packages"))
	counts := map[string]int{}
	for _, v := range r.Vulnerabilities {
		counts[severities[rank(v.Severity)].name]++
	}
	var worst []string
	for _, s := range severities {
		if n := counts[s.name]; n > 0 {
			worst = append(worst, colour(s.name, fmt.Sprintf("%d %s", n, s.name)))
		}
	}
	switch {
	case len(worst) > 0:
		parts = append(parts, plural(len(r.Vulnerabilities), "vulnerability", "vulnerabilities")+" ("+strings.Join(worst, ", ")+")")
	case r.unreadSection("vulnerabilities"):
		parts = append(parts, "vulnerabilities not looked up")
	default:
		parts = append(parts, "no known vulnerability")
	}
	return strings.Join(parts, " · ")
}

func (r *Result) unreadSection(name string) bool {
	for _, u := range r.Unread {
		if u.Section == name {
			return true
		}
	}
	return false
}

func colour(severity, text string) string {
	return lipgloss.NewStyle().Foreground(lipgloss.Color(severities[rank(severity)].colour)).Render(text)
}

func newTable(headers ...string) *table.Table {
	return table.New().Border(lipgloss.HiddenBorder()).BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).BorderHeader(false).
		Headers(headers...).StyleFunc(func(row, _ int) lipgloss.Style {
		style := lipgloss.NewStyle()
		if row == table.HeaderRow {
			style = style.Bold(true)
		}
		return style
	})
}

func (r *Result) vulnerabilityTable() string {
	all := slices.Clone(r.Vulnerabilities)
	slices.SortStableFunc(all, func(a, b Vulnerability) int {
		return cmp.Or(cmp.Compare(rank(a.Severity), rank(b.Severity)), cmp.Compare(b.EPSS, a.EPSS), cmp.Compare(b.CVSS, a.CVSS), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Package, b.Package))
	})
	steps := map[string]string{}
	for _, l := range r.Artifact.Layers {
		steps[l.DiffID] = l.Step
	}
	t := newTable("SEVERITY", "ID", "PACKAGE", "INSTALLED", "FIXED IN", "EPSS", "EXPLOITED", "BROUGHT BY")
	for _, v := range all {
		kev, fixed := "", v.Fixed
		if v.KEV {
			kev = "known"
		}
		if fixed == "" {
			fixed = "–"
		}
		t.Row(colour(v.Severity, severities[rank(v.Severity)].name), v.ID, printable(v.Package), printable(v.Version), fixed, fmt.Sprintf("%.3f", v.EPSS), kev, shorten(steps[v.Layer], 48))
	}
	return t.String()
}

func (r *Result) packageTable() string {
	t := newTable("PACKAGE", "VERSION", "ECOSYSTEM", "PATH", "BROUGHT BY")
	all := slices.Clone(r.Packages)
	sort.SliceStable(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	for _, p := range all {
		t.Row(printable(p.Name), printable(p.Version), p.Ecosystem, shorten(p.Path, 60), shorten(p.Step, 48))
	}
	return t.String()
}

// shorten cuts text to n runes.
func shorten(text string, n int) string {
	runes := []rune(printable(strings.Join(strings.Fields(text), " ")))
	if len(runes) <= n {
		return string(runes)
	}
	return string(runes[:n-1]) + "…"
}

// printable takes out what an artifact could steer a terminal with.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '�'
		}
		return r
	}, text)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", one)
	}
	return fmt.Sprintf("%d %s", n, many)
}
