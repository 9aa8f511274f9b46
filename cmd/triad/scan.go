package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/advisory"
	"github.com/triad-security/triad/build/image"
	"github.com/triad-security/triad/build/match"
	"github.com/triad-security/triad/build/sbom"
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
}

func newScanCommand(a *app) *cobra.Command {
	s := &scanFlags{}
	cmd := &cobra.Command{
		Use:   "scan",
		Short: "List the packages of an image, folder or SBOM and their known vulnerabilities",
		Long: `Lists packages and the vulnerabilities that the advisories of "triad db" know of them, says
for each package of an image which layer and build step brought it, and names what it could
not read: that is never taken for clean.

With --keep, or when --data or --server is given, the result also goes into the estate.`,
		Example: `  triad scan image registry.example.com/shop/web:1.0
  triad scan image --input web.tar --fail-on high --exit-code 2
  triad scan dir . --format cyclonedx --output sbom.json`,
	}
	f := cmd.PersistentFlags()
	a.examineFlags(f, s)
	f.StringVar(&s.failOn, "fail-on", "low", "severity from which --exit-code is returned: low, medium, high, critical, or unknown for any")
	f.IntVar(&s.exitCode, "exit-code", 0, "exit status when there are vulnerabilities at or over --fail-on")
	f.BoolVar(&s.keep, "keep", false, "keep the result in the estate")
	f.BoolVar(&s.packages, "packages", false, "list the packages in the table too")
	cmd.AddCommand(newScanImageCommand(a, s), newScanDirCommand(a, s), newScanSBOMCommand(a, s))
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

func newScanImageCommand(a *app, s *scanFlags) *cobra.Command {
	var input string
	var daemon bool
	var o image.Options
	cmd := &cobra.Command{
		Use:   "image [REFERENCE]",
		Short: "Scan a container image",
		Long: `Scans an image from
  a docker save archive       triad scan image --input IMAGE.tar   (- is standard input)
  an OCI layout               triad scan image --input DIR, or oci:DIR, or its tar
  a registry                  triad scan image registry.example.com/shop/edge:2.1.0
  a Docker engine             triad scan image docker:shop/edge:2.1.0, or --daemon

An archive of several images needs the REFERENCE of one. Registries are asked with the
credentials of "docker login"; DOCKER_HOST names another engine.`,
		Example: `  triad scan image registry.example.com/shop/web:1.0 --platform linux/arm64
  docker save shop/web:1.0 | triad scan image --input - --format json
  triad scan image oci:build/web --fail-on critical --exit-code 2`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref := ""
			if len(args) == 1 {
				ref = args[0]
			}
			if dir, ok := strings.CutPrefix(ref, "oci:"); ok {
				input, ref = dir, ""
			}
			if r, ok := strings.CutPrefix(ref, "docker:"); ok {
				daemon, ref = true, r
			}
			if ref == "" && input == "" {
				return triad.Errorf(triad.CodeInvalid, "name an image, or an archive with --input")
			}
			return a.scan(cmd, s, func(ctx context.Context, scanner *scan.Scanner) (*scan.Result, error) {
				scanner.Options.Platform, scanner.Options.Insecure = o.Platform, o.Insecure
				return scanImage(ctx, scanner, input, ref, daemon)
			})
		},
	}
	cmd.Flags().StringVarP(&input, "input", "i", "", "archive or layout to read; - is standard input")
	cmd.Flags().BoolVar(&daemon, "daemon", false, "take the image from the Docker engine")
	cmd.Flags().StringVar(&o.Platform, "platform", "", "platform of an image for several, such as linux/arm64")
	cmd.Flags().BoolVar(&o.Insecure, "insecure", false, "speak plain HTTP to the registry")
	return cmd
}

func scanImage(ctx context.Context, s *scan.Scanner, input, ref string, daemon bool) (*scan.Result, error) {
	var img *image.Image
	var err error
	switch {
	case input == "-":
		return s.Stream(ctx, os.Stdin, ref)
	case input != "":
		img, err = image.OpenFile(ctx, input, ref, s.Options)
		if errors.Is(err, image.ErrStream) {
			f, err := os.Open(input)
			if err != nil {
				return nil, err
			}
			defer func() { _ = f.Close() }()
			r, err := s.Stream(ctx, f, ref)
			if r != nil && r.Artifact.Name == "" {
				r.Artifact.Name = filepath.Base(input)
			}
			return r, err
		}
	case daemon:
		d, err := image.NewDaemon(ctx)
		if err != nil {
			return nil, err
		}
		defer func() { _ = d.Close() }()
		return s.Daemon(ctx, d, ref)
	default:
		img, err = image.OpenRegistry(ctx, ref, s.Options)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = img.Close() }()
	return s.Image(ctx, img)
}

