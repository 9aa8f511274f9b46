package ignore

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/triad-security/triad"
)

// Bounds on a file from outside.
const (
	maxBytes   = 8 << 20
	maxEntries = 100_000
	// maxPatterns bounds the entries that every finding is held against: those without an
	// exact ID.
	maxPatterns = 10_000
)

// Names are those of the files that are looked for in a folder, the first being our own.
var Names = []string{".triadignore", ".triadignore.yaml", ".trivyignore", ".trivyignore.yaml", ".trivyignore.yml", ".grype.yaml", ".grype.yml"}

// Entry says which findings people accept. A field that is empty covers everything.
type Entry struct {
	// ID is of an advisory or a rule, or a pattern with *; aliases count.
	ID   string
	Kind triad.FindingKind
	// Package is a name or a pattern with *, Version exact.
	Package, Version string
	// PURL is a package URL; without a version it covers every one.
	PURL string
	// Paths are globs: * stays in a folder, ** does not.
	Paths []string

	Reason, Owner string
	// Expires is the moment from which the entry covers nothing.
	Expires *time.Time
	// Source is the file and line at which the entry stands.
	Source string

	paths []pathGlob
	more  []func(*subject) bool // what only other tools' files can ask for
	used  bool
}

// List is what the ignore files say.
type List struct {
	entries []*Entry
	// byID has the entries without a pattern in their ID, in lower case; the others are in any.
	byID map[string][]*Entry
	any  []*Entry
	// Warnings say what of the files was not understood, or should be mended.
	Warnings []string
	expired  map[*Entry][]string // what expired entries would have covered
}

// Find reads the ignore files of a folder. A list without entries is returned where there are none.
func Find(dir string) (*List, error) {
	l := &List{}
	for _, name := range Names {
		path := filepath.Join(dir, name)
		if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
			continue // a link could name any file of this machine
		}
		if err := l.Read(path); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Read adds the entries of a file; its name says whose format it is in.
func (l *List) Read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading the ignore file: %w", err)
	}
	defer func() { _ = f.Close() }()
	return l.Parse(path, f)
}

// Parse adds the entries of a file whose content comes from a reader.
func (l *List) Parse(name string, r io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if len(data) > maxBytes {
		return triad.Errorf(triad.CodeInvalid, "%s is larger than %d bytes", name, maxBytes)
	}
	base := filepath.Base(name)
	switch {
	case strings.Contains(base, "grype"):
		return l.grype(name, data)
	case strings.Contains(base, "trivyignore") && (strings.HasSuffix(base, ".yaml") || strings.HasSuffix(base, ".yml")):
		return l.trivyYAML(name, data)
	case strings.Contains(base, "trivyignore"):
		return l.trivy(name, data)
	}
	return l.triad(name, data)
}

// Len is how many entries there are.
func (l *List) Len() int { return len(l.entries) }

func (l *List) add(e *Entry) error {
	if len(l.entries) >= maxEntries {
		return triad.Errorf(triad.CodeInvalid, "%s: more than %d entries", e.Source, maxEntries)
	}
	for _, p := range e.Paths {
		g, err := compileGlob(p)
		if err != nil {
			return triad.Errorf(triad.CodeInvalid, "%s: %w", e.Source, err)
		}
		e.paths = append(e.paths, g)
	}
	l.entries = append(l.entries, e)
	if e.ID == "" || strings.ContainsAny(e.ID, "*?") {
		if l.any = append(l.any, e); len(l.any) > maxPatterns {
			return triad.Errorf(triad.CodeInvalid, "%s: more than %d entries without an exact id", e.Source, maxPatterns)
		}
		return nil
	}
	if l.byID == nil {
		l.byID = map[string][]*Entry{}
	}
	id := strings.ToLower(e.ID)
	l.byID[id] = append(l.byID[id], e)
	return nil
}

func (l *List) warn(source, format string, args ...any) {
	l.Warnings = append(l.Warnings, source+": "+fmt.Sprintf(format, args...))
}

// subject is what an entry is held against.
type subject struct {
	kind            triad.FindingKind
	ids             []string
	pkg, version    string
	purl, path      string
	fixed           string
	vex             *triad.VEXStatement
	isVulnerability bool
}

// Vulnerability returns why a vulnerability is set aside; nil where no entry covers it.
func (l *List) Vulnerability(v triad.Vulnerability, now time.Time) *triad.Suppression {
	return l.look(&subject{
		kind: triad.FindingVulnerability, ids: append([]string{v.ID, v.Advisory}, v.Aliases...), pkg: v.Package, version: v.Version,
		purl: v.PURL, path: v.Path, fixed: v.Fixed, vex: v.VEX, isVulnerability: true,
	}, now)
}

// Finding returns why a finding is set aside; nil where no entry covers it.
func (l *List) Finding(f triad.Finding, now time.Time) *triad.Suppression {
	return l.look(&subject{kind: f.Kind, ids: append([]string{f.ID}, f.Aliases...), path: f.Path}, now)
}

func (l *List) look(s *subject, now time.Time) *triad.Suppression {
	for _, id := range s.ids {
		for _, e := range l.byID[strings.ToLower(id)] {
			if found := l.try(e, s, now); found != nil {
				return found
			}
		}
	}
	for _, e := range l.any {
		if e.ID != "" && !slices.ContainsFunc(s.ids, func(id string) bool {
			return triad.MatchPattern(strings.ToLower(e.ID), strings.ToLower(id))
		}) {
			continue
		}
		if found := l.try(e, s, now); found != nil {
			return found
		}
	}
	return nil
}

// try holds all but the ID against a finding.
func (l *List) try(e *Entry, s *subject, now time.Time) *triad.Suppression {
	if !e.covers(s) {
		return nil
	}
	e.used = true
	if e.Expires != nil && !now.Before(*e.Expires) {
		if l.expired == nil {
			l.expired = map[*Entry][]string{}
		}
		l.expired[e] = append(l.expired[e], s.ids[0])
		return nil
	}
	return &triad.Suppression{Kind: triad.SuppressedByIgnore, Source: e.Source, Reason: e.Reason, Owner: e.Owner, Expires: e.Expires}
}

func (e *Entry) covers(s *subject) bool {
	switch {
	case e.Kind != "" && e.Kind != s.kind,
		(e.Package != "" || e.Version != "" || e.PURL != "") && !s.isVulnerability,
		e.Package != "" && !triad.MatchPattern(e.Package, s.pkg),
		e.Version != "" && e.Version != s.version,
		e.PURL != "" && !matchPURL(e.PURL, s.purl):
		return false
	}
	if len(e.paths) > 0 && !slices.ContainsFunc(e.paths, func(g pathGlob) bool { return g.match(s.path) }) {
		return false
	}
	for _, also := range e.more {
		if !also(s) {
			return false
		}
	}
	return true
}

// Notes says, after all findings were looked up, which entries have expired and what counts
// again because of it, and how many entries covered nothing.
func (l *List) Notes() []string {
	var notes []string
	unused := 0
	for _, e := range l.entries {
		if !e.used {
			unused++
		}
		if ids := l.expired[e]; len(ids) > 0 {
			slices.Sort(ids)
			ids = slices.Compact(ids)
			more := ""
			if len(ids) > 3 {
				more = fmt.Sprintf(" and %d more", len(ids)-3)
				ids = ids[:3]
			}
			notes = append(notes, fmt.Sprintf("%s: expired on %s; %s%s counts again", e.Source, e.Expires.UTC().Format(time.DateOnly), strings.Join(ids, ", "), more))
		}
	}
	if unused > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d ignore entries cover nothing that was found", unused, len(l.entries)))
	}
	return notes
}
