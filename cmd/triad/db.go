package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/advisory"
)

// advisories is the folder of the advisory database.
func (a *app) advisories() string { return filepath.Join(a.data, "advisories") }

func newDBCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "db",
		Short: "Advisories: fetch them, import them, see what is there",
		Long: `The advisory database holds OSV records of every ecosystem, CISA's catalogue of known
exploited vulnerabilities (KEV), EPSS scores and CISA's vulnrichment. docs/advisories.md
says what each is used for.`,
		Example: "  triad db update\n  triad db status",
	}
	cmd.AddCommand(newDBImportCommand(a), newDBUpdateCommand(a), newDBStatusCommand(a))
	return cmd
}

func newDBImportCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "import DIR",
		Short: "Import advisories from a folder in the feeds' own layouts",
		Long: `Import reads osv/<ecosystem>/all.zip (or <ecosystem>/all.zip), kev/*.json, epss/*.csv.gz
and vulnrichment/ below DIR, whichever are there. An ecosystem or feed that DIR brings
replaces what was there of it; the others stay. When anything fails, nothing changes.`,
		Example: "  triad db import /media/advisories",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := advisory.Import(cmd.Context(), a.advisories(), args[0], func(s string) { a.say("%s", s) })
			if err != nil {
				return err
			}
			return a.imported(res)
		},
	}
}

func newDBUpdateCommand(a *app) *cobra.Command {
	var mirror string
	var ecosystems []string
	cmd := &cobra.Command{
		Use:   "update",
		Short: "Fetch the advisories that changed since the last update",
		Long: `Update fetches what changed of the public feeds, or of a mirror with the layout that
"triad db import" reads, and swaps the database at once. When anything fails, the old
advisories stay; what was already fetched is taken up by the next try.

The mirror and the ecosystems can also be set in config.json beside the database:
{"mirror": "https://…", "ecosystems": ["Debian", "Go"]}.`,
		Example: "  triad db update\n  triad db update --mirror https://mirror.example.com/advisories",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := readDBConfig(filepath.Join(a.advisories(), "config.json"))
			if err != nil {
				return err
			}
			opt := advisory.UpdateOptions{
				Mirror:     cmp.Or(mirror, os.Getenv("TRIAD_DB_MIRROR"), config.Mirror),
				Ecosystems: ecosystems,
				Say:        func(s string) { a.say("%s", s) },
				Progress: func(p advisory.Progress) {
					switch {
					case p.Done:
						a.say("fetched %s, %s", p.Name, megabytes(p.Read))
					case p.Total > 0:
						a.say("fetching %s, %s of %s", p.Name, megabytes(p.Read), megabytes(p.Total))
					default:
						a.say("fetching %s, %s", p.Name, megabytes(p.Read))
					}
				},
			}
			if len(opt.Ecosystems) == 0 {
				opt.Ecosystems = config.Ecosystems
			}
			res, err := advisory.Update(cmd.Context(), a.advisories(), opt)
			if err != nil {
				return err
			}
			return a.imported(res)
		},
	}
	cmd.Flags().StringVar(&mirror, "mirror", "", "URL of a mirror to fetch from instead of the public addresses (also TRIAD_DB_MIRROR)")
	cmd.Flags().StringSliceVar(&ecosystems, "ecosystem", nil, "fetch these ecosystems only, such as Debian or npm (default: all that packages are matched in)")
	return cmd
}

// dbConfig is config.json in the database's folder.
type dbConfig struct {
	Mirror     string   `json:"mirror"`
	Ecosystems []string `json:"ecosystems"`
}

func readDBConfig(path string) (c dbConfig, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		return c, triad.Errorf(triad.CodeInvalid, "reading %s: %w", path, err)
	}
	return c, nil
}

// imported prints what an import or update did.
func (a *app) imported(res *advisory.Result) error {
	for _, s := range res.Imported {
		for _, skip := range s.Skipped.First {
			a.say("skipped in %s: %s: %s", s.Name, skip.Name, skip.Reason)
		}
		if more := s.Skipped.Count - len(s.Skipped.First); more > 0 {
			a.say("skipped in %s: %d more", s.Name, more)
		}
	}
	for _, note := range res.Notes {
		a.say("note: %s", note)
	}
	return a.result(res, func(w io.Writer) error {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		if len(res.Imported) > 0 {
			fmt.Fprintln(t, "IMPORTED\tRECORDS\tSKIPPED\tNEWEST")
		}
		for _, s := range res.Imported {
			fmt.Fprintf(t, "%s\t%d\t%d\t%s\n", strings.TrimPrefix(s.Name, "osv/"), s.Records, s.Skipped.Count, newestOf(s))
		}
		if err := t.Flush(); err != nil {
			return err
		}
		if len(res.Kept) > 0 {
			fmt.Fprintf(w, "Kept: %s\n", strings.ReplaceAll(strings.Join(res.Kept, ", "), "osv/", ""))
		}
		_, err := fmt.Fprintf(w, "Revision %s\n", res.Revision)
		return err
	}, nil)
}

func newDBStatusCommand(a *app) *cobra.Command {
	var verify bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "What the advisory database holds, and how old it is",
		Long: `Status lists ecosystems and feeds with the number of their records, and the age of the newest.
The revision is a hash of the content: equal advisories have equal revisions.`,
		Example: "  triad db status\n  triad db status --verify --format json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			db, err := advisory.Open(a.advisories())
			if err != nil {
				return err
			}
			defer db.Close()
			if verify {
				if err := db.Verify(); err != nil {
					return err
				}
				a.say("every segment has its checksum")
			}
			s, err := db.Status()
			if err != nil {
				return err
			}
			return a.result(s, func(w io.Writer) error { return printDBStatus(w, s) }, nil)
		},
	}
	cmd.Flags().BoolVar(&verify, "verify", false, "read the whole database and check it against its checksums")
	return cmd
}

func printDBStatus(w io.Writer, s advisory.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ECOSYSTEM\tRECORDS\tWITHDRAWN\tSKIPPED\tNEWEST\tIMPORTED")
	for _, list := range [][]advisory.Segment{s.Ecosystems, s.Feeds} {
		for _, seg := range list {
			fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\t%s\n", seg.Name, seg.Records, seg.Withdrawn, seg.Skipped.Count, newestOf(seg), seg.Imported.Format("2006-01-02"))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "Revision %s of %s, %s\n", s.Revision, s.Created.Format("2006-01-02 15:04 MST"), megabytes(s.Bytes))
	return err
}

// newestOf is how new a segment's data is: the newest record's date, else the feed's version.
func newestOf(s advisory.Segment) string {
	if s.Newest.IsZero() {
		return cmp.Or(s.Version, "-")
	}
	return s.Newest.Format("2006-01-02")
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
