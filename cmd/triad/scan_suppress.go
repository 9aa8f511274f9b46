package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/ignore"
	"github.com/triad-security/triad/build/scan"
	"github.com/triad-security/triad/build/vex"
	"github.com/triad-security/triad/report"
)

// filterFlags say what of a result counts.
type filterFlags struct {
	vex           []string
	ignoreFiles   []string
	noIgnore      bool
	ignoreUnfixed bool
	severities    []string
	baseline      string
	showSet       bool
}

func (f *filterFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.vex, "vex", nil, "VEX document (OpenVEX, CycloneDX or CSAF) whose statements count; may be repeated")
	flags.StringArrayVar(&f.ignoreFiles, "ignore-file", nil, "ignore file instead of those found in the folder: .triadignore, .trivyignore, .trivyignore.yaml or .grype.yaml; may be repeated")
	flags.BoolVar(&f.noIgnore, "no-ignore", false, "use no ignore file")
	flags.BoolVar(&f.ignoreUnfixed, "ignore-unfixed", false, "set aside vulnerabilities of which no fixed version is known")
	flags.StringSliceVar(&f.severities, "severity", nil, "severities that count, such as high,critical; the others are set aside")
	flags.StringVar(&f.baseline, "baseline", "", "earlier result in JSON: say what is new since and what is fixed")
	flags.BoolVar(&f.showSet, "show-suppressed", false, "list in the table what was set aside")
}

// filters is what the flags name, read.
type filters struct {
	flags    *filterFlags
	vex      vex.Set
	ignore   *ignore.List
	baseline *report.Baseline
}

func (f *filterFlags) read() (*filters, error) {
	for i, word := range f.severities {
		f.severities[i] = strings.ToLower(strings.TrimSpace(word))
		if !slices.Contains(triad.Severities(), f.severities[i]) {
			return nil, triad.Errorf(triad.CodeInvalid, "--severity %s: give some of %s", word, strings.Join(triad.Severities(), ", "))
		}
	}
	out := &filters{flags: f}
	for _, path := range f.vex {
		if err := out.vex.Read(path); err != nil {
			return nil, err
		}
	}
	if len(f.ignoreFiles) > 0 && f.noIgnore {
		return nil, triad.Errorf(triad.CodeInvalid, "--ignore-file and --no-ignore exclude each other")
	}
	if len(f.ignoreFiles) > 0 {
		out.ignore = &ignore.List{}
		for _, path := range f.ignoreFiles {
			if err := out.ignore.Read(path); err != nil {
				return nil, err
			}
		}
	}
	if f.baseline != "" {
		file, err := os.Open(f.baseline)
		if err != nil {
			return nil, fmt.Errorf("reading the baseline: %w", err)
		}
		defer func() { _ = file.Close() }()
		if out.baseline, err = report.ReadBaseline(file); err != nil {
			return nil, fmt.Errorf("reading the baseline %s: %w", f.baseline, err)
		}
	}
	return out, nil
}

// apply sets aside what does not count: first by VEX, then by the ignore files, then by the
// filters of this run.
func (f *filters) apply(s *scanFlags, result *scan.Result) error {
	if f.ignore == nil {
		f.ignore = &ignore.List{}
		if dir := s.ignoreDir(); !f.flags.noIgnore && dir != "" {
			found, err := ignore.Find(dir)
			if err != nil {
				return err
			}
			f.ignore = found
		}
	}
	now := time.Now()
	product := productOf(result)
	left := result.Vulnerabilities[:0]
	for _, v := range result.Vulnerabilities {
		why := f.vex.Apply(product, &v.Vulnerability)
		if why == nil {
			why = f.ignore.Vulnerability(v.Vulnerability, now)
		}
		if why == nil && f.flags.ignoreUnfixed && v.Fixed == "" {
			why = &triad.Suppression{Kind: triad.SuppressedByFilter, Source: "--ignore-unfixed", Reason: "no fixed version is known"}
		}
		if why == nil {
			why = f.severity(v.Severity)
		}
		if why == nil {
			left = append(left, v)
			continue
		}
		result.Suppressed = append(result.Suppressed, scan.Suppressed{Suppression: *why, Vulnerability: &scan.Vulnerability{Vulnerability: v.Vulnerability}})
	}
	result.Vulnerabilities = left
	for _, list := range []*[]triad.Finding{&result.Malware, &result.Secrets, &result.Code, &result.Misconfigurations} {
		left := (*list)[:0]
		for _, found := range *list {
			why := f.ignore.Finding(found, now)
			if why == nil {
				why = f.severity(found.Severity)
			}
			if why == nil {
				left = append(left, found)
				continue
			}
			result.Suppressed = append(result.Suppressed, scan.Suppressed{Suppression: *why, Finding: &found})
		}
		*list = left
	}
	return nil
}

func (f *filters) severity(word string) *triad.Suppression {
	if len(f.flags.severities) == 0 || slices.Contains(f.flags.severities, triad.Severities()[triad.SeverityRank(word)]) {
		return nil
	}
	return &triad.Suppression{Kind: triad.SuppressedByFilter, Source: "--severity", Reason: "not one of " + strings.Join(f.flags.severities, ", ")}
}

// notes say what of the files did not count and why.
func (f *filters) notes() []string {
	return slices.Concat(f.vex.Warnings, f.ignore.Warnings, f.ignore.Notes())
}

// ignoreDir is the folder whose ignore files count; empty for none.
func (s *scanFlags) ignoreDir() string {
	switch {
	case s.fetched:
		return ""
	case s.dir != "":
		return s.dir
	}
	return "."
}

// productOf names what was scanned, as VEX statements may.
func productOf(result *scan.Result) *vex.Product {
	a := result.Artifact
	p := &vex.Product{Names: append([]string{a.Name}, a.Refs...)}
	for _, d := range []string{a.Digest, a.ConfigDigest, a.ManifestDigest, a.IndexDigest} {
		if d != "" {
			p.Digests = append(p.Digests, d)
		}
	}
	for _, ref := range a.RepoDigests {
		if repo, digest, ok := strings.Cut(ref, "@"); ok {
			p.Names, p.Digests = append(p.Names, repo), append(p.Digests, digest)
		}
	}
	for _, q := range result.Packages {
		p.Packages = append(p.Packages, q.Package)
	}
	return p
}
