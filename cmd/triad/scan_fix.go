package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/advisory"
	"github.com/triad-security/triad/build/fix"
	"github.com/triad-security/triad/build/image"
	"github.com/triad-security/triad/build/match"
	"github.com/triad-security/triad/build/origin"
	"github.com/triad-security/triad/build/scan"
	"github.com/triad-security/triad/server/datadir"
)

// fixFlags say what to do about what was found.
type fixFlags struct {
	fix    bool
	dryRun bool
}

func (x *fixFlags) add(f *pflag.FlagSet) {
	f.BoolVar(&x.fix, "fix", false, "change the Dockerfile (--dockerfile) and manifests so that most vulnerabilities go, and print what and why instead of the findings")
	f.BoolVar(&x.dryRun, "dry-run", false, "with --fix: print the changes and write nothing")
}

// check refuses flags that go with nothing.
func (s *scanFlags) checkFix() error {
	if s.fix.dryRun && !s.fix.fix {
		return triad.Errorf(triad.CodeInvalid, "--dry-run goes with --fix")
	}
	return nil
}

// fixed is what --fix prints.
type fixed struct {
	Artifact string   `json:"artifact"`
	Base     string   `json:"base,omitempty"`
	Plan     fix.Plan `json:"plan"`
	Changes  []change `json:"changes"`
	// Left is what was not changed, and what to do instead.
	Left    []fix.Left `json:"left"`
	Written bool       `json:"written"`
}

type change struct {
	Path string   `json:"path"`
	For  []string `json:"for"`
	Diff string   `json:"diff"`
}

// fixer holds what a fix is made of.
type fixer struct {
	a       *app
	s       *scanFlags
	filters *filters
	r       *scan.Result
	matcher *match.Matcher
	patches map[string]*fix.Patch
}

// fix plans what to change, shows it, and changes it.
func (a *app) fix(ctx context.Context, s *scanFlags, filters *filters, r *scan.Result) error {
	db, err := advisory.Open(datadir.Dir(a.data).Advisories())
	if err != nil {
		return fmt.Errorf("--fix: %w", err)
	}
	defer func() { _ = db.Close() }()
	f := &fixer{a, s, filters, r, match.New(db), map[string]*fix.Patch{}}
	plan, err := fix.Advise(ctx, plain(r), r.Found(), f.matcher)
	if err != nil {
		return err
	}
	out := &fixed{Artifact: r.Artifact.Name, Plan: *plan, Changes: []change{}, Left: []fix.Left{}}
	if b := r.Artifact.Base; b != nil {
		out.Base = b.Name
	}
	bumps := plan.Packages
	var base *fix.BaseBump
	if out.Plan.Bases, base, bumps, err = f.bases(ctx, bumps); err != nil {
		return err
	}
	if out.Left, err = f.change(base, bumps); err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(f.patches)) {
		if p := f.patches[path]; p.Changed() {
			out.Changes = append(out.Changes, change{path, p.Did, p.Diff()})
		}
	}
	out.Written = !s.fix.dryRun && len(out.Changes) > 0
	if err := a.result(out, out.table, nil); err != nil { // shown before it is done
		return err
	}
	if s.fix.dryRun || len(out.Changes) == 0 {
		return nil
	}
	for _, c := range out.Changes {
		if err := f.patches[c.Path].Write(); err != nil {
			return err
		}
		a.say("changed %s", c.Path)
	}
	return nil
}

func plain(r *scan.Result) []triad.Package {
	all := make([]triad.Package, len(r.Packages))
	for i, p := range r.Packages {
		all[i] = p.Package
	}
	return all
}

// maxBases that are held against the present one.
const maxBases = 20

// bases compares the base with newer ones that were scanned. Where one is better, the bumps
// of what came with the base are made anew for what comes with that one.
func (f *fixer) bases(ctx context.Context, bumps []fix.Bump) ([]fix.BaseBump, *fix.BaseBump, []fix.Bump, error) {
	all := []fix.BaseBump{}
	b := f.r.Artifact.Base
	if b == nil || b.Layers == 0 {
		return all, nil, bumps, nil
	}
	index := bases(f.s.cacheDir)
	layers := f.r.DiffIDs()
	now := origin.Image{Name: b.Name, Digest: b.Digest, Architecture: f.r.Config().Architecture}
	if img, _, ok, err := index.Longest(layers[:min(b.Layers+1, len(layers))]); err == nil && ok && len(img.Layers) == b.Layers {
		now, now.Name = img, b.Name
	}
	repository := origin.Repository(b.Name)
	if repository == "" {
		return all, nil, bumps, nil
	}
	known, err := index.Repository(repository)
	if err != nil {
		return nil, nil, nil, err
	}
	cache, err := scan.OpenCache(f.s.cacheDir)
	if err != nil {
		return nil, nil, nil, err
	}
	scanner := &scan.Scanner{Cache: cache, Options: image.Options{Limits: f.s.limits}}
	var own []triad.Vulnerability
	for _, v := range f.r.Found() {
		if v.Origin == triad.OriginBase {
			own = append(own, v)
		}
	}
	results := map[string]*scan.Result{}
	for _, to := range known {
		if len(all) >= maxBases || !fix.SameLine(now, to) || slices.Equal(to.Layers, layers[:b.Layers]) {
			continue
		}
		other, err := f.known(ctx, scanner, to)
		if err != nil {
			return nil, nil, nil, err
		}
		if other == nil {
			f.a.say("%s was scanned, and the cache no longer has it: scan it again to compare", to.Name)
			continue
		}
		bump := fix.CompareBase(b.Name, to, own, other.Found())
		results[bump.To+bump.Digest] = other
		all = append(all, bump)
	}
	all = fix.SortBases(all)
	if len(all) == 0 {
		return all, nil, bumps, nil
	}
	best := &all[0]
	kept := slices.DeleteFunc(slices.Clone(bumps), func(b fix.Bump) bool { return b.Origin == triad.OriginBase })
	other := results[best.To+best.Digest]
	rest, err := fix.Advise(ctx, plain(other), other.Found(), f.matcher)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, bump := range rest.Packages {
		bump.Origin, bump.Layer, bump.Dockerfile = triad.OriginBase, layers[0], "" // any layer of the base
		kept = append(kept, bump)
	}
	return all, best, kept, nil
}

