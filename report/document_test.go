package report

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/triad-security/triad"
)

// hostile is a name with all that means something to a terminal, HTML, Markdown, XML, a
// spreadsheet and a reader's eye.
const hostile = "=cmd|' /C calc'!A0\x1b[31m`<script>alert(1)</script>`|\u202e@org/team #1 https://evil.example &amp; \x00\"]]>\n- x"

func expiry() *time.Time {
	t := time.Date(2090, 1, 31, 23, 59, 59, 0, time.UTC)
	return &t
}

func sample() *Document {
	no := false
	return &Document{
		Tool: Tool{Name: "Triad", Version: "1.0.0", URL: "https://example.com/triad"}, Started: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC), At: time.Date(2026, 11, 24, 10, 0, 2, 0, time.UTC),
		Artifact: Artifact{
			Type: "image", Name: "registry.example.com/shop/web:1.0", Digest: "sha256:4e5203b252797ae13abf66521d7d030b76f14501a49ae1a8a07a3a19df5f5e9f",
			OS: "debian", OSVersion: "12", OSName: "Debian GNU/Linux 12 (bookworm)", Layers: []triad.Layer{{DiffID: "sha256:aa", Step: "RUN apt-get install -y openssl"}},
		},
		Scanned:  []string{"packages", "vulnerabilities", "secrets", "malware"},
		Packages: []triad.Package{{Name: "openssl", Version: "3.0.9-1", PURL: "pkg:deb/debian/openssl@3.0.9-1?arch=amd64&distro=debian-12", Ecosystem: "Debian:12", Path: "var/lib/dpkg/status", Layer: "sha256:aa"}},
		Vulnerabilities: []triad.Vulnerability{
			{ID: "CVE-2024-0001", Aliases: []string{"GHSA-aaaa-bbbb-cccc"}, Package: "openssl", Version: "3.0.9-1", PURL: "pkg:deb/debian/openssl@3.0.9-1?arch=amd64&distro=debian-12", Path: "var/lib/dpkg/status", Layer: "sha256:aa", Fixed: "3.0.11-1", Severity: "critical", CVSS: 9.8, EPSS: 0.9, KEV: true, Summary: "A buffer is overrun", Origin: triad.OriginBase},
			{ID: "CVE-2024-0002", Package: "openssl", Version: "3.0.9-1", PURL: "pkg:deb/debian/openssl@3.0.9-1?arch=amd64&distro=debian-12", Path: "var/lib/dpkg/status", Severity: "low"},
			{ID: "GO-2024-0003", Package: "golang.org/x/net", Version: "0.1.0", PURL: "pkg:golang/golang.org/x/net@0.1.0", Path: "app/server", Fixed: "0.17.0", Severity: "high", CVSS: 7.5, Linked: &no},
			{ID: hostile, Package: hostile, Version: hostile, Path: "../../" + hostile, Fixed: hostile, Severity: hostile, Summary: hostile},
		},
		Findings: []triad.Finding{
			{Kind: triad.FindingSecret, ID: "aws-access-key", Title: "AWS access key", Severity: "high", Path: "app/.env", Line: 3, Detail: "AKIA****************", Fix: "Revoke the key."},
			{Kind: triad.FindingMalware, ID: hostile, Title: hostile, Path: hostile, Detail: hostile, Fix: hostile, Severity: "critical"},
		},
		Suppressed: []triad.Suppressed{
			{Suppression: triad.Suppression{Kind: triad.SuppressedByIgnore, Source: ".triadignore:4", Reason: "not called", Owner: "shop@example.com", Expires: expiry()}, Vulnerability: &triad.Vulnerability{ID: "CVE-2024-0009", Package: "zlib1g", Version: "1.2", PURL: "pkg:deb/debian/zlib1g@1.2", Severity: "medium"}},
			{Suppression: triad.Suppression{Kind: triad.SuppressedByVEX, Source: "vendor.json", Reason: "compiled out", Status: "not_affected", Justification: "vulnerable_code_not_present"}, Vulnerability: &triad.Vulnerability{ID: "CVE-2024-0010", Package: "openssl", Version: "3.0.9-1", PURL: "pkg:deb/debian/openssl@3.0.9-1?arch=amd64&distro=debian-12", Severity: "high"}},
			{Suppression: triad.Suppression{Kind: triad.SuppressedByIgnore, Source: hostile, Reason: hostile}, Finding: &triad.Finding{Kind: triad.FindingSecret, ID: "generic", Path: "test/key.pem", Severity: "low"}},
			{Suppression: triad.Suppression{Kind: triad.SuppressedByFilter, Source: "--severity", Reason: "not one of high"}, Finding: &triad.Finding{Kind: triad.FindingSecret, ID: "filtered", Path: "x", Severity: "low"}},
		},
		Unread: []triad.Unread{{Section: "malware", Reason: "clamd does not answer " + hostile}},
		Rules: []Rule{
			{ID: "aws-access-key", Kind: triad.FindingSecret, Title: "AWS access key", Severity: "high", Help: "Revoke it."},
			{ID: "DL3002", Kind: triad.FindingMisconfiguration, Title: "The last user is root", Severity: "medium"},
		},
	}
}

// clean is a document of the same rules in which nothing was found.
func clean() *Document {
	d := sample()
	d.Vulnerabilities, d.Findings, d.Suppressed, d.Unread = nil, nil, nil, nil
	return d
}

func written(t *testing.T, write func(io.Writer, *Document) error, d *Document) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestNoFormatLetsANameSteerATerminalOrTheReadersEye(t *testing.T) {
	for name, write := range map[string]func(io.Writer, *Document) error{
		"table": func(w io.Writer, d *Document) error {
			return Table(w, d, TableOptions{Packages: true, Suppressed: true})
		},
		"markdown": func(w io.Writer, d *Document) error { return Markdown(w, d, nil) },
		"sarif":    SARIF, "gitlab": GitLab, "junit": JUnit, "csv": CSV,
	} {
		t.Run(name, func(t *testing.T) {
			out := written(t, write, sample())
			for _, bad := range []string{"\x1b", "\x00", "\u202e"} {
				if strings.Contains(out, bad) {
					t.Errorf("%q stands in the output", bad)
				}
			}
		})
	}
}

func TestFindingsAreCountedOverAllKinds(t *testing.T) {
	d := sample()
	for word, want := range map[string]int{"critical": 2, "high": 4, "medium": 4, "low": 5, "unknown": 6} {
		if got := d.AtLeast(word); got != want {
			t.Errorf("AtLeast(%s) = %d, want %d", word, got, want)
		}
	}
}
