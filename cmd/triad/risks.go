package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/triad-security/triad"
)

type risksOptions struct {
	decisions, exposures []string
	kind, asset, search  string
	limit                int
}

func newRisksCommand(a *app) *cobra.Command {
	var o risksOptions
	cmd := &cobra.Command{
		Use:   "risks",
		Short: "What to fix first: every finding decided by whether it can be exploited",
		Long: `Lists the decisions on every vulnerability and misconfiguration of what runs, most urgent
first: immediate, out-of-cycle, scheduled, defer (CERT/CC's SSVC deployer table); inside one
outcome by EPSS, use at runtime and CVSS. triad explain ID proves one.`,
		Example: `  triad risks
  triad risks --decision immediate,out-of-cycle --limit 20
  triad risks --exposure open --kind vulnerability --format json
  triad risks --search CVE-2021-44228`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.risks(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.decisions, "decision", nil, "only these outcomes: immediate, out-of-cycle, scheduled, defer")
	f.StringSliceVar(&o.exposures, "exposure", nil, "only these exposures: open, controlled, small, unknown")
	f.StringVar(&o.kind, "kind", "", "only findings of this kind: vulnerability, misconfiguration, secret, malware, code …")
	f.StringVar(&o.asset, "asset", "", "only this asset: its name or ID")
	f.StringVar(&o.search, "search", "", "only findings or assets whose name holds this text")
	f.IntVar(&o.limit, "limit", 0, "at most this many; 0 is all")
	return cmd
}

func (a *app) risks(ctx context.Context, o risksOptions) error {
	filter, err := o.filter()
	if err != nil {
		return err
	}
	reader, err := a.estate(ctx)
	if err != nil {
		return err
	}
	defer reader.Close()
	list, err := reader.Risks(ctx, filter)
	if err != nil {
		return err
	}
	if err := a.sayUnread(ctx, reader); err != nil {
		return err
	}
	if o.asset != "" {
		list = slices.DeleteFunc(list, func(d triad.Decision) bool { return d.Asset.Name != o.asset && d.Asset.ID != o.asset })
		if o.limit > 0 {
			list = list[:min(o.limit, len(list))]
		}
	}
	if len(list) == 0 && o.everything() {
		a.say("nothing is decided yet: triad collect reads what runs, triad scan what it holds, triad db the advisories")
	}
	return a.result(listAll(list), func(w io.Writer) error { return printRisks(w, list) }, nil)
}

// everything says whether no filter was given.
func (o risksOptions) everything() bool {
	return len(o.decisions)+len(o.exposures) == 0 && o.kind+o.asset+o.search == ""
}

func (o risksOptions) filter() (f triad.DecisionFilter, err error) {
	for _, d := range o.decisions {
		switch x := triad.Outcome(d); x {
		case triad.Immediate, triad.OutOfCycle, triad.Scheduled, triad.Defer:
			f.Outcomes = append(f.Outcomes, x)
		default:
			return f, triad.Errorf(triad.CodeInvalid, "--decision %s is none of immediate, out-of-cycle, scheduled, defer", d)
		}
	}
	for _, e := range o.exposures {
		switch x := triad.Exposure(e); x {
		case triad.ExposureOpen, triad.ExposureControlled, triad.ExposureSmall, triad.ExposureUnknown:
			f.Exposure = append(f.Exposure, x)
		default:
			return f, triad.Errorf(triad.CodeInvalid, "--exposure %s is none of open, controlled, small, unknown", e)
		}
	}
	if o.limit < 0 {
		return f, triad.Errorf(triad.CodeInvalid, "--limit %d is negative", o.limit)
	}
	f.Kind, f.Text = triad.FindingKind(o.kind), o.search
	if o.asset == "" { // the name of an asset is compared here, after the store's filter
		f.Limit = o.limit
	}
	return f, nil
}

func printRisks(w io.Writer, list []triad.Decision) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "no decisions: nothing that runs is known to have a finding that passes the filter")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "#\tDECISION\tFINDING\tASSET\tEXPOSURE\tIMPACT\tID\tWHY")
	for i, d := range list {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s %s\t%s\t%s\t%s\t%s\n", i+1, d.Outcome, d.Finding.ID, d.Asset.Kind, d.Asset.Name,
			d.Exposure, d.Impact, d.ID, cut(oneLine(d.Sentence), 160))
	}
	return table.Flush()
}

// oneLine keeps a provider's text from drawing on the terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
