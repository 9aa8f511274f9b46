package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/advisory"
	"github.com/triad-security/triad/build/image"
	"github.com/triad-security/triad/build/match"
	"github.com/triad-security/triad/build/scan"
	"github.com/triad-security/triad/server/datadir"
)

// scanFlags are what all scan commands share.
type scanFlags struct {
	cacheDir string
	fresh    bool
	timeout  time.Duration
	limits   image.Limits
	failOn   string
	exitCode int
	keep     bool
	packages bool
	content  *contentFlags
	origin   originFlags
	fix      fixFlags
	filters  filterFlags

	// dir is the folder that is scanned, whose ignore files count; empty is the working
	// directory.
	dir    string
	mu     sync.Mutex
	opened *image.Cache

	// fetched says that what is scanned was fetched from elsewhere: its own ignore files do
	// not count.
	fetched bool
	// many says that this is one image of a whole registry: what is the same of each is not said.
	many bool
}

func newScanCommand(a *app) *cobra.Command {
	s := &scanFlags{}
	cmd := &cobra.Command{
		Use:   "scan",
		Short: "List the packages of an image, folder, repository or SBOM and what is wrong with them",
		Long: `Lists packages and the vulnerabilities that the advisories of "triad db" know of them, says
for each package of an image which layer and build step brought it, and names what it could
not read: that is never taken for clean.

What an ignore file (.triadignore, .trivyignore, .grype.yaml) or a VEX document (--vex) sets
aside does not count, and stays in the result with who says so and why.

With --keep, or when --data or --server is given, the result also goes into the estate.`,
		Example: `  triad scan image registry.example.com/shop/web:1.0
  triad scan image --input web.tar --fail-on high --exit-code 2
  triad scan dir . --format cyclonedx --output sbom.json
  triad scan repo . --severity high,critical --ignore-unfixed --format sarif -o triad.sarif`,
		Annotations: formatsOf(scanFormats...),
	}
	f := cmd.PersistentFlags()
	a.examineFlags(f, s)
	s.filters.add(f)
	f.StringVar(&s.failOn, "fail-on", "low", "severity from which --exit-code is returned: low, medium, high, critical, or unknown for any")
	f.IntVar(&s.exitCode, "exit-code", 0, "exit status when there are findings of any kind at or over --fail-on")
	f.BoolVar(&s.keep, "keep", false, "keep the result in the estate")
	f.BoolVar(&s.packages, "packages", false, "list the packages in the table too")
	cmd.AddCommand(newScanImageCommand(a, s), newScanDirCommand(a, s), newScanRepoCommand(a, s), newScanSBOMCommand(a, s), newScanRegistryCommand(a, s))
	return cmd
}

// examineFlags adds the flags of whatever scans: how, and what is looked for.
func (a *app) examineFlags(f *pflag.FlagSet, s *scanFlags) {
	f.StringVar(&s.cacheDir, "cache-dir", defaultCacheDir(), "where results are kept by layer digest; nothing is written elsewhere")
	f.BoolVar(&s.fresh, "fresh", false, "read every layer again and write the cache anew")
	f.DurationVar(&s.timeout, "timeout", 30*time.Minute, "give up after this time")
	f.IntVar(&s.limits.MaxEntries, "max-entries", image.DefaultMaxEntries, "files read of one layer or folder")
	f.Int64Var(&s.limits.MaxLayerBytes, "max-layer-bytes", image.DefaultMaxLayerBytes, "bytes read of one layer, uncompressed")
	f.Int64Var(&s.limits.MaxRatio, "max-ratio", image.DefaultMaxRatio, "compression ratio above which a layer is taken for a bomb")
	s.content = a.contentFlags(f)
}

func defaultCacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "triad")
}

