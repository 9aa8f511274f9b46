package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/policy"
)

// policyFlags say which guardrails are in force.
type policyFlags struct {
	paths      []string
	noDefaults bool
}

func (p *policyFlags) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&p.paths, "policy", nil, "file or folder of guardrails and exceptions (repeatable); one takes the place of a guardrail of the same name before it")
	f.BoolVar(&p.noDefaults, "no-default-policy", false, "leave out the guardrails that come with Triad")
}

// policies loads the guardrails in force: those built in, those of the data directory, those
// named by flags.
func (a *app) policies(p *policyFlags) (*policy.Set, error) {
	set := &policy.Set{}
	var err error
	if !p.noDefaults {
		if set, err = policy.Defaults(); err != nil {
			return nil, err
		}
	}
	own := filepath.Join(a.data, "policy")
	if _, err := os.Stat(own); err == nil {
		if err := set.Load(own); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading guardrails: %w", err)
	}
	if err := set.Load(p.paths...); err != nil {
		return nil, err
	}
	for _, x := range set.Unmatched {
		a.say("%s: exception %s is from guardrail %s, which is none of those in force", x.Source, x.ID, x.Guardrail)
	}
	if len(set.Guardrails) == 0 {
		return nil, triad.Errorf(triad.CodeInvalid, "no guardrail is in force: name some with --policy")
	}
	return set, nil
}

func newPolicyCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "List and test the guardrails",
		Long: `Guardrails are rules in CEL, in YAML files, with an owner, a mode and a severity: one language
for what is built, deployed and run. docs/policy.md has the language and its variables.`,
		Example: "  triad policy list\n  triad policy test guardrails",
	}
	cmd.AddCommand(newPolicyListCommand(a), newPolicyTestCommand(a))
	return cmd
}

// listedGuardrail is one of triad policy list.
type listedGuardrail struct {
	Name        string       `json:"name"`
	Description string       `json:"description"`
	Owner       string       `json:"owner"`
	Enabled     bool         `json:"enabled"`
	Mode        policy.Mode  `json:"mode"`
	Severity    string       `json:"severity"`
	OnUnknown   string       `json:"on_unknown"`
	Phases      []string     `json:"phases"`
	Reads       []string     `json:"reads"`
	Rules       []listedRule `json:"rules"`
	Source      string       `json:"source"`
}

type listedRule struct {
	Name   string `json:"name"`
	For    string `json:"for,omitempty"`
	Refuse string `json:"refuse"`
}

func newPolicyListCommand(a *app) *cobra.Command {
	var p policyFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "The guardrails in force, and where each comes from",
		Long: `Lists the guardrails that triad gate asks: those that come with Triad, those of the data
directory's policy folder, and those given by --policy. Reads are the sections of a scan that a
guardrail stands on: when one of them is unread, it is unknown.`,
		Example: "  triad policy list\n  triad policy list --policy guardrails --format json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			set, err := a.policies(&p)
			if err != nil {
				return err
			}
			all := listGuardrails(set)
			return a.result(all, func(w io.Writer) error { return printGuardrails(w, all) }, nil)
		},
	}
	p.flags(cmd.Flags())
	return cmd
}

func listGuardrails(set *policy.Set) []listedGuardrail {
	all := []listedGuardrail{}
	for _, g := range set.Guardrails {
		l := listedGuardrail{
			Name: g.Name, Description: g.Description, Owner: g.Owner, Enabled: g.IsEnabled(), Mode: g.Mode, Severity: g.Severity,
			OnUnknown: g.OnUnknown, Phases: []string{}, Reads: g.Reads(), Rules: []listedRule{}, Source: g.Source,
		}
		for _, p := range g.Applies.Phases {
			l.Phases = append(l.Phases, string(p))
		}
		for _, r := range g.Rules {
			l.Rules = append(l.Rules, listedRule{r.Name, r.For, strings.TrimSpace(r.Refuse.Text)})
		}
		all = append(all, l)
	}
	return all
}

func printGuardrails(w io.Writer, all []listedGuardrail) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "GUARDRAIL\tMODE\tSEVERITY\tUNKNOWN\tPHASES\tREADS\tOWNER\tSOURCE\tDESCRIPTION")
	for _, g := range all {
		mode := string(g.Mode)
		if !g.Enabled {
			mode = "off"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", g.Name, mode, g.Severity, g.OnUnknown, orAll(g.Phases), strings.Join(g.Reads, ","),
			oneLine(g.Owner), oneLine(g.Source), cut(oneLine(g.Description), 80))
	}
	return table.Flush()
}

func orAll(words []string) string {
	if len(words) == 0 {
		return "all"
	}
	return strings.Join(words, ",")
}
