package dockerfile

import (
	"cmp"
	"slices"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/inspect"
)

// check is one thing that a Dockerfile should not do. Exactly one of file, stage,
// instruction and command is set: it says where that is done.
type check struct {
	ID string
	// Aliases are the ids under which others know it: hadolint's (DL…), the CIS Docker
	// Benchmark's recommendation (CIS-4.x).
	Aliases         []string
	Severity, Title string
	Why, Fix        string
	Bad, Good       string // a Dockerfile that breaks it, and one that does not
	file            func(f *File) []place
	stage           func(f *File, s *Stage) []place
	instruction     func(f *File, i *Instruction) []place
	command         func(i *Instruction, c *Command) []place
	names           []string // of the instructions that are asked; all when empty
	commandForm     bool     // also CMD and ENTRYPOINT
}

// place is where a check is broken.
type place struct {
	line   int
	detail string
}

func at(line int, detail string) []place { return []place{{line, clip(detail)}} }

// maxPlaces of one check in one file.
const maxPlaces = 100

// checks are all, by subject.
var checks = slices.Concat(fromChecks, userChecks, installChecks, cleanChecks, shellChecks, copyChecks, secretChecks, trustChecks, formChecks, variableChecks)

// Check judges a Dockerfile. Each place that breaks a check is one finding, in the order of
// the file.
func Check(f *File) []triad.Finding {
	var findings []triad.Finding
	for n := range checks {
		c := &checks[n]
		places := c.places(f)
		if len(places) > maxPlaces {
			places = places[:maxPlaces]
		}
		for _, p := range places {
			finding := triad.Finding{
				Kind: triad.FindingMisconfiguration, ID: c.ID, Aliases: c.Aliases, Section: inspect.SectionMisconfigurations,
				Title: c.Title, Severity: c.Severity, Fix: c.Fix, Path: f.Path, Line: max(p.line, 1), Detail: p.detail,
			}
			if !f.ignored(finding) {
				findings = append(findings, finding)
			}
		}
	}
	slices.SortStableFunc(findings, func(a, b triad.Finding) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.ID, b.ID)) })
	return slices.CompactFunc(findings, func(a, b triad.Finding) bool { return a.Line == b.Line && a.ID == b.ID })
}

func (c *check) places(f *File) []place {
	var all []place
	switch {
	case c.file != nil:
		return c.file(f)
	case c.stage != nil:
		for _, s := range f.Stages {
			all = append(all, c.stage(f, s)...)
		}
		return all
	}
	for _, i := range f.Instructions {
		if i.OnBuild != nil {
			i = i.OnBuild
		}
		switch {
		case c.instruction != nil && (len(c.names) == 0 || slices.Contains(c.names, i.Name)):
			all = append(all, c.instruction(f, i)...)
		case c.command != nil && (i.Name == "RUN" || c.commandForm && (i.Name == "CMD" || i.Name == "ENTRYPOINT")):
			found := i.Commands()
			for n := range found {
				all = append(all, c.command(i, &found[n])...)
			}
		}
		if len(all) > maxPlaces {
			break
		}
	}
	return all
}

// Rule is a check as people read it.
type Rule struct {
	ID, Severity, Title, Why, Fix, Bad, Good string
	Aliases                                  []string
}

// Rules lists the checks of Dockerfiles, and then those of image configs.
func Rules() []Rule {
	rules := make([]Rule, 0, len(checks)+len(configChecks))
	for _, c := range checks {
		rules = append(rules, Rule{c.ID, c.Severity, c.Title, c.Why, c.Fix, c.Bad, c.Good, c.Aliases})
	}
	for _, c := range configChecks {
		rules = append(rules, Rule{c.ID, c.Severity, c.Title, c.Why, c.Fix, "", "", c.Aliases})
	}
	return rules
}
