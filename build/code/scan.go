package code

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/inspect"
)

// Options of a scan.
type Options struct {
	// Worker is the command that calls Work with the module's folder as its last argument.
	// Without it Go code is unread.
	Worker []string
	// SARIF are files whose results join the findings.
	SARIF []string
	// GoCache is where the Go command keeps what it compiled; empty is a folder that is
	// removed afterwards, and then the standard library is compiled every time.
	GoCache string
	// Timeout of one module; zero is DefaultTimeout.
	Timeout time.Duration
	// Memory of the worker in bytes; zero is DefaultMemory.
	Memory int64
	// Say tells people what they should know beside the findings; it may be nil.
	Say func(format string, args ...any)
}

// Defaults of Options.
const (
	DefaultTimeout = 10 * time.Minute
	DefaultMemory  = 3 << 30
)

// Bounds of one scan.
const (
	maxModules = 200
	maxWalk    = 1_000_000 // files looked at for go.mod
	maxLine    = 64 << 10  // bytes of one message of the worker
	maxOutput  = 64 << 20  // bytes of all
)

// Scan finds insecure code below root: Go by gosec, the rest by the SARIF files given.
func Scan(ctx context.Context, root string, o Options) ([]triad.Finding, []triad.Unread, error) {
	s := newScan(o)
	if err := s.join(root); err != nil {
		return nil, nil, err
	}
	if err := s.golang(ctx, root); err != nil {
		return nil, nil, err
	}
	return s.findings, s.unread, nil
}

// Results takes the findings of the SARIF files alone: of an image, or where only they were
// asked for.
func Results(root string, o Options) ([]triad.Finding, []triad.Unread, error) {
	s := newScan(o)
	err := s.join(root)
	return s.findings, s.unread, err
}

func newScan(o Options) *scan {
	if o.Say == nil {
		o.Say = func(string, ...any) {}
	}
	return &scan{Options: o, seen: map[string]int{}}
}

// join adds the results of the SARIF files.
func (s *scan) join(root string) error {
	for _, name := range s.SARIF {
		im, err := ImportFile(name, root)
		if err != nil {
			return err
		}
		for _, f := range im.Findings {
			s.add(f)
		}
		s.unread = append(s.unread, im.Unread...)
		s.Say("%s: %d results of %s, %d more are suppressed", name, len(im.Findings), strings.Join(im.Tools, ", "), im.Suppressed)
	}
	return nil
}

type scan struct {
	Options
	findings []triad.Finding
	unread   []triad.Unread
	seen     map[string]int
}

// add keeps one finding for a rule and line: the worst.
func (s *scan) add(f triad.Finding) {
	i, is := s.seen[f.Key()]
	if !is {
		s.seen[f.Key()] = len(s.findings)
		s.findings = append(s.findings, f)
		return
	}
	if triad.SeverityRank(f.Severity) < triad.SeverityRank(s.findings[i].Severity) {
		s.findings[i] = f
	}
}

func (s *scan) not(format string, args ...any) {
	s.unread = append(s.unread, triad.Unread{Section: inspect.SectionCode, Reason: clip(fmt.Sprintf(format, args...), 2*maxText)})
}

// golang runs a worker for every Go module below root.
func (s *scan) golang(ctx context.Context, root string) error {
	modules, loose, err := modulesOf(ctx, root)
	if err != nil {
		return fmt.Errorf("looking for Go modules: %w", err)
	}
	if loose != "" {
		s.not("%s: Go code that is in no module is not analysed (go mod init makes one)", loose)
	}
	if len(modules) == 0 {
		return nil
	}
	if len(s.Worker) == 0 {
		s.not("Go code is not analysed: no worker is set up")
		return nil
	}
	goCommand, err := exec.LookPath("go")
	if err != nil {
		s.not("Go code in %s is not analysed: gosec needs the go command, and none is in the PATH", strings.Join(modules, ", "))
		return nil
	}
	temp, err := os.MkdirTemp("", "triad-code-")
	if err != nil {
		return err
	}
	// What the Go command keeps of modules is read-only.
	defer func() { _ = removeAll(temp) }()
	for n, module := range modules {
		if n >= maxModules {
			s.not("%d more Go modules, from %s on, are not analysed", len(modules)-n, module)
			break
		}
		if err := s.module(ctx, root, module, goCommand, temp); err != nil {
			return err
		}
	}
	return nil
}

