package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/triad-security/triad"
)

// MaxMarkdown is how many characters a comment on GitHub may have; GitLab allows more.
const MaxMarkdown = 65_536

// Markdown writes a document as a comment on a pull request: the verdict first, then what is
// new and gone since the baseline where there is one, one row for each package with what
// fixes it, the other findings, and folded what was set aside and what was not read. It is
// never longer than MaxMarkdown characters; rows that have no place are counted.
func Markdown(w io.Writer, d *Document, b *Baseline) error {
	m := &markdown{left: MaxMarkdown - 512} // for the closing line of each section
	var diff *Difference
	if b != nil {
		diff = b.Compare(d)
	}
	m.verdict(d, diff)
	if diff != nil {
		m.difference(diff)
	}
	m.packages(d)
	for _, k := range kinds {
		m.findings(k.cap, d.ofKind(k.kind))
	}
	m.fixes(d)
	m.unread(d)
	m.suppressed(d)
	_, err := io.WriteString(w, m.b.String())
	return err
}

type markdown struct {
	b    strings.Builder
	left int
}

// put writes text if there is still place for it, with reserve characters to spare.
func (m *markdown) put(text string, reserve int) bool {
	n := utf8.RuneCountInString(text)
	if n+reserve > m.left {
		return false
	}
	m.left -= n
	m.b.WriteString(text)
	return true
}

// rows writes a head and as many rows as have place, then how many have not.
func (m *markdown) rows(head string, rows []string, foot string) {
	if len(rows) == 0 || !m.put(head, 300+len(foot)) {
		return
	}
	for i, row := range rows {
		if !m.put(row, 200+len(foot)) {
			m.put(fmt.Sprintf("\n… and %d more, which do not fit here\n", len(rows)-i), len(foot))
			break
		}
	}
	m.put(foot, 0)
}

