package main

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/policy"
)

// tested is the result of triad policy test.
type tested struct {
	Passed   int               `json:"passed"`
	Failed   int               `json:"failed"`
	Tests    []policy.Outcome  `json:"tests"`
	Coverage []policy.Coverage `json:"coverage"`
}

func newPolicyTestCommand(a *app) *cobra.Command {
	var defaults bool
	cmd := &cobra.Command{
		Use:   "test DIR...",
		Short: "Run the tests that lie beside guardrails",
		Long: `Runs every document of kind test below DIR against the guardrails and exceptions below DIR,
and says which rules the tests saw refuse and let pass. A test has a subject, written in place
or as a file that "triad scan --format json" wrote, and the verdict it expects of each guardrail.
The status is 1 when a test fails, or there is none.`,
		Example: "  triad policy test guardrails\n  triad policy test guardrails --with-defaults",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, dirs []string) error {
			set := &policy.Set{}
			if defaults {
				var err error
				if set, err = policy.Defaults(); err != nil {
					return err
				}
			}
			if err := set.Load(dirs...); err != nil {
				return err
			}
			if len(set.Tests) == 0 {
				return triad.Errorf(triad.CodeInvalid, "no document of kind test is there: see docs/policy.md for one")
			}
			outcomes, coverage, err := set.Run(cmd.Context(), readSubject)
			if err != nil {
				return err
			}
			out := &tested{Tests: outcomes, Coverage: coverage}
			for _, o := range outcomes {
				if o.Passed {
					out.Passed++
				} else {
					out.Failed++
				}
			}
			if err := a.result(out, func(w io.Writer) error { return printTested(w, out) }, nil); err != nil {
				return err
			}
			if out.Failed > 0 {
				return fmt.Errorf("%d of %d tests failed", out.Failed, len(outcomes))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&defaults, "with-defaults", false, "test the guardrails that come with Triad too")
	return cmd
}

// readSubject reads a scan as JSON for a test.
func readSubject(path string) (*policy.Subject, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxScanJSON+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxScanJSON {
		return nil, triad.Errorf(triad.CodeInvalid, "%s is larger than %d MiB", path, maxScanJSON>>20)
	}
	r, err := readScan(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return scanSubject(r), nil
}

func printTested(w io.Writer, out *tested) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "RESULT\tTEST\tSOURCE")
	for _, o := range out.Tests {
		word := "pass"
		if !o.Passed {
			word = "FAIL"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", word, oneLine(o.Test), oneLine(o.Source))
		for _, f := range o.Failures {
			fmt.Fprintf(table, "\t  %s\t\n", oneLine(f))
		}
	}
	covered := 0
	fmt.Fprintln(table, "\t\t\nRULE\tREFUSED\tALLOWED\tUNKNOWN")
	for _, c := range out.Coverage {
		if c.Covered() {
			covered++
		}
		fmt.Fprintf(table, "%s/%s\t%d\t%d\t%d\n", c.Guardrail, c.Rule, c.Refused, c.Allowed, c.Unknown)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d passed, %d failed; %d of %d rules were seen to refuse and to let pass\n", out.Passed, out.Failed, covered, len(out.Coverage))
	return err
}