// scan runs a scan, looks its packages up, keeps the result where asked, sets aside what
// people and suppliers say does not count, and prints the rest.
func (a *app) scan(cmd *cobra.Command, s *scanFlags, run func(context.Context, *scan.Scanner) (*scan.Result, error)) error {
	if !slices.Contains(triad.Severities(), s.failOn) {
		return triad.Errorf(triad.CodeInvalid, "--fail-on %s: give one of %s", s.failOn, strings.Join(triad.Severities(), ", "))
	}
	if err := s.checkFix(); err != nil {
		return err
	}
	filters, err := s.filters.read() // before the work: a file that cannot be read ends it
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), s.timeout)
	defer cancel()
	started := time.Now()
	result, err := a.examine(ctx, s, run)
	if err != nil {
		return err
	}
	for _, u := range result.Unread {
		a.say("not read: %s: %s", u.Section, u.Reason)
	}
	if s.keep || cmd.Flags().Changed("data") || cmd.Flags().Changed("server") {
		seen := result.Report() // all of it: exceptions in the estate are the estate's own
		seen.Tenant = a.tenant
		if err := a.keep(ctx, seen); err != nil {
			return err
		}
		for _, note := range seen.Notes {
			a.say("%s: %s", seen.Scope, note)
		}
	}
	if err := filters.apply(s, result); err != nil {
		return err
	}
	for _, note := range filters.notes() {
		a.say("%s", note)
	}
	if s.fix.fix {
		return a.fix(ctx, s, filters, result)
	}
	doc := document(result, started)
	if err := a.writeScan(s, result, doc, filters.baseline); err != nil {
		return err
	}
	if s.exitCode != 0 && doc.AtLeast(s.failOn) > 0 {
		return exitStatus(s.exitCode)
	}
	return nil
}

// examine runs a scan and looks its packages up.
func (a *app) examine(ctx context.Context, s *scanFlags, run func(context.Context, *scan.Scanner) (*scan.Result, error)) (*scan.Result, error) {
	cache, err := s.cache()
	if err != nil {
		return nil, err
	}
	inspectors, err := s.content.inspectors() // made once, however many images are scanned
	if err != nil {
		return nil, err
	}
	// A scan runs on build machines beside other work. Collecting earlier costs some 5 % of
	// the time of reading layers and saves a fifth of its memory; an image of which all is
	// known needs neither.
	sparing := sync.OnceFunc(func() {
		debug.SetGCPercent(30)
		releaseStart()
	})
	scanner := &scan.Scanner{BeforeRead: sparing, Cache: cache, Inspectors: inspectors, Fresh: s.fresh, Options: image.Options{Limits: s.limits}}
	result, err := run(ctx, scanner)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, triad.Errorf(triad.CodeUnavailable, "not done after %s; give more with --timeout", s.timeout)
	}
	if err != nil {
		return nil, err
	}
	if err := a.analyseCode(ctx, s, result); err != nil {
		return nil, err
	}
	if s.content.wants("vuln") {
		if err := a.match(ctx, cache, result); err != nil {
			return nil, err
		}
	}
	if err := a.trace(ctx, s, scanner, result); err != nil {
		return nil, err
	}
	return result, nil
}

// cache opens the scanner's cache, once however many images are scanned: opening tidies it up.
func (s *scanFlags) cache() (*image.Cache, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened != nil {
		return s.opened, nil
	}
	var err error
	s.opened, err = scan.OpenCache(s.cacheDir)
	return s.opened, err
}

// match looks the packages up in the advisories of the data directory. Without any the
// vulnerabilities are unread, not none.
func (a *app) match(ctx context.Context, cache *image.Cache, result *scan.Result) error {
	db, err := advisory.Open(datadir.Dir(a.data).Advisories())
	if errors.Is(err, advisory.ErrNone) {
		result.Unread = append(result.Unread, triad.Unread{Section: "vulnerabilities", Reason: err.Error()})
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	checked := &checker{Matcher: match.New(db), cache: cache}
	if err := result.Match(ctx, checked); err != nil {
		return err
	}
	result.Unread = append(result.Unread, checked.unread...)
	return nil
}
