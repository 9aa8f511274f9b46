package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/triad-security/triad"
)

// collectors lists the collectors, one file each.
var collectors = []func(*app) *cobra.Command{
	newCollectKubernetesCommand,
	newCollectDockerCommand,
	newCollectAWSCommand,
	newCollectHostCommand,
}

func newCollectCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "collect",
		Short: "Read a cluster, a Docker engine, a cloud account or this machine into the estate",
		Long: `Reads one scope and keeps what it saw: assets, relations, findings. Each API call or kind
is a section, complete or unread with the reason; what was not read is never taken for absent.

With --from DIR it reads saved output of the provider's own command line instead. With
--format report it prints the report and keeps nothing.`,
		Example: `  triad collect kubernetes
  triad collect aws --region eu-central-1
  triad collect docker --from dump --server https://triad.example.com --token $TOKEN`,
	}
	for _, c := range collectors {
		cmd.AddCommand(c(a))
	}
	return cmd
}

// collected is what a collect command says on standard output of one report.
type collected struct {
	Scope     string          `json:"scope"`
	Revision  int64           `json:"revision"`
	Assets    int             `json:"assets"`
	Relations int             `json:"relations"`
	Packages  int             `json:"packages"`
	Findings  int             `json:"findings"`
	Sections  []triad.Section `json:"sections"`
	Notes     []string        `json:"notes,omitempty"`
}

// keepCollected keeps reports and prints what they hold. With --format report it prints them
// whole, one a line, and keeps nothing.
func (a *app) keepCollected(ctx context.Context, reports ...*triad.Report) error {
	summaries := make([]collected, 0, len(reports))
	for _, r := range reports {
		r.Tenant = a.tenant
		for _, note := range r.Notes {
			a.say("%s: %s", r.Scope, note)
		}
		for _, s := range r.Sections {
			if s.Status == triad.SectionUnread {
				a.say("%s: %s is unread: %s", r.Scope, s.Name, s.Reason)
			}
		}
		summaries = append(summaries, collected{
			Scope: r.Scope, Revision: r.Revision, Assets: len(r.Assets), Relations: len(r.Relations),
			Packages: len(r.Packages), Findings: len(r.Findings), Sections: r.Sections, Notes: r.Notes,
		})
	}
	if a.format != "report" {
		if err := a.keep(ctx, reports...); err != nil {
			return err
		}
	}
	return a.result(summaries, func(w io.Writer) error {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "SCOPE\tASSETS\tRELATIONS\tFINDINGS\tSECTIONS\tUNREAD")
		for _, s := range summaries {
			unread := len(slices.DeleteFunc(slices.Clone(s.Sections), func(s triad.Section) bool { return s.Status != triad.SectionUnread }))
			fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\n", s.Scope, s.Assets, s.Relations, s.Findings, len(s.Sections), unread)
		}
		return table.Flush()
	}, map[string]func(io.Writer) error{"report": func(w io.Writer) error {
		enc := json.NewEncoder(w)
		for _, r := range reports {
			if err := enc.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}})
}