// modulesOf returns the folders with a go.mod, relative to root, and one with Go code but
// none above it.
func modulesOf(ctx context.Context, root string) (modules []string, loose string, err error) {
	left := maxWalk
	err = filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if left--; err != nil || left < 0 {
			if name == root && err != nil {
				return err
			}
			return fs.SkipDir
		}
		rel, _ := filepath.Rel(root, name)
		rel = filepath.ToSlash(rel)
		base := e.Name()
		if e.IsDir() {
			// What the Go command passes over, and code that is not this project's.
			if rel != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "vendor" || base == "node_modules") ||
				rel == "proc" || rel == "sys" || strings.HasSuffix(rel, "go/pkg/mod") || strings.HasSuffix(rel, "usr/local/go") || strings.HasPrefix(rel, "usr/lib/go") || strings.HasPrefix(rel, "usr/share/") {
				return fs.SkipDir
			}
			if _, err := os.Lstat(filepath.Join(name, "go.mod")); err == nil {
				modules = append(modules, rel)
			}
			return nil
		}
		if loose == "" && strings.HasSuffix(base, ".go") && e.Type().IsRegular() && !within(path.Dir(rel), modules) {
			loose = rel
		}
		return nil
	})
	return modules, loose, err
}

func within(dir string, modules []string) bool {
	for _, m := range modules {
		if m == "." || dir == m || strings.HasPrefix(dir, m+"/") {
			return true
		}
	}
	return false
}

// module runs the worker on one module.
func (s *scan) module(ctx context.Context, root, module, goCommand, temp string) error {
	dir, err := filepath.Abs(filepath.Join(root, module))
	if err != nil {
		return err
	}
	timeout := s.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var stderr tail
	done, err := s.work(bounded, dir, module, goCommand, temp, &stderr)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case bounded.Err() != nil:
		s.not("Go module %s: not analysed to its end within %s", module, timeout)
	case err != nil:
		s.not("Go module %s: not analysed to its end: %v%s", module, err, stderr.text(dir))
	case !done:
		s.not("Go module %s: not analysed to its end%s", module, stderr.text(dir))
	}
	return nil
}

// work starts the child and reads what it says.
func (s *scan) work(ctx context.Context, dir, module, goCommand, temp string, stderr *tail) (done bool, err error) {
	args := append(append([]string(nil), s.Worker[1:]...), dir)
	environment, err := s.environment(goCommand, temp)
	if err != nil {
		return false, err
	}
	isolated, cmd, stdout, err := start(ctx, func() *exec.Cmd {
		cmd := exec.CommandContext(ctx, s.Worker[0], args...) //nolint:gosec // our own program
		cmd.Dir, cmd.Env, cmd.Stderr = dir, environment, stderr
		cmd.WaitDelay = 5 * time.Second
		return cmd
	})
	if err != nil {
		return false, fmt.Errorf("starting the worker: %w", err)
	}
	if !isolated {
		s.Say("Go module %s: this machine lets nobody take the network from a process: the worker is only told not to use it", module)
	}
	done, err = s.hear(io.LimitReader(stdout, maxOutput), module)
	if err != nil || !done {
		kill(cmd)
	}
	if wait := cmd.Wait(); err == nil && wait != nil {
		err = wait
	}
	return done, err
}

