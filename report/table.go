package report

import (
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"

	"github.com/triad-security/triad"
)

// colours of severities, from the worst: ANSI, so that the terminal's own scheme decides how
// they look.
var colours = []string{"9", "1", "3", "4", "8"}

// TableOptions says what a table shows beside the findings.
type TableOptions struct {
	// Packages lists every package, Suppressed what was set aside.
	Packages, Suppressed bool
	// Baseline is an earlier result whose difference is summed up.
	Baseline *Baseline
}

// Table writes a document for people: one line that sums up, the findings of each kind with
// the worst first, what was set aside, and what could not be read.
func Table(w io.Writer, d *Document, o TableOptions) error {
	var b strings.Builder
	b.WriteString(summary(d) + "\n")
	if o.Baseline != nil {
		diff := o.Baseline.Compare(d)
		fmt.Fprintf(&b, "Since the baseline: %d new, %d fixed\n", diff.New(), diff.Fixed())
	}
	for _, k := range kinds {
		if k.kind == triad.FindingVulnerability {
			if len(d.Vulnerabilities) > 0 {
				b.WriteString("\n" + vulnerabilityTable(d) + "\n")
			}
			continue
		}
		if found := d.ofKind(k.kind); len(found) > 0 {
			b.WriteString("\n" + k.cap + ":\n" + findingTable(d, found) + "\n")
		}
	}
	if o.Packages {
		b.WriteString("\n" + packageTable(d) + "\n")
	}
	setAside(&b, d, o.Suppressed)
	for i, u := range d.Unread {
		if i == 0 {
			b.WriteString("\nNot read:\n")
		}
		fmt.Fprintf(&b, "  %s: %s\n", printable(u.Section), line(u.Reason, 1000))
	}
	_, err := lipgloss.Fprint(w, b.String()) // leaves colours out where w is no terminal
	return err
}

func summary(d *Document) string {
	a := d.Artifact
	parts := []string{fmt.Sprintf("%s %s", printable(a.Type), lipgloss.NewStyle().Bold(true).Render(line(a.Name, 300)))}
	if a.OSName != "" {
		parts = append(parts, line(a.OSName, 100))
	}
	if a.Base != "" {
		parts = append(parts, "built from "+line(a.Base, 200))
	}
	if len(a.Layers) > 0 {
		layers := plural(len(a.Layers), "layer", "layers")
		if a.Cached > 0 {
			layers += fmt.Sprintf(" (%d from the cache)", a.Cached)
		}
		parts = append(parts, layers)
	}
	parts = append(parts, plural(len(d.Packages), "package", "packages"))
	counts := map[string]int{}
	for _, v := range d.Vulnerabilities {
		counts[severity(v.Severity)]++
	}
	var worst []string
	for _, s := range triad.Severities() {
		if n := counts[s]; n > 0 {
			worst = append(worst, colour(s, fmt.Sprintf("%d %s", n, s)))
		}
	}
	switch {
	case len(worst) > 0:
		parts = append(parts, plural(len(d.Vulnerabilities), "vulnerability", "vulnerabilities")+" ("+strings.Join(worst, ", ")+")")
	case d.IsUnread("vulnerabilities"):
		parts = append(parts, "vulnerabilities not looked up")
	default:
		parts = append(parts, "no known vulnerability")
	}
	for _, k := range kinds {
		if found := d.ofKind(k.kind); len(found) > 0 {
			parts = append(parts, colour(found[0].Severity, plural(len(found), k.one, k.many)))
		}
	}
	if n := len(d.Suppressed); n > 0 {
		parts = append(parts, fmt.Sprintf("%d set aside", n))
	}
	return strings.Join(parts, " · ")
}