func newScanDirCommand(a *app, s *scanFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "dir PATH",
		Short:   "Scan a folder: a source tree, or the root of a machine or unpacked image",
		Long:    `Scans what is installed or locked below PATH. Symbolic links are noted, never followed.`,
		Example: "  triad scan dir .\n  triad scan dir /mnt/disk --packages",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.scan(cmd, s, func(ctx context.Context, scanner *scan.Scanner) (*scan.Result, error) {
				return scanner.Dir(ctx, args[0])
			})
		},
	}
}

func newScanSBOMCommand(a *app, s *scanFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "sbom FILE",
		Short: "Scan a bill of materials: CycloneDX 1.4 to 1.6, JSON or XML (- is standard input)",
		Long: `Takes the packages from a CycloneDX document. The component in its metadata says which image
or function it is of: its name is the image reference or the function's ARN, its version or
hash the digest.`,
		Example: "  triad scan sbom web.cdx.json --keep\n  triad scan sbom - < web.cdx.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.scan(cmd, s, func(context.Context, *scan.Scanner) (*scan.Result, error) {
				if args[0] == "-" {
					return scan.SBOM(os.Stdin)
				}
				f, err := os.Open(args[0])
				if err != nil {
					return nil, err
				}
				defer func() { _ = f.Close() }()
				return scan.SBOM(f)
			})
		},
	}
}

// scan runs a scan, looks its packages up, keeps the result where asked and prints it.
func (a *app) scan(cmd *cobra.Command, s *scanFlags, run func(context.Context, *scan.Scanner) (*scan.Result, error)) error {
	if !scan.IsSeverity(s.failOn) {
		return triad.Errorf(triad.CodeInvalid, "--fail-on %s: give low, medium, high, critical or unknown", s.failOn)
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), s.timeout)
	defer cancel()
	result, err := a.examine(ctx, s, run)
	if err != nil {
		return err
	}
	for _, u := range result.Unread {
		a.say("not read: %s: %s", u.Section, u.Reason)
	}
	if s.keep || cmd.Flags().Changed("data") || cmd.Flags().Changed("server") {
		report := result.Report()
		report.Tenant = a.tenant
		if err := a.keep(ctx, report); err != nil {
			return err
		}
		for _, note := range report.Notes {
			a.say("%s: %s", report.Scope, note)
		}
	}
	err = a.result(result,
		func(w io.Writer) error {
			return result.Table(w, s.packages)
		},
		map[string]func(io.Writer) error{"cyclonedx": func(w io.Writer) error {
			return sbom.Write(w, result.Document(), result.Found(), version, time.Now())
		}})
	if err == nil && s.exitCode != 0 && result.AtLeast(s.failOn) > 0 {
		return exitStatus(s.exitCode)
	}
	return err
}

// examine runs a scan and looks its packages up.
func (a *app) examine(ctx context.Context, s *scanFlags, run func(context.Context, *scan.Scanner) (*scan.Result, error)) (*scan.Result, error) {
	// A scan runs on build machines beside other work. Collecting earlier costs some 5 % of
	// its time and saves a fifth of its memory.
	defer debug.SetGCPercent(debug.SetGCPercent(30))
	cache, err := scan.OpenCache(s.cacheDir)
	if err != nil {
		return nil, err
	}
	inspectors, err := s.content.inspectors()
	if err != nil {
		return nil, err
	}
	result, err := run(ctx, &scan.Scanner{Cache: cache, Inspectors: inspectors, Fresh: s.fresh, Options: image.Options{Limits: s.limits}})
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, triad.Errorf(triad.CodeUnavailable, "not done after %s; give more with --timeout", s.timeout)
	}
	if err != nil {
		return nil, err
	}
	if s.content.wants("vuln") {
		if err := a.match(ctx, result); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// match looks the packages up in the advisories of the data directory. Without any the
// vulnerabilities are unread, not none.
func (a *app) match(ctx context.Context, result *scan.Result) error {
	db, err := advisory.Open(datadir.Dir(a.data).Advisories())
	if errors.Is(err, advisory.ErrNone) {
		result.Unread = append(result.Unread, triad.Unread{Section: "vulnerabilities", Reason: err.Error()})
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	checked := &checker{Matcher: match.New(db)}
	if err := result.Match(ctx, checked); err != nil {
		return err
	}
	result.Unread = append(result.Unread, checked.unread...)
	return nil
}

// checker is a matcher that also says what it could not compare.
type checker struct {
	*match.Matcher
	unread []triad.Unread
}

func (c *checker) Match(ctx context.Context, packages []triad.Package) ([]triad.Vulnerability, error) {
	r, err := c.Check(ctx, packages)
	if err != nil {
		return nil, err
	}
	c.unread = r.Unread()
	return r.Vulnerabilities, nil
}
