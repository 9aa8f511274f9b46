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
	"github.com/triad-security/triad/build/trust"
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
	cmd.AddCommand(newDBImportCommand(a), newDBUpdateCommand(a), newDBStatusCommand(a), newDBSignCommand(a))
	return cmd
}

func newDBImportCommand(a *app) *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "import DIR",
		Short: "Import advisories from a folder in the feeds' own layouts",
		Long: `Import reads osv/<ecosystem>/all.zip (or <ecosystem>/all.zip), kev/*.json, epss/*.csv.gz
and vulnrichment/ below DIR, whichever are there. An ecosystem or feed that DIR brings
replaces what was there of it; the others stay. When anything fails, nothing changes.

With --key, or where DIR has a SHA256SUMS, every file is held against that first.`,
		Example: "  triad db import /media/advisories\n  triad db import /media/advisories --key advisories.pub",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			verify, err := mirrorKey(key)
			if err != nil {
				return err
			}
			_, missing := os.Stat(filepath.Join(args[0], advisory.SumsName))
			if verify != nil || missing == nil {
				if err := advisory.VerifyDir(args[0], verify); err != nil {
					return err
				}
			}
			res, err := advisory.Import(cmd.Context(), a.advisories(), args[0], func(s string) { a.say("%s", s) })
			if err != nil {
				return err
			}
			return a.imported(res)
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "public key that SHA256SUMS must be signed with")
	return cmd
}

// mirrorKey reads the key that vouches for advisories; nil where none is named.
func mirrorKey(path string) (advisory.Verify, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the key of the advisories: %w", err)
	}
	keys, err := trust.ReadPublicKeys(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return func(message, signature []byte) error {
		var failed error
		for _, key := range keys { // several while one replaces another
			if failed = key.VerifyBlob(message, signature); failed == nil {
				return nil
			}
		}
		return failed
	}, nil
}

func newDBSignCommand(a *app) *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "sign DIR",
		Short: "Vouch for a folder of advisories: write SHA256SUMS and its signature",
		Long: `Sign writes DIR/SHA256SUMS, and with --key SHA256SUMS.sig, so that "triad db update --mirror"
and "triad db import" can tell that nobody changed the files of the mirror. The signature is
what "cosign sign-blob --key" makes.`,
		Example: "  triad trust keygen advisories\n  triad db sign /srv/mirror --key advisories.key\n  triad db update --mirror https://mirror.example.com --key advisories.pub",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var sign func([]byte) ([]byte, error)
			if key != "" {
				data, err := os.ReadFile(key)
				if err != nil {
					return fmt.Errorf("reading the key: %w", err)
				}
				private, err := trust.ReadKey(data, keyPassword)
				if err != nil {
					return fmt.Errorf("%s: %w", key, err)
				}
				sign = private.SignBlob
			}
			n, err := advisory.WriteSums(args[0], sign)
			if err != nil {
				return err
			}
			return a.result(map[string]int{"files": n}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%d files vouched for in %s\n", n, filepath.Join(args[0], advisory.SumsName))
				return err
			}, nil)
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "private key to sign with (\"triad trust keygen\" makes one)")
	return cmd
}

func newDBUpdateCommand(a *app) *cobra.Command {
	var mirrors []string
	var key string
	var ecosystems []string
	cmd := &cobra.Command{
		Use:   "update",
		Short: "Fetch the advisories that changed since the last update",
		Long: `Update fetches what changed of the public feeds, or of a mirror with the layout that
"triad db import" reads, and swaps the database at once. When anything fails, the old
advisories stay; what was already fetched is taken up by the next try.

Of several mirrors the first that serves is used. A mirror's files are held against its
SHA256SUMS where it has one; with --key it must have one that is signed ("triad db sign").

Mirrors, key and ecosystems can also be set in config.json beside the database:
{"mirrors": ["https://…"], "key": "/etc/triad/advisories.pub", "ecosystems": ["Debian", "Go"]}.`,
		Example: "  triad db update\n  triad db update --mirror https://mirror.example.com/advisories --key advisories.pub",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := readDBConfig(filepath.Join(a.advisories(), "config.json"))
			if err != nil {
				return err
			}
			if env := os.Getenv("TRIAD_DB_MIRROR"); len(mirrors) == 0 && env != "" {
				mirrors = strings.Split(env, ",")
			}
			if len(mirrors) == 0 {
				mirrors = config.mirrors()
			}
			verify, err := mirrorKey(cmp.Or(key, config.Key))
			if err != nil {
				return err
			}
			opt := advisory.UpdateOptions{
				Mirrors: mirrors, Verify: verify, Ecosystems: ecosystems,
				Say: func(s string) { a.say("%s", s) },
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
	cmd.Flags().StringSliceVar(&mirrors, "mirror", nil, "URL of a mirror to fetch from instead of the public addresses; several are tried in order (also TRIAD_DB_MIRROR)")
	cmd.Flags().StringVar(&key, "key", "", "public key that the mirror's SHA256SUMS must be signed with")
	cmd.Flags().StringSliceVar(&ecosystems, "ecosystem", nil, "fetch these ecosystems only, such as Debian or npm (default: all that packages are matched in)")
	return cmd
}

// dbConfig is config.json in the database's folder.
type dbConfig struct {
	Mirror     string   `json:"mirror"` // one; mirrors for several
	Mirrors    []string `json:"mirrors"`
	Key        string   `json:"key"`
	Ecosystems []string `json:"ecosystems"`
}

func (c dbConfig) mirrors() []string {
	if c.Mirror != "" {
		return append([]string{c.Mirror}, c.Mirrors...)
	}
	return c.Mirrors
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