// known is what was learned of an image when it was scanned, with the advisories of today.
func (f *fixer) known(ctx context.Context, scanner *scan.Scanner, img origin.Image) (*scan.Result, error) {
	r, err := scanner.Known(ctx, img.ConfigDigest)
	if err != nil || r == nil {
		return nil, err
	}
	if err := r.Match(ctx, f.matcher); err != nil {
		return nil, err
	}
	return r, f.filters.apply(f.s, r)
}

// change turns the bumps into edits.
func (f *fixer) change(base *fix.BaseBump, bumps []fix.Bump) ([]fix.Left, error) {
	left := []fix.Left{}
	if f.r.Artifact.Type != scan.ArtifactImage {
		root := f.s.dir
		if root == "" || f.s.fetched {
			return left, triad.Errorf(triad.CodeInvalid, "--fix changes files: scan a folder, or an image with --dockerfile")
		}
		more, err := fix.Manifests(root, f.patches, bumps, func(b fix.Bump) string { return b.Path })
		return append(left, more...), err
	}
	o := &f.s.origin
	if o.file == nil {
		if len(bumps) > 0 {
			f.a.say("nothing is changed: name the Dockerfile with --dockerfile")
		}
		return left, nil
	}
	p, err := fix.OpenPatch(o.dockerfile)
	if err != nil {
		return nil, err
	}
	if string(p.Data()) != o.file.Text() {
		return nil, triad.Errorf(triad.CodeConflict, "%s was changed in the meantime: run it again", o.dockerfile)
	}
	names := map[string]bool{}
	for _, p := range f.r.Packages {
		names[p.Name] = true
	}
	build := fix.Build{
		File: o.file, Mapping: o.mapping, Layers: f.r.DiffIDs(), Has: func(name string) bool { return names[name] },
		BaseUser: o.mapping.BaseUser(f.r.Config().History),
	}
	undone := fix.Dockerfile(p, build, base, bumps)
	if p.Changed() {
		f.patches[o.dockerfile] = p
	}
	var files []fix.Bump
	for _, l := range undone {
		i := slices.IndexFunc(bumps, func(b fix.Bump) bool { return b.Package == l.Package && b.To == l.To })
		if i >= 0 && bumps[i].Origin != triad.OriginBase && fix.HasManifest(bumps[i].Ecosystem) {
			files = append(files, bumps[i])
			continue
		}
		left = append(left, l)
	}
	more, err := fix.Manifests(filepath.Dir(o.dockerfile), f.patches, files, func(fix.Bump) string { return "" })
	return append(left, more...), err
}

// table prints the fix for people: what, by how much, the change itself, and what is left.
func (x *fixed) table(w io.Writer) error {
	var b strings.Builder
	if len(x.Plan.Bases) > 0 {
		fmt.Fprintf(&b, "Base image %s:\n", printed(x.Base))
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "  GO TO\tREMOVES\tADDS\tLEAVES")
		for _, base := range x.Plan.Bases {
			fmt.Fprintf(t, "  %s\t%d\t%d\t%d\n", printed(base.To), len(base.Removes), len(base.Adds), len(base.Leaves))
		}
		_ = t.Flush()
		b.WriteString("\n")
	}
	if len(x.Plan.Packages) > 0 {
		b.WriteString("Packages:\n")
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "  SEVERITY\tPACKAGE\tINSTALLED\tGO TO\tREMOVES\tLEAVES\tWHOSE\tWHERE")
		for _, p := range x.Plan.Packages {
			where := p.Dockerfile
			if where == "" {
				where = p.Path
			}
			left := fmt.Sprint(len(p.Leaves))
			if len(p.Brings) > 0 {
				left += fmt.Sprintf(" and %d new", len(p.Brings))
			}
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", p.Severity, printed(p.Package), printed(p.Version), printed(p.To), len(p.Removes), left, p.Origin, printed(where))
		}
		_ = t.Flush()
		b.WriteString("\n")
	}
	for _, c := range x.Changes {
		b.WriteString(printedLines(c.Diff) + "\n")
	}
	for i, l := range x.Left {
		if i == 0 {
			b.WriteString("Not changed:\n")
		}
		fmt.Fprintf(&b, "  %s %s: %s", printed(l.Package), printed(l.To), printed(l.Reason))
		if l.Run != "" {
			fmt.Fprintf(&b, "; run: %s", printed(l.Run))
		}
		b.WriteString("\n")
	}
	if n := len(x.Plan.Unfixed); n > 0 {
		fmt.Fprintf(&b, "No version without them is known for %d: %s\n", n, strings.Join(x.Plan.Unfixed[:min(n, 10)], ", "))
	}
	if b.Len() == 0 {
		b.WriteString("Nothing to fix: no vulnerability has a version without it.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printed takes out what an artifact could steer a terminal with.
func printed(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '�'
		}
		return r
	}, text)
}

func printedLines(text string) string {
	rows := strings.Split(text, "\n")
	for i, row := range rows {
		cells := strings.Split(strings.TrimSuffix(row, "\r"), "\t")
		for n, cell := range cells {
			cells[n] = printed(cell)
		}
		rows[i] = strings.Join(cells, "\t")
	}
	return strings.Join(rows, "\n")
}
