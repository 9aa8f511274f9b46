package server_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/bench/estate"
	"github.com/triad-security/triad/build/advisory"
	"github.com/triad-security/triad/server"
	"github.com/triad-security/triad/server/datadir"
)

// BenchmarkNewAdvisory measures the time from the import's end to saved decisions for an
// advisory that nobody had heard of, over 100,000 running containers of 5,000 images with
// 300 packages each (TRIAD_BENCH_IMAGES sets another number; containers are twenty times that).
func BenchmarkNewAdvisory(b *testing.B) {
	images := 5000
	if n, err := strconv.Atoi(os.Getenv("TRIAD_BENCH_IMAGES")); err == nil {
		images = n
	}
	size := estate.Size{Nodes: 8, Deployments: 30, Images: images, Packages: 300}
	size.Cells = images * 10 / size.Deployments // two pods each
	dir := datadir.Dir(b.TempDir())
	feed := func(records ...string) { b.Helper(); importRecords(b, dir, records...) }
	known := record(1000, "package-1", "5.0")
	feed(known)
	core, err := server.OpenCore(b.Context(), dir, "", triad.DefaultTenant)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = core.Close() }()
	n := 0
	err = size.Reports(func(r *triad.Report) error {
		if strings.HasPrefix(r.Scope, "image/") {
			if n++; n%100 == 1 { // one image in a hundred
				r.Packages = append(r.Packages, triad.Package{Asset: r.Assets[0].ID, Section: "packages", Name: "rare", Version: "1.0", Ecosystem: "Debian:12", PURL: "pkg:deb/debian/rare@1.0?distro=debian-12"})
			}
		}
		_, err := core.Store.Apply(b.Context(), r)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	u, err := core.CatchUp(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("first look: %d subjects, %d decisions in %s", u.Subjects, len(u.Put), time.Since(start).Round(time.Millisecond))
	for _, bc := range []struct{ name, pkg, fixed string }{
		{"in one image of a hundred", "rare", "2.0"},
		{"in one image of ten", "package-7", "1.0"},
		{"in every image, no version affected", "package-9", "0"},
	} {
		b.Run(bc.name, func(b *testing.B) {
			decisions, subjects, affected := 0, 0, 0
			var started time.Time
			var listed time.Duration
			core.Affected = func(_ string, workloads []triad.AssetRef) { affected, listed = len(workloads), time.Since(started) }
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				feed(known) // as before
				if _, err := core.CatchUp(b.Context()); err != nil {
					b.Fatal(err)
				}
				feed(known, record(1001, bc.pkg, bc.fixed))
				b.StartTimer()
				started = time.Now()
				u, err := core.CatchUp(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				decisions, subjects = len(u.Put), u.Recomputed
			}
			b.ReportMetric(float64(affected), "workloads")
			b.ReportMetric(float64(listed.Milliseconds()), "ms-to-list")
			b.ReportMetric(float64(decisions), "decisions")
			b.ReportMetric(float64(subjects), "recomputed")
		})
	}
}

// importRecords makes a database of OSV records of Debian 12.
func importRecords(tb testing.TB, dir datadir.Dir, records ...string) {
	tb.Helper()
	from := tb.TempDir()
	path := filepath.Join(from, "osv", "Debian")
	if err := os.MkdirAll(path, 0o755); err != nil {
		tb.Fatal(err)
	}
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for i, r := range records {
		w, err := z.Create(fmt.Sprintf("DEBIAN-CVE-2026-%d.json", 1000+i))
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := io.WriteString(w, r); err != nil {
			tb.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "all.zip"), archive.Bytes(), 0o600); err != nil {
		tb.Fatal(err)
	}
	if _, err := advisory.Import(tb.Context(), dir.Advisories(), from, nil); err != nil {
		tb.Fatal(err)
	}
}

func record(cve int, name, fixed string) string {
	return fmt.Sprintf(`{"id":"DEBIAN-CVE-2026-%d","modified":"2026-01-01T00:00:00Z","upstream":["CVE-2026-%d"],"affected":[{"package":{"ecosystem":"Debian:12","name":%q},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":%q}]}]}]}`, cve, cve, name, fixed)
}