// hear reads the worker's messages.
func (s *scan) hear(r io.Reader, module string) (done bool, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	for lines.Scan() {
		var m Message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return false, errors.New("the worker does not say what it should")
		}
		switch {
		case m.Issue != nil:
			s.add(m.Issue.finding(module))
		case m.Unread != "":
			s.not("Go package %s", m.Unread)
		case m.Done:
			if m.Suppressed > 0 {
				s.Say("Go module %s: %d findings in %d packages are suppressed in the code", module, m.Suppressed, m.Packages)
			}
			return true, nil
		}
	}
	return false, lines.Err()
}

// finding translates an issue. gosec's severity counts one less where gosec itself is not sure.
func (f *Found) finding(module string) triad.Finding {
	severity := map[string]string{"HIGH": "high", "MEDIUM": "medium"}[f.Severity]
	if f.Confidence == "LOW" {
		severity = map[string]string{"high": "medium"}[severity]
	}
	if severity == "" {
		severity = "low"
	}
	out := triad.Finding{
		Kind: triad.FindingCode, ID: f.Rule, Section: inspect.SectionCode, Title: cleared(f.What), Severity: severity,
		Path: path.Join(module, f.File), Line: f.Line,
		Evidence: []triad.Evidence{{Source: "gosec " + gosecVersion, Detail: "confidence " + strings.ToLower(f.Confidence)}},
	}
	if f.CWE != "" {
		out.Aliases = []string{"CWE-" + f.CWE}
	}
	return out
}

// gosecVersion is the version that is linked.
const gosecVersion = "2.30.0"

// environment is all that the worker sees of ours.
func (s *scan) environment(goCommand, temp string) ([]string, error) {
	cache := s.GoCache
	if cache == "" {
		cache = filepath.Join(temp, "cache")
	}
	for _, dir := range []string{cache, filepath.Join(temp, "tmp"), filepath.Join(temp, "home")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	memory := s.Memory
	if memory <= 0 {
		memory = DefaultMemory
	}
	env := []string{
		"PATH=" + filepath.Dir(goCommand) + ":/usr/local/bin:/usr/bin:/bin",
		"HOME=" + filepath.Join(temp, "home"), "TMPDIR=" + filepath.Join(temp, "tmp"),
		"GOCACHE=" + cache, "GOMODCACHE=" + moduleCache(), "GOPATH=" + filepath.Join(temp, "home", "go"),
		"GOTOOLCHAIN=local", "GOPROXY=off", "GOSUMDB=off", "GONOSUMDB=*", "GOVCS=*:off", "GOENV=off", "GOFLAGS=", "GOTELEMETRY=off", "GO111MODULE=on",
		"CGO_ENABLED=0", "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1", "LANG=C.UTF-8",
		fmt.Sprintf("TRIAD_CODE_MEMORY=%d", memory),
	}
	if root := os.Getenv("GOROOT"); root != "" {
		env = append(env, "GOROOT="+root)
	}
	return env, nil
}

// moduleCache is where the user's Go command keeps modules; it is only read.
func moduleCache() string {
	if dir := os.Getenv("GOMODCACHE"); dir != "" {
		return dir
	}
	if dir := os.Getenv("GOPATH"); dir != "" {
		return filepath.Join(filepath.SplitList(dir)[0], "pkg", "mod")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = os.TempDir()
	}
	return filepath.Join(home, "go", "pkg", "mod")
}

func removeAll(dir string) error {
	_ = filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			_ = os.Chmod(name, 0o700) //nolint:gosec // a folder of ours
		}
		return nil
	})
	return os.RemoveAll(dir)
}

// tail keeps the end of what the worker says to people.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if len(t.b) > 4096 {
		t.b = t.b[:copy(t.b, t.b[len(t.b)-4096:])]
	}
	return len(p), nil
}

// text is its first line that says something: a panic's, or the Go command's.
func (t *tail) text(dir string) string {
	for _, line := range bytes.Split(t.b, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return ": " + cleared(relativeText(string(line), dir))
		}
	}
	return ""
}

// relativeText takes the module's own folder out of a message.
func relativeText(s, dir string) string {
	return strings.ReplaceAll(s, dir+string(filepath.Separator), "")
}
