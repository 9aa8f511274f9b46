package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"

	"github.com/triad-security/triad"
)

func markdownOf(t *testing.T, d *Document, b *Baseline) string {
	t.Helper()
	return written(t, func(w io.Writer, d *Document) error { return Markdown(w, d, b) }, d)
}

// parsed reads Markdown as GitHub does (its tables and links) and calls do for each node.
func parsed(t *testing.T, source string, do func(n ast.Node)) {
	t.Helper()
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader([]byte(source)))
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			do(n)
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMarkdownIsTablesAndLinksToAdvisoriesWhateverTheNames(t *testing.T) {
	source := markdownOf(t, sample(), nil)
	allowed := []string{"<details>", "<summary>", "</summary>", "</details>", "<details><summary>"}
	parsed(t, source, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.Link:
			if !strings.HasPrefix(string(n.Destination), "https://osv.dev/vulnerability/") {
				t.Errorf("a link to %s", n.Destination)
			}
		case *ast.AutoLink, *ast.Image, *ast.CodeSpan, *ast.FencedCodeBlock, *ast.CodeBlock:
			t.Errorf("a name became %s", n.Kind())
		case *ast.RawHTML:
			t.Errorf("HTML in a line: %s", n.Segments.Value([]byte(source)))
		case *ast.HTMLBlock:
			var b bytes.Buffer
			for i := range n.Lines().Len() {
				line := n.Lines().At(i)
				b.Write(line.Value([]byte(source)))
			}
			left := b.String()
			for _, tag := range allowed {
				left = strings.ReplaceAll(left, tag, "")
			}
			if strings.ContainsAny(left, "<>") {
				t.Errorf("HTML of a name: %s", left)
			}
		case *extast.TableRow:
			want := n.Parent().(*extast.Table).Alignments
			if n.ChildCount() != len(want) {
				t.Errorf("a row of %d cells in a table of %d", n.ChildCount(), len(want))
			}
		}
	})
	for _, bad := range []string{"@org", "#1 ", "https://evil", "www.evil"} {
		if strings.Contains(source, bad) {
			t.Errorf("GitHub sees %q", bad)
		}
	}
}

func TestMarkdownSaysTheVerdictFirst(t *testing.T) {
	first := func(d *Document) string {
		line, _, _ := strings.Cut(markdownOf(t, d, nil), "\n")
		return line
	}
	if got := first(sample()); got != "### ❌ Triad: 2 critical, 2 high, 1 low, 1 unknown" {
		t.Error(got)
	}
	if got := first(clean()); got != "### ✅ Triad: nothing found" {
		t.Error(got)
	}
	d := clean()
	d.Unread = []triad.Unread{{Section: "vulnerabilities", Reason: "no advisories"}}
	if got := first(d); got != "### ⚠️ Triad: nothing found in what could be read" {
		t.Errorf("what was not read is said to be clean: %s", got)
	}
}

func TestMarkdownNeverOutgrowsAComment(t *testing.T) {
	d := sample()
	d.Vulnerabilities = nil
	for i := range 5000 {
		d.Vulnerabilities = append(d.Vulnerabilities, triad.Vulnerability{ID: fmt.Sprintf("CVE-2024-%04d", i), Package: fmt.Sprintf("package-%d-%s", i, hostile), Version: "1", Fixed: "2", Severity: "high"})
		d.Findings = append(d.Findings, triad.Finding{Kind: triad.FindingCode, ID: "G101", Title: hostile, Path: hostile, Severity: "low"})
		d.Unread = append(d.Unread, triad.Unread{Section: "code", Reason: strings.Repeat("é", 500)})
	}
	source := markdownOf(t, d, &Baseline{})
	if n := utf8.RuneCountInString(source); n > MaxMarkdown || n < MaxMarkdown/2 {
		t.Errorf("%d characters", n)
	}
	if !strings.Contains(source, "which do not fit here") {
		t.Error("what was left out is not counted")
	}
	if strings.Count(source, "<details>") != strings.Count(source, "</details>") {
		t.Error("a fold is not closed")
	}
}

func TestMarkdownSaysWhatIsNewAndWhatIsFixedSinceTheBaseline(t *testing.T) {
	d := sample()
	b, err := ReadBaseline(strings.NewReader(`{"artifact":{"type":"image","name":"x"},"vulnerabilities":[
	 {"id":"CVE-2024-0001","package":"openssl","version":"3.0.8-1","path":"var/lib/dpkg/status"},
	 {"id":"CVE-2023-0001","package":"curl","version":"7","path":"var/lib/dpkg/status"},
	 {"id":"CVE-2024-0009","package":"zlib1g","version":"1.2"}],
	 "malware":[{"kind":"malware","id":"eicar","path":"x"}],"secrets":[{"kind":"secret","id":"old","path":"y"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	diff := b.Compare(d)
	ids := func(all []triad.Vulnerability) (out []string) {
		for _, v := range all {
			out = append(out, v.ID)
		}
		return out
	}
	if got := ids(diff.FixedVulnerabilities); !slices.Equal(got, []string{"CVE-2023-0001"}) {
		t.Errorf("fixed: %v; one that was set aside is not fixed", got)
	}
	if got := ids(diff.NewVulnerabilities); slices.Contains(got, "CVE-2024-0001") || len(got) != 3 {
		t.Errorf("new: %v; another version of the package is nothing new", got)
	}
	if len(diff.FixedFindings) != 1 || diff.FixedFindings[0].ID != "old" {
		t.Errorf("fixed findings: %v; malware was not read now, so none is known to be gone", diff.FixedFindings)
	}
	if source := markdownOf(t, d, b); !strings.Contains(source, "· 5 new, 2 fixed") || !strings.Contains(source, "#### New") {
		t.Errorf("the verdict does not say it:\n%s", source[:300])
	}
}

func TestABaselineThatIsNoneIsRefused(t *testing.T) {
	for _, text := range []string{"", "[]", "{}", `{"artifact":{}`, `{"vulnerabilities":[]}`} {
		if _, err := ReadBaseline(strings.NewReader(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
