package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/code"
	"github.com/triad-security/triad/build/inspect"
	"github.com/triad-security/triad/build/scan"
)

// codeFlags are those of insecure code.
type codeFlags struct {
	sarif   []string
	timeout time.Duration
	memory  int64 // MiB
}

func (c *codeFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&c.sarif, "sarif", nil, "`file` with what another analyser found, in SARIF 2.1.0; its results join the findings (repeatable)")
	f.DurationVar(&c.timeout, "code-timeout", code.DefaultTimeout, "with --scanners code: give up on a Go module after this time")
	f.Int64Var(&c.memory, "code-memory", code.DefaultMemory>>20, "with --scanners code: memory of the analyser in MiB")
}

// analyseCode runs gosec over the Go code of a folder where that was asked for, and adds what
// other analysers found.
func (a *app) analyseCode(ctx context.Context, s *scanFlags, result *scan.Result) error {
	o := code.Options{
		SARIF: s.content.code.sarif, Timeout: s.content.code.timeout, Memory: s.content.code.memory << 20,
		GoCache: filepath.Join(s.cacheDir, "go-build"), Say: a.say,
	}
	var findings []triad.Finding
	var unread []triad.Unread
	var err error
	switch asked := s.content.wants("code"); {
	case asked && result.Artifact.Type == scan.ArtifactDir:
		analyser, missing := codeAnalyser()
		if missing != nil {
			findings, unread, err = code.Results(rootOf(result), o)
			unread = append(unread, triad.Unread{Section: inspect.SectionCode, Reason: missing.Error()})
			break
		}
		o.Worker = []string{analyser}
		findings, unread, err = code.Scan(ctx, result.Artifact.Name, o)
	case asked || len(o.SARIF) > 0:
		findings, unread, err = code.Results(rootOf(result), o)
		if asked && len(o.SARIF) == 0 {
			unread = append(unread, triad.Unread{Section: inspect.SectionCode, Reason: "the source is not here: scan its folder, or give the analyser's results with --sarif"})
		}
	default:
		return nil
	}
	if err != nil {
		return triad.Errorf(triad.CodeInvalid, "insecure code: %v", err)
	}
	result.Add(inspect.SectionCode, findings, unread)
	return nil
}

func rootOf(r *scan.Result) string {
	if r.Artifact.Type == scan.ArtifactDir {
		return r.Artifact.Name
	}
	return ""
}

// codeAnalyser finds triad-code: beside this program, else in PATH.
func codeAnalyser() (string, error) {
	const program = "triad-code"
	if exe, err := os.Executable(); err == nil {
		if exe, err = filepath.EvalSymlinks(exe); err == nil {
			beside := filepath.Join(filepath.Dir(exe), program)
			if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
				return beside, nil
			}
		}
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return "", errors.New(program + ", which runs gosec, is neither beside triad nor in PATH: make build makes both, and so does go install ./cmd/...")
	}
	return path, nil
}
