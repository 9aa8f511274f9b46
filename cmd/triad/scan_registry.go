package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/image"
	"github.com/triad-security/triad/build/registry"
	"github.com/triad-security/triad/build/scan"
)

// registryScan is the result of scanning a registry.
type registryScan struct {
	Registry     string          `json:"registry"`
	Repositories int             `json:"repositories"`
	Tags         int             `json:"tags"`
	Images       []registryImage `json:"images"`
	// Read is how many images had to be read; of the others everything was known.
	Read   int            `json:"read"`
	Unread []triad.Unread `json:"unread"`
}

// registryImage is one image of a registry in numbers.
type registryImage struct {
	Reference         string         `json:"reference"`
	Tags              []string       `json:"tags"`
	Digest            string         `json:"digest"`
	OS                string         `json:"os,omitempty"`
	Packages          int            `json:"packages"`
	Vulnerabilities   map[string]int `json:"vulnerabilities"` // by severity
	KEV               int            `json:"kev"`
	Fixable           int            `json:"fixable"`
	Secrets           int            `json:"secrets"`
	Malware           int            `json:"malware"`
	Misconfigurations int            `json:"misconfigurations"`
	Unread            []triad.Unread `json:"unread"`
	cached            bool
}

func newScanRegistryCommand(a *app, s *scanFlags) *cobra.Command {
	var o registry.Options
	var parallel int
	var platform string
	cmd := &cobra.Command{
		Use:   "registry HOST[:PORT] [REPOSITORY…]",
		Short: "Scan every image of a registry that was not scanned yet",
		Long: `Walks the catalogue and the tags of a registry page by page, and scans each image once, however
many tags it has. Images of which everything is known are not pulled again: they are held
against today's advisories. Layers that images share are read once.

A walk that was broken off is taken up where it ended. A registry that asks for fewer
requests is waited for; --rate bounds them from the start. Registries that show no catalogue
(Docker Hub, GitHub, many clouds) need the names of repositories; * stands for any run.`,
		Example: `  triad scan registry registry.example.com
  triad scan registry registry.example.com 'shop/*' --rate 5 --keep
  triad scan registry ghcr.io acme/web acme/api --format json`,
		Args:        cobra.MinimumNArgs(1),
		Annotations: formatsOf("table", "json"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := registry.Dial(args[0], o)
			if err != nil {
				return err
			}
			filters, err := s.filters.read()
			if err != nil {
				return err
			}
			s.many = true
			keep := s.keep || cmd.Flags().Changed("data") || cmd.Flags().Changed("server")
			r := &registryRun{app: a, flags: s, filters: filters, keep: keep, insecure: o.Insecure, platform: platform, result: registryScan{Registry: args[0], Images: []registryImage{}}}
			journal, resumed, err := registry.OpenJournal(filepath.Join(s.cacheDir, "registries"), strings.Join(args, " "))
			if err != nil {
				return err
			}
			if resumed > 0 {
				a.say("taking up a walk that had visited %d tags", resumed)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), s.timeout)
			defer cancel()
			walk := &registry.Walk{Client: client, Repositories: args[1:], Journal: journal, Parallel: parallel, Scan: r.scan, Progress: func(p registry.Progress) {
				if p.Repository != "" {
					a.say("%s: %d repositories, %d tags, %d images, %d failed", p.Repository, p.Repositories, p.Tags, p.Images, p.Failed)
				}
			}}
			sum, err := walk.Run(ctx)
			if e := journal.Close(sum.Done); err == nil {
				err = e
			}
			if err != nil {
				return fmt.Errorf("%w; %d images were scanned, and the same command goes on from there", err, sum.Images)
			}
			return r.finish(sum)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.Insecure, "insecure", false, "speak plain HTTP to the registry")
	f.Float64Var(&o.Rate, "rate", 20, "requests a second at most")
	f.IntVar(&parallel, "parallel", 2, "images scanned at once")
	f.StringVar(&platform, "platform", "", "platform of images for several, such as linux/arm64")
	return cmd
}

// registryRun scans the images of one walk.
type registryRun struct {
	*app
	flags    *scanFlags
	filters  *filters
	keep     bool
	insecure bool
	platform string

	mu     sync.Mutex
	result registryScan
	failed int // at or over --fail-on
}

