// Command bench measures Triad on this machine: whole processes by what the kernel accounts to
// them, and the packages' own benchmarks. It prints Markdown; bench/README.md keeps what was
// measured, with the machine.
//
//	go run ./bench                 everything
//	go run ./bench scan advisories whole processes only
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sections are what can be measured, one function each.
var sections = []struct {
	name string
	run  func(*bench) error
}{
	{"scan", scanSection},
	{"advisories", advisorySection},
	{"registry", registrySection},
	{"packages", packageSection},
}

func main() {
	b := &bench{cache: filepath.Join(".cache", "bench"), triad: filepath.Join("bin", "triad"), runs: 3}
	if n, err := strconv.Atoi(os.Getenv("TRIAD_BENCH_RUNS")); err == nil && n > 0 {
		b.runs = n
	}
	if err := b.run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	cache, triad string
	runs         int // of what takes long; medians are of these
}

func (b *bench) run(only []string) error {
	if _, err := os.Stat(b.triad); err != nil {
		return fmt.Errorf("%w: run make build first", err)
	}
	if err := os.MkdirAll(b.cache, 0o755); err != nil {
		return err
	}
	b.machine()
	for _, s := range sections {
		if len(only) > 0 && !slices.Contains(only, s.name) {
			continue
		}
		if err := s.run(b); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

func (b *bench) machine() {
	model := "unknown processor"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, ok := strings.CutPrefix(line, "model name\t: "); ok {
				model = strings.TrimSpace(name)
				break
			}
		}
	}
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("%s, %d cores, %s, load %s, %s\n", model, runtime.NumCPU(), runtime.Version(),
		strings.Join(strings.Fields(string(load))[:1], ""), time.Now().UTC().Format("2006-01-02"))
}

// usage is what one process cost.
type usage struct {
	wall, cpu time.Duration
	rss       int64 // peak, bytes
}

// measure runs a command several times after preparing each time, and returns the medians.
func measure(runs int, prepare func() error, name string, args ...string) (usage, error) {
	var all []usage
	for range runs {
		if prepare != nil {
			if err := prepare(); err != nil {
				return usage{}, err
			}
		}
		u, err := once(name, args...)
		if err != nil {
			return usage{}, err
		}
		all = append(all, u)
	}
	median := func(of func(usage) int64) int64 {
		values := make([]int64, len(all))
		for i, u := range all {
			values[i] = of(u)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return usage{
		wall: time.Duration(median(func(u usage) int64 { return int64(u.wall) })),
		cpu:  time.Duration(median(func(u usage) int64 { return int64(u.cpu) })),
		rss:  median(func(u usage) int64 { return u.rss }),
	}, nil
}

func once(name string, args ...string) (usage, error) {
	cmd := exec.CommandContext(context.Background(), name, args...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	wall := time.Since(start)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 && strings.Contains(strings.Join(args, " "), "osv-scanner") {
		err = nil // it found vulnerabilities
	}
	if err != nil {
		return usage{}, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, tail(out))
	}
	return usage{wall, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), peakRSS(cmd.ProcessState)}, nil
}

func tail(out []byte) []byte {
	if len(out) > 2000 {
		return out[len(out)-2000:]
	}
	return out
}

func (u usage) String() string {
	return fmt.Sprintf("%s | %s | %d MiB", round(u.wall), round(u.cpu), u.rss>>20)
}

func round(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