func colour(word, text string) string {
	return lipgloss.NewStyle().Foreground(lipgloss.Color(colours[triad.SeverityRank(word)])).Render(text)
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

// steps are the build steps of an artifact by layer.
func steps(d *Document) map[string]string {
	all := map[string]string{}
	for _, l := range d.Artifact.Layers {
		all[l.DiffID] = l.Step
	}
	return all
}

func vulnerabilityTable(d *Document) string {
	all := slices.Clone(d.Vulnerabilities)
	slices.SortStableFunc(all, byUrgency)
	steps := steps(d)
	t := newTable("SEVERITY", "ID", "PACKAGE", "INSTALLED", "FIXED IN", "EPSS", "EXPLOITED", "BROUGHT BY")
	for _, v := range all {
		kev, fixed := "", line(v.Fixed, 60)
		if v.KEV {
			kev = "known"
		}
		if fixed == "" {
			fixed = "–"
		}
		t.Row(colour(v.Severity, severity(v.Severity)), line(v.ID, 60), line(v.Package, 80), line(v.Version, 60), fixed, fmt.Sprintf("%.3f", v.EPSS), kev, brought(v.Origin, v.Dockerfile, v.Step, steps[v.Layer]))
	}
	return t.String()
}

// brought says whose layer, which line of the Dockerfile and which step brought something.
func brought(origin triad.Origin, dockerfile, step, layer string) string {
	if step == "" {
		step = layer
	}
	text := line(strings.TrimSpace(dockerfile+" "+step), 56)
	if origin != "" {
		text = strings.TrimSpace(string(origin) + ": " + text)
	}
	return text
}

func findingTable(d *Document, found []triad.Finding) string {
	steps := steps(d)
	t := newTable("SEVERITY", "ID", "WHAT", "WHERE", "BROUGHT BY")
	for _, f := range found {
		what := title(f)
		if f.Detail != "" {
			what += ": " + f.Detail
		}
		t.Row(colour(f.Severity, severity(f.Severity)), line(f.ID, 48), line(what, 90), line(place(f.Path, f.Line), 80), brought(f.Origin, f.Dockerfile, f.Step, steps[f.Layer]))
	}
	return t.String()
}

func packageTable(d *Document) string {
	t := newTable("PACKAGE", "VERSION", "ECOSYSTEM", "PATH", "BROUGHT BY")
	all := slices.Clone(d.Packages)
	sort.SliceStable(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	for _, p := range all {
		t.Row(line(p.Name, 80), line(p.Version, 60), line(p.Ecosystem, 40), line(p.Path, 60), brought(p.Origin, p.Dockerfile, p.Step, ""))
	}
	return t.String()
}

// setAside sums up what was suppressed, and lists it where asked.
func setAside(b *strings.Builder, d *Document, list bool) {
	if len(d.Suppressed) == 0 {
		return
	}
	count := map[triad.SuppressionKind]int{}
	for _, s := range d.Suppressed {
		count[s.Suppression.Kind]++
	}
	var parts []string
	for _, k := range []struct {
		kind triad.SuppressionKind
		by   string
	}{{triad.SuppressedByIgnore, "by ignore files"}, {triad.SuppressedByVEX, "by VEX"}, {triad.SuppressedByFilter, "by the flags of this run"}} {
		if n := count[k.kind]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, k.by))
		}
	}
	fmt.Fprintf(b, "\nSet aside: %s", strings.Join(parts, ", "))
	if !list {
		b.WriteString(" (--show-suppressed lists them)\n")
		return
	}
	t := newTable("ID", "IN", "WHY", "WHO SAYS SO", "UNTIL")
	for _, s := range d.Suppressed {
		id, in := "", ""
		switch {
		case s.Vulnerability != nil:
			id, in = s.Vulnerability.ID, s.Vulnerability.Package+" "+s.Vulnerability.Version
		case s.Finding != nil:
			id, in = s.Finding.ID, place(s.Finding.Path, s.Finding.Line)
		}
		until := ""
		if s.Suppression.Expires != nil {
			until = s.Suppression.Expires.UTC().Format("2006-01-02")
		}
		t.Row(line(id, 60), line(in, 80), line(s.Suppression.Reason, 80), line(s.Suppression.Source, 80), until)
	}
	b.WriteString("\n" + t.String() + "\n")
}
