//go:build unix

package match

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/triad-security/triad"
)

// image makes the package list of a large Debian 12 image out of the source packages that
// Debian's advisories name, three binary packages to a source as in real images, old enough
// that many findings come.
func image(tb testing.TB, size int) []triad.Package {
	tb.Helper()
	z, err := zip.OpenReader(filepath.Join(shared(tb), "advisories", "osv", "Debian", "all.zip"))
	must(tb, err)
	defer z.Close()
	fixed := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		must(tb, err)
		data, err := io.ReadAll(r)
		must(tb, err)
		r.Close()
		var record struct {
			Affected []struct {
				Package struct{ Ecosystem, Name string }
				Ranges  []struct{ Events []struct{ Fixed string } }
			}
		}
		must(tb, json.Unmarshal(data, &record))
		for _, a := range record.Affected {
			if a.Package.Ecosystem == "Debian:12" {
				fixed[a.Package.Name] = a.Ranges[0].Events[1].Fixed
			}
		}
	}
	// Browsers are in few container images and have thousands of CVEs each.
	for _, name := range []string{"chromium", "firefox-esr", "thunderbird"} {
		delete(fixed, name)
	}
	var sources []string
	for name := range fixed {
		sources = append(sources, name)
	}
	slices.Sort(sources)
	var out []triad.Package
	for i := 0; len(out) < size; i++ {
		source := sources[i/3%len(sources)]
		name := fmt.Sprintf("%s-part%d", source, i)
		out = append(out, triad.Package{
			Name: name, Version: fixed[source] + "~old", Ecosystem: "Debian:12", Source: source, SourceVersion: fixed[source] + "~old",
			PURL: fmt.Sprintf("pkg:deb/debian/%s@%s?arch=amd64&distro=debian-12&upstream=%s", name, fixed[source]+"~old", source),
		})
	}
	return out
}

func BenchmarkLookupOfAnImageWith700Packages(b *testing.B) {
	m := imported(b, filepath.Join(shared(b), "advisories"))
	packages := image(b, 700)
	found := 0
	before := cpu()
	for b.Loop() {
		r, err := m.Check(b.Context(), packages)
		if err != nil {
			b.Fatal(err)
		}
		found = len(r.Vulnerabilities)
	}
	b.ReportMetric(float64(found), "findings")
	// Wall time says little on a machine that others use too.
	b.ReportMetric((cpu()-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
}

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