func (m *markdown) verdict(d *Document, diff *Difference) {
	counts := d.Counts()
	icon, verdict := "✅", "nothing found"
	var words []string
	for _, s := range triad.Severities() {
		if counts[s] > 0 {
			words = append(words, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	switch {
	case counts["critical"]+counts["high"] > 0:
		icon = "❌"
	case len(words) > 0 || d.coreUnread():
		icon = "⚠️"
	case len(d.Unread) > 0:
		icon = "⚠️"
	}
	switch {
	case len(words) > 0:
		verdict = strings.Join(words, ", ")
	case len(d.Unread) > 0:
		verdict = "nothing found in what could be read"
	}
	if diff != nil {
		verdict += fmt.Sprintf(" · %d new, %d fixed", diff.New(), diff.Fixed())
	}
	m.put(fmt.Sprintf("### %s Triad: %s\n\n%s **%s**", icon, verdict, md(d.Artifact.Type, 20), md(d.Artifact.Name, 200)), 0)
	if d.Artifact.Digest != "" {
		m.put(" "+md(short(d.Artifact.Digest), 80), 0)
	}
	if d.Artifact.OSName != "" {
		m.put(" · "+md(d.Artifact.OSName, 80), 0)
	}
	if d.Artifact.Base != "" {
		m.put(" · built from "+md(d.Artifact.Base, 200), 0)
	}
	m.put(" · "+plural(len(d.Packages), "package", "packages"), 0)
	if n := len(d.Suppressed); n > 0 {
		m.put(fmt.Sprintf(" · %d set aside", n), 0)
	}
	if len(d.Unread) > 0 {
		m.put(" · **not everything could be read**", 0)
	}
	m.put("\n", 0)
}

func short(digest string) string {
	if len(digest) > 19 {
		return digest[:19]
	}
	return digest
}

func (m *markdown) difference(diff *Difference) {
	var rows []string
	sorted := slices.Clone(diff.NewVulnerabilities)
	slices.SortStableFunc(sorted, byUrgency)
	for _, v := range sorted {
		rows = append(rows, fmt.Sprintf("- **%s** %s in %s %s\n", severity(v.Severity), link(v.ID), md(v.Package, 80), md(v.Version, 40)))
	}
	for _, f := range diff.NewFindings {
		rows = append(rows, fmt.Sprintf("- **%s** %s: %s %s\n", severity(f.Severity), md(string(f.Kind), 20), md(title(f), 120), md(place(f.Path, f.Line), 120)))
	}
	m.rows("\n#### New\n\n", head(rows, 50), "")
	rows = nil
	for _, v := range diff.FixedVulnerabilities {
		rows = append(rows, fmt.Sprintf("- %s in %s %s\n", link(v.ID), md(v.Package, 80), md(v.Version, 40)))
	}
	for _, f := range diff.FixedFindings {
		rows = append(rows, fmt.Sprintf("- %s: %s %s\n", md(string(f.Kind), 20), md(title(f), 120), md(place(f.Path, f.Line), 120)))
	}
	m.rows(fmt.Sprintf("\n<details><summary>Fixed: %d</summary>\n\n", len(rows)), head(rows, 50), "\n</details>\n")
}

// head cuts a list, with a last row that counts what is cut.
func head(rows []string, n int) []string {
	if len(rows) <= n {
		return rows
	}
	return append(slices.Clone(rows[:n]), fmt.Sprintf("- … and %d more\n", len(rows)-n))
}

// group is one package of the artifact with all that is known of it.
type group struct {
	name, version string
	worst         string
	found         []triad.Vulnerability
}

// groups folds the vulnerabilities of a document by package, the worst package first.
func groups(found []triad.Vulnerability) []*group {
	sorted := slices.Clone(found)
	slices.SortStableFunc(sorted, byUrgency)
	byPackage := map[string]*group{}
	var all []*group
	for _, v := range sorted {
		key := v.Package + "\x00" + v.Version
		g := byPackage[key]
		if g == nil {
			g = &group{name: v.Package, version: v.Version, worst: severity(v.Severity)}
			byPackage[key] = g
			all = append(all, g)
		}
		g.found = append(g.found, v)
	}
	slices.SortStableFunc(all, func(a, b *group) int {
		return cmp.Or(cmp.Compare(triad.SeverityRank(a.worst), triad.SeverityRank(b.worst)), cmp.Compare(len(b.found), len(a.found)))
	})
	return all
}

func (m *markdown) packages(d *Document) {
	var rows []string
	for _, g := range groups(d.Vulnerabilities) {
		var ids []string
		exploited, from := "", ""
		fixes := map[string]bool{}
		seen := map[string]bool{}
		for _, v := range g.found {
			if v.KEV {
				exploited = " 🔥"
			}
			if !seen[v.ID] {
				seen[v.ID] = true
				ids = append(ids, link(v.ID))
			}
			fixes[v.Fixed] = true
			if from == "" && v.Origin != "" {
				from = strings.TrimSpace(string(v.Origin) + " " + md(v.Dockerfile, 80))
			}
		}
		shown := strings.Join(ids[:min(len(ids), 4)], ", ")
		if len(ids) > 4 {
			shown += fmt.Sprintf(" and %d more", len(ids)-4)
		}
		rows = append(rows, fmt.Sprintf("| %s%s | %s | %s | %s | %s | %s |\n", g.worst, exploited, md(g.name, 80), md(g.version, 40), fixedIn(fixes), shown, from))
	}
	m.rows("\n| Severity | Package | Installed | Fixed in | Vulnerabilities | From |\n|---|---|---|---|---|---|\n", rows, "")
}

func fixedIn(fixes map[string]bool) string {
	var all []string
	none := fixes[""]
	for f := range fixes {
		if f != "" {
			all = append(all, md(f, 40))
		}
	}
	slices.Sort(all)
	switch {
	case len(all) == 0:
		return "–"
	case len(all) > 3:
		all = append(all[:3], "…")
	}
	text := strings.Join(all, ", ")
	if none {
		text += " (not all)"
	}
	return text
}

func (m *markdown) findings(name string, found []triad.Finding) {
	var rows []string
	for _, f := range found {
		where := place(f.Path, f.Line)
		if f.Dockerfile != "" {
			where = strings.TrimSpace(where + " (" + f.Dockerfile + ")")
		} else if where == "" {
			where = f.Step
		}
		detail := ""
		if f.Detail != "" {
			detail = ": " + md(f.Detail, 160)
		}
		rows = append(rows, fmt.Sprintf("| %s | %s%s | %s | %s |\n", severity(f.Severity), md(title(f), 160), detail, md(where, 160), md(f.Fix, 200)))
	}
	m.rows("\n#### "+name+"\n\n| Severity | What | Where | Fix |\n|---|---|---|---|\n", rows, "")
}

// fixes lists the upgrades that remove most.
func (m *markdown) fixes(d *Document) {
	type upgrade struct {
		text string
		n    int
	}
	count := map[string]int{}
	for _, v := range d.Vulnerabilities {
		if v.Fixed != "" {
			count[fmt.Sprintf("- Upgrade %s from %s to %s", md(v.Package, 80), md(v.Version, 40), md(v.Fixed, 40))]++
		}
	}
	var all []upgrade
	for text, n := range count {
		all = append(all, upgrade{text, n})
	}
	slices.SortFunc(all, func(a, b upgrade) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.text, b.text)) })
	var rows []string
	for _, u := range all {
		rows = append(rows, fmt.Sprintf("%s: removes %d\n", u.text, u.n))
	}
	m.rows("\n#### What removes most\n\n", head(rows, 10), "")
}

