package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/risk/path"
)

func newExplainCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "explain ID",
		Short: "The proof of one decision, hop by hop, and what would change it",
		Long: `Prints one decision of triad risks: the way from the internet to the vulnerable process, or to
the hop that stops it, with the evidence of each hop; every input with its reason and what
would change it; what fixes it; and how the decision came to be what it is.`,
		Example: "  triad risks --limit 5\n  triad explain 5e2f0c0d9a1b7c34",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.explain(cmd.Context(), args[0]) },
	}
}

func (a *app) explain(ctx context.Context, id string) error {
	reader, err := a.estate(ctx)
	if err != nil {
		return err
	}
	defer reader.Close()
	d, err := reader.Decision(ctx, id)
	if err != nil {
		return fmt.Errorf("decision %s (triad risks lists them): %w", id, err)
	}
	history, err := reader.History(ctx, id)
	if err != nil {
		return err
	}
	return a.result(list(d), func(w io.Writer) error { return printDecision(w, &d, history) }, nil)
}

func printDecision(w io.Writer, d *triad.Decision, history []triad.Change) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s  %s on %s %s\n", strings.ToUpper(string(d.Outcome)), d.Finding.ID, d.Asset.Kind, d.Asset.Name)
	if d.Title != "" {
		fmt.Fprintln(&b, cut(oneLine(d.Title), 200))
	}
	fmt.Fprintf(&b, "\n%s\n\nWAY\n", oneLine(d.Sentence))
	var proof bytes.Buffer
	if err := path.Draw(&proof, d); err != nil {
		return err
	}
	for line := range strings.Lines(proof.String()) {
		fmt.Fprintln(&b, "  "+oneLine(strings.TrimSuffix(line, "\n")))
	}
	fmt.Fprintln(&b, "\nINPUTS")
	for _, in := range d.Inputs {
		fmt.Fprintf(&b, "  %-13s %s: %s\n", in.Name, in.Value, oneLine(in.Reason))
		if in.Change != "" {
			fmt.Fprintf(&b, "  %-13s   would change with: %s\n", "", oneLine(in.Change))
		}
	}
	printPackages(&b, d)
	if d.Fix != nil {
		fmt.Fprintf(&b, "\nFIX\n  %s\n", oneLine(d.Fix.Detail))
	}
	if len(d.Unread) > 0 {
		fmt.Fprintln(&b, "\nNOT READ")
		for _, u := range d.Unread {
			fmt.Fprintf(&b, "  %s\n", oneLine(strings.TrimSpace(u.Scope+" "+u.Section+": "+u.Reason)))
		}
	}
	printHistory(&b, history)
	_, err := w.Write(b.Bytes())
	return err
}

func printPackages(b *bytes.Buffer, d *triad.Decision) {
	if len(d.Packages) == 0 {
		return
	}
	fmt.Fprintln(b, "\nPACKAGES")
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, p := range d.Packages {
		fixed := p.Fixed
		if fixed == "" {
			fixed = "no fix known"
		}
		fmt.Fprintf(table, "  %s\t%s\t→ %s\t%s\t%s\n", oneLine(p.Package), oneLine(p.Version), oneLine(fixed), oneLine(p.Path), oneLine(p.Asset))
	}
	table.Flush()
	seen := map[string]bool{}
	for _, p := range d.Packages {
		if p.Rule != "" && !seen[p.Rule] {
			seen[p.Rule] = true
			fmt.Fprintf(b, "    by %s\n", oneLine(p.Rule))
		}
	}
}

// printHistory prints the changes of the outcome and of what it stands on, with their causes.
func printHistory(b *bytes.Buffer, history []triad.Change) {
	if len(history) == 0 {
		return
	}
	fmt.Fprintln(b, "\nHISTORY")
	for _, c := range history {
		fmt.Fprintf(b, "  %s  %s\n    because of %s\n", c.At.UTC().Format(time.RFC3339), turn(c), oneLine(c.Cause))
	}
}

// turn says what a change of a decision changed.
func turn(c triad.Change) string {
	var before, after triad.Decision
	// The log holds what the store wrote; what does not decode is shown as unchanged.
	_ = json.Unmarshal(c.Before, &before)
	_ = json.Unmarshal(c.After, &after)
	switch {
	case c.Before == nil:
		return fmt.Sprintf("%s (exposure %s, impact %s)", after.Outcome, after.Exposure, after.Impact)
	case c.After == nil:
		return fmt.Sprintf("%s → gone", before.Outcome)
	}
	var parts []string
	for _, x := range [][3]string{
		{"", string(before.Outcome), string(after.Outcome)},
		{"exposure ", string(before.Exposure), string(after.Exposure)},
		{"exploitation ", before.Exploitation, after.Exploitation},
		{"impact ", before.Impact, after.Impact},
		{"automatable ", before.Automatable, after.Automatable},
	} {
		if x[1] != x[2] {
			parts = append(parts, x[0]+x[1]+" → "+x[2])
		}
	}
	if len(parts) == 0 {
		return string(after.Outcome) + " still, for other reasons"
	}
	return strings.Join(parts, ", ")
}
