package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/securego/gosec/v2"
	"github.com/securego/gosec/v2/analyzers"
	"github.com/securego/gosec/v2/issue"
	"github.com/securego/gosec/v2/rules"
	"golang.org/x/tools/go/packages"

	"github.com/triad-security/triad/build/code"
)

// batch is how many packages are held with their syntax at once.
const batch = 40

// Work analyses the Go module in dir and writes a message per line. It is what the child
// process does: it runs the Go command on foreign code, so it must have no network.
func Work(ctx context.Context, dir string, w io.Writer) error {
	out := json.NewEncoder(w)
	limitMemory()
	// gosec names files as the Go command does.
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	names, err := list(ctx, dir)
	if err != nil {
		return err
	}
	done := code.Message{Done: true}
	for len(names) > 0 {
		n := min(batch, len(names))
		loaded, err := packages.Load(&packages.Config{Context: ctx, Mode: gosec.LoadMode, Dir: dir, Env: os.Environ()}, names[:n]...)
		names = names[n:]
		if err != nil {
			return fmt.Errorf("loading packages: %w", err)
		}
		for _, p := range loaded {
			if err := ctx.Err(); err != nil {
				return err
			}
			done.Packages++
			suppressed, err := examine(p, dir, out)
			done.Suppressed += suppressed
			if err != nil {
				return err
			}
		}
	}
	return out.Encode(done)
}

// list names the packages of the module.
func list(ctx context.Context, dir string) ([]string, error) {
	load := func(env ...string) ([]*packages.Package, error) {
		return packages.Load(&packages.Config{Context: ctx, Mode: packages.NeedName | packages.NeedFiles, Dir: dir, Env: append(os.Environ(), env...)}, "./...")
	}
	found, err := load()
	if err != nil {
		// A workspace above may not have this module.
		alone, again := load("GOWORK=off")
		if again != nil {
			return nil, fmt.Errorf("listing the packages: %w", err)
		}
		_ = os.Setenv("GOWORK", "off")
		found = alone
	}
	var names []string
	for _, p := range found {
		if len(p.GoFiles) > 0 || len(p.Errors) > 0 {
			names = append(names, p.PkgPath)
		}
	}
	return names, nil
}

// examine runs gosec over one package. gosec panics on some code: that package is unread.
func examine(p *packages.Package, dir string, out *json.Encoder) (suppressed int, err error) {
	if n := len(p.Errors); n > 0 {
		reason := relativeText(p.Errors[0].Error(), dir)
		if n > 1 {
			reason += fmt.Sprintf(" (and %d more)", n-1)
		}
		if err := out.Encode(code.Message{Unread: p.PkgPath + ": " + reason}); err != nil {
			return 0, err
		}
	}
	if len(p.Syntax) == 0 {
		return 0, nil
	}
	issues, err := check(p)
	if err != nil {
		return 0, out.Encode(code.Message{Unread: p.PkgPath + ": " + err.Error()})
	}
	plain := nosec(p)
	for _, i := range issues {
		line, _, _ := strings.Cut(i.Line, "-")
		number, _ := strconv.Atoi(line)
		if i.NoSec || len(i.Suppressions) > 0 || plain[place{i.File, number}].covers(i.RuleID) {
			suppressed++
			continue
		}
		name, err := filepath.Rel(dir, i.File)
		if err != nil || strings.HasPrefix(name, "..") {
			continue // made by the Go command, as for tests
		}
		f := code.Found{
			Rule: i.RuleID, What: i.What, Severity: i.Severity.String(), Confidence: i.Confidence.String(),
			File: filepath.ToSlash(name), Line: number,
		}
		if i.Cwe != nil {
			f.CWE = i.Cwe.ID
		}
		if err := out.Encode(code.Message{Issue: &f}); err != nil {
			return suppressed, err
		}
	}
	return suppressed, nil
}

// place is a line of a file.
type place struct {
	file string
	line int
}

// waived are the rules that a comment sets aside; an empty list is all of them.
type waived []string

func (w waived) covers(rule string) bool {
	return w != nil && (len(w) == 0 || slices.Contains(w, rule))
}

var ruleID = regexp.MustCompile(`\bG[0-9]{3}\b`)

// nosec finds the comments //nosec, with rules or without, which people write and gosec
// itself knows only as #nosec and //gosec:disable.
func nosec(p *packages.Package) map[place]waived {
	all := map[place]waived{}
	for _, file := range p.Syntax {
		for _, group := range file.Comments {
			for _, c := range group.List {
				text, is := strings.CutPrefix(strings.TrimSpace(strings.TrimPrefix(c.Text, "//")), "nosec")
				if !is || text != "" && text[0] != ' ' && text[0] != ':' {
					continue
				}
				text, _, _ = strings.Cut(text, "--")
				at := p.Fset.Position(c.Pos())
				all[place{at.Filename, at.Line}] = append(waived{}, ruleID.FindAllString(text, -1)...)
			}
		}
	}
	return all
}

func check(p *packages.Package) (issues []*issue.Issue, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("gosec failed: %v", r)
		}
	}()
	var said notes
	a := gosec.NewAnalyzer(gosec.NewConfig(), false, true, true, 1, log.New(&said, "", 0))
	a.LoadRules(rules.Generate(true).RulesInfo())
	a.LoadAnalyzers(analyzers.Generate(true).AnalyzersInfo())
	a.CheckRules(p)
	a.CheckAnalyzers(p)
	issues, _, failed := a.Report()
	if said.failure != "" && len(p.Errors) == 0 {
		return issues, errors.New(said.failure)
	}
	for file, errs := range failed {
		if len(errs) > 0 && len(p.Errors) == 0 {
			return issues, fmt.Errorf("%s: %s", filepath.Base(file), errs[0].Err)
		}
	}
	return issues, nil
}

// notes hears from gosec's log what its result does not say: that half of it failed.
type notes struct{ failure string }

func (n *notes) Write(p []byte) (int, error) {
	line, _, _ := strings.Cut(string(p), "\n")
	if strings.HasPrefix(line, "Error building the SSA") || strings.HasPrefix(line, "Panic when running") {
		n.failure = cmp.Or(n.failure, line)
	}
	return len(p), nil
}

// limitMemory bounds the worker by TRIAD_CODE_MEMORY, in bytes; the collector works harder
// from three quarters of it.
func limitMemory() {
	n, err := strconv.ParseInt(os.Getenv("TRIAD_CODE_MEMORY"), 10, 64)
	if err != nil || n <= 0 {
		return
	}
	debug.SetMemoryLimit(n / 4 * 3)
	limitAddresses(n)
}

// relativeText takes the module's own folder out of a message.
func relativeText(s, dir string) string {
	return strings.ReplaceAll(s, dir+string(filepath.Separator), "")
}
