package main

import (
	"slices"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/dockerfile"
	"github.com/triad-security/triad/build/inspect"
	"github.com/triad-security/triad/build/malware"
	"github.com/triad-security/triad/build/secret"
)

// contentFlags say what is looked for beside packages.
type contentFlags struct {
	scanners []string
	malware  malware.Options
	clamdMax int64 // MiB
	code     codeFlags

	mu   sync.Mutex
	made []inspect.Inspector // of an earlier call, where they can be used again
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
	f.StringSliceVar(&c.scanners, "scanners", []string{"vuln", "secret", "malware", "misconfig"}, "what to look for: vuln, secret, malware, misconfig, code; packages are always listed")
	f.StringVar(&c.malware.Clamd, "clamd", "", "look for malware with ClamAV's daemon at unix:///run/clamav/clamd.ctl, tcp://host:3310 or auto; implies --scanners malware")
	f.Int64Var(&c.clamdMax, "clamd-max-file", 100, "MaxFileSize of that daemon in MiB: it does not look at larger files, so they are not read")
	f.StringSliceVar(&c.malware.Hashes, "malware-hashes", nil, "`file` with SHA-256 of known malware, one a line, or MalwareBazaar's CSV (repeatable); implies --scanners malware")
	c.code.add(f)
	return c
}

// wants says whether a class of finding was asked for.
func (c *contentFlags) wants(word string) bool { return slices.Contains(c.scanners, word) }

// inspectors makes those that were asked for.
func (c *contentFlags) inspectors() ([]inspect.Inspector, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made != nil {
		return c.made, nil
	}
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
	if c.wants("malware") || c.malware.Clamd != "" || len(c.malware.Hashes) > 0 {
		c.malware.ClamdMaxFile = c.clamdMax << 20
		engines, err := malware.New(c.malware)
		if err != nil {
			return nil, triad.Errorf(triad.CodeInvalid, "%v", err)
		}
		all = append(all, engines...)
	}
	if c.wants("misconfig") {
		all = append(all, dockerfile.NewInspector())
	}
	if c.malware.Clamd == "" { // what asks an engine remembers how it answered
		c.made = all
	}
	return all, nil
}