func (r *registryRun) scan(ctx context.Context, reference, tag, digest string) error {
	known := false
	result, err := r.examine(ctx, r.flags, func(ctx context.Context, s *scan.Scanner) (*scan.Result, error) {
		s.Options.Platform, s.Options.Insecure = r.platform, r.insecure
		if result, err := s.Known(ctx, digest); result != nil || err != nil {
			known = true
			if result != nil {
				result.Artifact.Name, result.Artifact.Refs = reference, nil
			}
			return result, err
		}
		img, err := image.OpenRegistry(ctx, reference, s.Options)
		if err != nil {
			return nil, err
		}
		defer func() { _ = img.Close() }()
		result, err := s.Image(ctx, img)
		if err == nil {
			err = s.Remember(img)
		}
		return result, err
	})
	if err != nil {
		return err
	}
	repository, _, _ := strings.Cut(reference, "@")
	result.Artifact.Refs = append(result.Artifact.Refs, repository+":"+tag)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keep {
		report := result.Report()
		report.Tenant = r.tenant
		if err := r.app.keep(ctx, report); err != nil {
			return err
		}
	}
	if err := r.filters.apply(r.flags, result); err != nil {
		return err
	}
	i := registryImage{
		Reference: reference, Digest: digest, OS: result.Artifact.OS, Packages: len(result.Packages), Vulnerabilities: map[string]int{},
		Secrets: len(result.Secrets), Malware: len(result.Malware), Misconfigurations: len(result.Misconfigurations), Unread: result.Unread, cached: known,
	}
	for _, v := range result.Vulnerabilities {
		i.Vulnerabilities[v.Severity]++
		if v.KEV {
			i.KEV++
		}
		if v.Fixed != "" {
			i.Fixable++
		}
	}
	if !known {
		r.result.Read++
	}
	r.failed += document(result, time.Now()).AtLeast(r.flags.failOn)
	r.result.Images = append(r.result.Images, i)
	return nil
}

func (r *registryRun) finish(sum registry.Summary) error {
	res := &r.result
	res.Repositories, res.Tags, res.Unread = sum.Repositories, sum.Progress.Tags, sum.Unread
	if res.Unread == nil {
		res.Unread = []triad.Unread{}
	}
	for i := range res.Images {
		tags := sum.Tags[res.Images[i].Digest]
		slices.SortFunc(tags, func(a, b string) int { // latest says least
			return cmp.Or(cmp.Compare(strings.Count(a, ":latest"), strings.Count(b, ":latest")), cmp.Compare(a, b))
		})
		res.Images[i].Tags = tags
	}
	urgent := func(i registryImage) int {
		return i.Malware*1_000_000 + i.KEV*10_000 + i.Vulnerabilities["critical"]*100 + i.Vulnerabilities["high"]
	}
	slices.SortFunc(res.Images, func(a, b registryImage) int {
		return cmp.Or(cmp.Compare(urgent(b), urgent(a)), cmp.Compare(a.Reference, b.Reference))
	})
	for _, u := range res.Unread {
		r.say("not read: %s: %s", u.Scope, u.Reason)
	}
	if err := r.app.result(res, func(w io.Writer) error { return res.table(w) }, nil); err != nil {
		return err
	}
	if r.flags.exitCode != 0 && r.failed > 0 {
		return exitStatus(r.flags.exitCode)
	}
	return nil
}

func (s *registryScan) table(w io.Writer) error {
	fmt.Fprintf(w, "%s: %d repositories, %d tags, %d images, %d of them read now\n\n", s.Registry, s.Repositories, s.Tags, len(s.Images), s.Read)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "IMAGE\tOS\tPACKAGES\tEXPLOITED\tCRITICAL\tHIGH\tFIXABLE\tSECRETS\tMALWARE\tNOT READ")
	for _, i := range s.Images {
		name := i.Reference
		if len(i.Tags) > 0 {
			name = i.Tags[0]
			if more := len(i.Tags) - 1; more > 0 {
				name += " (+" + strconv.Itoa(more) + ")"
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", name, cmp.Or(i.OS, "-"), i.Packages, i.KEV,
			i.Vulnerabilities["critical"], i.Vulnerabilities["high"], i.Fixable, i.Secrets, i.Malware, len(i.Unread))
	}
	return t.Flush()
}
