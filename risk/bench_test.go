package risk_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/bench/estate"
	"github.com/triad-security/triad/reach/exposure"
	"github.com/triad-security/triad/risk"
)

// assets is the size of the generated estate; TRIAD_BENCH_ASSETS changes it.
func assets() int {
	if n, err := strconv.Atoi(os.Getenv("TRIAD_BENCH_ASSETS")); err == nil {
		return n
	}
	return 100_000
}

func realWays() risk.Ways {
	return risk.Ways{
		Container: exposure.Of, Ports: exposure.Ports, Function: exposure.Function,
		Host: exposure.Host, DataStore: exposure.DataStore, Connect: exposure.Connect,
	}
}

// generated returns the change log of a generated estate and advisories on five packages of
// each image.
func generated(tb testing.TB, n int) (*world, estate.Size, *fakeMatcher) {
	tb.Helper()
	size := estate.OfAssets(n)
	w, m := generatedOf(tb, size)
	return w, size, m
}

func generatedOf(tb testing.TB, size estate.Size) (*world, *fakeMatcher) {
	tb.Helper()
	w := newWorld()
	m := &fakeMatcher{revision: "1", advisories: map[string]triad.Vulnerability{}}
	for p := range 5 {
		for v := range 10 {
			m.advisories[fmt.Sprintf("package-%d@%d.0", p, v)] = triad.Vulnerability{
				ID: fmt.Sprintf("CVE-2026-%d", p), Fixed: "99", Exploitation: []string{"none", "public-poc", "active"}[p%3], Automatable: "yes", CVSS: 7,
			}
		}
	}
	err := size.Reports(func(r *triad.Report) error {
		for _, s := range r.Sections {
			w.put(r.Scope, triad.RowSection, s.Name, s)
		}
		for _, a := range r.Assets {
			w.asset(r.Scope, a)
		}
		for _, x := range r.Relations {
			w.put(r.Scope, triad.RowRelation, x.Key(), x)
		}
		for _, p := range r.Packages {
			w.pack(r.Scope, p)
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return w, m
}

// cpu is the processor time that this process has used; wall time says little on a machine
// that others use too.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkFullCompute(b *testing.B) {
	w, _, m := generated(b, assets())
	changes := w.take()
	for b.Loop() {
		e := risk.NewEngine(risk.Options{Ways: realWays(), Indexes: exposure.Indexes(), Matcher: m})
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		start := cpu()
		u, err := e.Apply(b.Context(), changes)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric((cpu() - start).Seconds(), "cpu-s")
		b.Logf("%v", u.Computed)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(len(u.Put)), "decisions")
		b.ReportMetric(float64(u.Subjects), "subjects")
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB")
		u = nil
		runtime.KeepAlive(e)
	}
}

// BenchmarkChange opens and closes one security group: that of a cell's nodes, which all its
// pods and instances read.
func BenchmarkChange(b *testing.B) { change(b, estate.OfAssets(assets())) }

// BenchmarkLargeChange does so in an estate of clusters five times the size: the group is
// that of 40 nodes and 300 pods.
func BenchmarkLargeChange(b *testing.B) {
	size := estate.OfAssets(assets())
	size.Cells, size.Deployments, size.Nodes = max(1, size.Cells/5), size.Deployments*5, size.Nodes*5
	change(b, size)
}

func change(b *testing.B, size estate.Size) {
	w, m := generatedOf(b, size)
	e := risk.NewEngine(risk.Options{Ways: realWays(), Indexes: exposure.Indexes(), Matcher: m})
	if _, err := e.Apply(b.Context(), w.take()); err != nil {
		b.Fatal(err)
	}
	var times, cpus []time.Duration
	recomputed, changed := 0, 0
	for i := 0; b.Loop(); i++ {
		cell := i / 2 % size.Cells
		from := "0.0.0.0/0"
		if i%2 == 1 {
			from = estate.Balancer(cell)
		}
		w.asset(estate.Scope(cell), estate.SecurityGroup(cell, estate.Group(cell), from, 8080))
		changes := w.take()
		start, used := time.Now(), cpu()
		u, err := e.Apply(b.Context(), changes)
		if err != nil {
			b.Fatal(err)
		}
		times, cpus = append(times, time.Since(start)), append(cpus, cpu()-used)
		if i < 2 {
			b.Logf("%v", u.Computed)
		}
		recomputed, changed = max(recomputed, u.Recomputed), max(changed, len(u.Put))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "ms-median")
	slices.Sort(cpus)
	b.ReportMetric(float64(cpus[len(cpus)/2].Microseconds())/1000, "cpu-ms-median")
	b.ReportMetric(float64(recomputed), "recomputed-max")
	b.ReportMetric(float64(changed), "decisions-max")
}
