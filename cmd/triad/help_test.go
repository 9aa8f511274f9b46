package main

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Whoever asks any command for help finds what it is for and how to call it.
func TestEveryCommandExplainsItself(t *testing.T) {
	root := newRootCommand(&app{stdout: io.Discard, stderr: io.Discard})
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		path := c.CommandPath()
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: the short help %q is not a title", path, c.Short)
		}
		if c.Long == "" {
			t.Errorf("%s has no long help", path)
		}
		if !strings.Contains(c.Example, "triad ") {
			t.Errorf("%s has no example", path)
		}
		if c.Parent() == root && c.GroupID == "" {
			t.Errorf("%s is in no group of the help", path)
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s has no help", path, f.Name)
			}
		})
		// An example that the command line does not take is worse than none.
		for line := range strings.Lines(c.Example) {
			if args, ok := strings.CutPrefix(strings.TrimSpace(line), "triad "); ok {
				words := strings.Fields(args)
				found, rest, err := root.Find(words)
				if err != nil || found == root {
					t.Errorf("%s: example %q calls no command", path, line)
					continue
				}
				for _, w := range rest {
					name, isLong := strings.CutPrefix(w, "--")
					if isLong && found.Flag(name) == nil && found.InheritedFlags().Lookup(name) == nil {
						t.Errorf("%s: example %q has the unknown flag --%s", path, strings.TrimSpace(line), name)
					}
				}
			}
		}
	}
	walk(root)
}
