package main

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/inspect"
	"github.com/triad-security/triad/build/secret"
)

// contentFlags say what is looked for beside packages.
type contentFlags struct {
	scanners []string
}

// scanners are the classes of finding by the words that people give, and their sections.
var scanners = []struct{ word, section string }{
	{"vuln", "vulnerabilities"},
	{"secret", inspect.SectionSecrets},
	{"malware", inspect.SectionMalware},
	{"misconfig", inspect.SectionMisconfigurations},
	{"code", inspect.SectionCode},
}

// contentFlags adds the flags of content scanning.
func (a *app) contentFlags(f *pflag.FlagSet) *contentFlags {
	c := &contentFlags{}
	f.StringSliceVar(&c.scanners, "scanners", []string{"vuln", "secret"}, "what to look for: vuln, secret, malware, misconfig, code; packages are always listed")
	return c
}

// wants says whether a class of finding was asked for.
func (c *contentFlags) wants(word string) bool { return slices.Contains(c.scanners, word) }

// inspectors makes those that were asked for.
func (c *contentFlags) inspectors() ([]inspect.Inspector, error) {
	var words []string
	for _, s := range scanners {
		words = append(words, s.word)
	}
	for _, word := range c.scanners {
		if !slices.Contains(words, word) {
			return nil, triad.Errorf(triad.CodeInvalid, "--scanners %s: give some of %s", word, strings.Join(words, ", "))
		}
	}
	var all []inspect.Inspector
	if c.wants("secret") {
		all = append(all, secret.New())
	}
	return all, nil
}
