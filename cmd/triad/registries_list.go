package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/triad-security/triad/build/dockerfile"
	"github.com/triad-security/triad/policy/registry"
	"github.com/triad-security/triad/report"
	"github.com/triad-security/triad/server/api"
)

// registryInUse is a repository in use, and what the registry standard says of it.
type registryInUse struct {
	api.RepositoryInUse
	Files    []string `json:"files,omitempty"` // that name it
	Listed   bool     `json:"listed"`
	Official bool     `json:"official"`
	Owner    string   `json:"owner,omitempty"`
	Access   string   `json:"access,omitempty"`
	Agreed   string   `json:"agreed,omitempty"`
	// Refused says why nothing may run from it; empty when it may, or no standard is given.
	Refused string `json:"refused,omitempty"`
}

func newRegistriesCommand(a *app) *cobra.Command {
	var standardFile string
	cmd := &cobra.Command{
		Use:   "registries [PATH…]",
		Short: "The registries in use, and what the registry standard says of each",
		Long: `Lists the repositories that containers and functions of the estate run from, those that cloud
accounts hold (ECR), and those that Dockerfiles, Compose files and manifests below PATH name, beside the
registry standard: registry.yaml of the data directory, or --standard. docs/registry.md has
its format.`,
		Example: `  triad registries
  triad registries . --standard registry.yaml --format json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			standard, err := a.registryStandard(standardFile)
			if err != nil {
				return err
			}
			list, err := a.registriesInUse(cmd.Context(), args)
			if err != nil {
				return err
			}
			for i := range list {
				if err := list[i].judge(standard, time.Now()); err != nil {
					return err
				}
			}
			if standard == nil {
				a.say("there is no registry standard: name the official registries in %s", filepath.Join(a.data, "registry.yaml"))
			}
			return a.result(list, func(w io.Writer) error { return registryTable(w, list, standard != nil) }, nil)
		},
	}
	cmd.Flags().StringVar(&standardFile, "standard", "", "registry standard to hold them against; default registry.yaml of the data directory")
	return cmd
}

// registriesInUse joins those of the estate with those that files name.
func (a *app) registriesInUse(ctx context.Context, paths []string) (list []registryInUse, err error) {
	e, err := a.estate(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	running, err := e.Registries(ctx)
	if err != nil {
		return nil, err
	}
	list = []registryInUse{}
	index := map[string]int{}
	for _, r := range running {
		index[r.Repository] = len(list)
		list = append(list, registryInUse{RepositoryInUse: r})
	}
	for _, path := range paths {
		err := imagesNamed(ctx, path, a.say, func(file, reference string) {
			repository, err := registry.Repository(reference)
			if err != nil {
				return
			}
			i, ok := index[repository]
			if !ok {
				i = len(list)
				index[repository] = i
				list = append(list, registryInUse{RepositoryInUse: api.RepositoryInUse{Repository: repository, UsedBy: []string{}}})
			}
			if !slices.Contains(list[i].Files, file) {
				list[i].Files = append(list[i].Files, file)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, func(x, y registryInUse) int { return strings.Compare(x.Repository, y.Repository) })
	return list, nil
}

// imageLine is a line of YAML that names an image: a manifest's, a Compose file's, a chart's.
var imageLine = regexp.MustCompile(`^\s*(?:-\s+)?"?image"?:\s*["']?([A-Za-z0-9][A-Za-z0-9._:/@-]*)["']?\s*(?:#.*)?$`)

const maxManifest = 16 << 20

// imagesNamed finds the images that Dockerfiles and YAML files name. What a template leaves
// open is not guessed.
func imagesNamed(ctx context.Context, path string, say func(string, ...any), fn func(file, reference string)) error {
	return filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && file == path:
			return err
		case err != nil:
			say("not read: %v", err)
			return nil
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "node_modules"):
			return filepath.SkipDir
		}
		ext := strings.ToLower(filepath.Ext(file))
		isDockerfile := dockerfile.Is(filepath.ToSlash(file))
		if !d.Type().IsRegular() || !isDockerfile && ext != ".yaml" && ext != ".yml" {
			return nil
		}
		if info, err := d.Info(); err != nil || info.Size() > maxManifest {
			say("not read: %s: larger than %d bytes", file, maxManifest)
			return nil
		}
		data, err := os.ReadFile(file)
		if err != nil {
			say("not read: %v", err)
			return nil
		}
		if isDockerfile {
			parsed, err := dockerfile.Parse(file, data)
			if err != nil {
				say("not read: %v", err)
				return nil
			}
			for _, stage := range parsed.Stages {
				if stage.Parent == nil && stage.Whole && stage.Resolved != "scratch" {
					fn(file, stage.Resolved)
				}
			}
			return nil
		}
		for line := range strings.Lines(string(data)) {
			if m := imageLine.FindStringSubmatch(strings.TrimRight(line, "\r\n")); m != nil {
				fn(file, m[1])
			}
		}
		return nil
	})
}

// judge holds a repository against the standard.
func (r *registryInUse) judge(standard *registry.Standard, now time.Time) error {
	if standard == nil {
		return nil
	}
	e, listed, err := standard.Of(r.Repository)
	if err != nil {
		return fmt.Errorf("%s: %w", r.Repository, err)
	}
	r.Listed = listed
	if !listed {
		r.Refused = "the registry standard does not have it"
		return nil
	}
	r.Official, r.Owner, r.Access, r.Refused = e.Official, e.Owner, string(e.Access), e.Refuses(now)
	if !e.Agreed.IsZero() {
		r.Agreed = e.Agreed.Format(time.DateOnly)
	}
	return nil
}

func registryTable(w io.Writer, list []registryInUse, standard bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := "REPOSITORY\tIMAGES\tUSES\tFILES\tUSED BY"
	if standard {
		head += "\tOWNER\tSTATE"
	}
	fmt.Fprintln(t, head)
	for _, r := range list {
		users := strings.Join(r.UsedBy, ", ")
		if more := r.Uses - len(r.UsedBy); more > 0 {
			users += fmt.Sprintf(" and %d more", more)
		}
		if r.Held && r.Uses == 0 {
			users = "(held by an account)"
		}
		if len(r.Files) > 0 && users == "" {
			users = r.Files[0]
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s", r.Repository, r.Images, r.Uses, len(r.Files), report.Printable(users))
		if standard {
			fmt.Fprintf(t, "\t%s\t%s", cmp.Or(r.Owner, "-"), cmp.Or(r.Refused, "official, "+r.Access))
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}