func (m *markdown) unread(d *Document) {
	var rows []string
	for _, u := range d.Unread {
		rows = append(rows, fmt.Sprintf("- **%s**: %s\n", md(u.Section, 40), md(u.Reason, 400)))
	}
	m.rows(fmt.Sprintf("\n<details><summary>Not read: %d</summary>\n\n", len(rows)), rows, "\n</details>\n")
}

func (m *markdown) suppressed(d *Document) {
	said, filtered := d.setAside()
	var rows []string
	for _, s := range said {
		what, where := "", ""
		switch {
		case s.Vulnerability != nil:
			what = link(s.Vulnerability.ID) + " in " + md(s.Vulnerability.Package, 80)
		case s.Finding != nil:
			what, where = md(title(*s.Finding), 120), md(place(s.Finding.Path, s.Finding.Line), 120)
		}
		until := ""
		if s.Suppression.Expires != nil {
			until = s.Suppression.Expires.UTC().Format("2006-01-02")
		}
		rows = append(rows, fmt.Sprintf("| %s %s | %s | %s | %s |\n", what, where, md(s.Suppression.Reason, 200), md(s.Suppression.Source, 120), until))
	}
	m.rows(fmt.Sprintf("\n<details><summary>Set aside: %d</summary>\n\n| What | Why | Who says so | Until |\n|---|---|---|---|\n", len(rows)), rows, "\n</details>\n")
	if filtered > 0 {
		m.put(fmt.Sprintf("\n%s not shown by the flags of this run.\n", plural(filtered, "finding", "findings")), 0)
	}
}

// link writes an advisory's ID as a link, or as text where it is none.
func link(id string) string {
	if u := advisoryURL(id); u != "" {
		return "[" + md(id, 100) + "](" + u + ")"
	}
	return md(id, 100)
}

// md writes text so that it is nothing but text in Markdown, in a table and in HTML:
// character references for all that means something to either, to GitHub's mentions and
// issue numbers, and to the recognition of links.
func md(text string, n int) string {
	var b strings.Builder
	for _, r := range line(text, n) {
		if strings.ContainsRune("\\`*_{}[]()<>#|~!&@:$^\"'=+", r) {
			fmt.Fprintf(&b, "&#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return strings.ReplaceAll(b.String(), "www.", "www&#46;")
}
