package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/advisory"
	"github.com/triad-security/triad/build/sbom"
	"github.com/triad-security/triad/build/scan"
	"github.com/triad-security/triad/build/trust"
	"github.com/triad-security/triad/server/datadir"
)

// Names of this scanner and its advisories in attestations.
const (
	scannerURI    = "https://github.com/triad-security/triad"
	advisoriesURI = scannerURI + "/advisories"
)

func newTrustAttestCommand(a *app) *cobra.Command {
	s, scans := &signFlags{}, &scanFlags{}
	var kinds []string
	var predicateFile string
	var build trust.Build
	var replace bool
	cmd := &cobra.Command{
		Use:   "attest REFERENCE",
		Short: "Attest an image's bill of materials, vulnerability scan or provenance",
		Long: `Signs statements about the digest that the reference means now (in-toto, DSSE) and keeps
them beside it.

  sbom        the packages, CycloneDX; or a CycloneDX or SPDX document given as --predicate
  vuln        a scan for known vulnerabilities, made now with the advisories of "triad db"
  provenance  who built it from what, SLSA v1: from the environment of GitHub Actions or
              GitLab CI, or from --builder, --source and --commit
  vex         an OpenVEX document given as --predicate
  URI         anything else given as --predicate, a JSON object

Without --predicate, sbom and vuln scan the image. Of an image for several platforms that is
the one for Linux on this machine's architecture; attest the digest of another for that.`,
		Example: `  triad trust attest registry.example.com/shop/web:1.0 --key release.key --type sbom,vuln
  triad trust attest registry.example.com/shop/web:1.0 --key release.key --type provenance \
    --builder https://ci.example.com --source git+https://git.example.com/shop --commit 4f2a…
  triad trust attest registry.example.com/shop/web:1.0 --key release.key --type sbom --predicate web.spdx.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			forms, err := s.forms()
			if err != nil {
				return err
			}
			if predicateFile != "" && len(kinds) != 1 {
				return triad.Errorf(triad.CodeInvalid, "--predicate is one document: give one --type")
			}
			signer, err := s.signer()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), scans.timeout)
			defer cancel()
			image, err := s.client.Resolve(ctx, args[0])
			if err != nil {
				return err
			}
			predicates, err := a.predicates(ctx, image, s.client.Insecure, kinds, predicateFile, build, scans)
			if err != nil {
				return err
			}
			for _, p := range predicates {
				if err := a.attest(ctx, &s.client, image, signer, forms, p, replace); err != nil {
					return err
				}
				a.say("attested %s of %s", p.Type, image.Name())
			}
			return a.signed([]signedImage{{args[0], image.DigestStr()}})
		},
	}
	f := cmd.Flags()
	s.flags(f)
	a.examineFlags(f, scans)
	buildFlags(f, &build)
	f.StringSliceVar(&kinds, "type", nil, "what to attest: sbom, vuln, provenance, vex or the URI of a predicate type (repeatable)")
	f.StringVar(&predicateFile, "predicate", "", "document to attest; - is standard input")
	f.BoolVar(&replace, "replace", false, "take away what the same key attested of this type before")
	_ = cmd.MarkFlagRequired("type")
	return cmd
}

// attest attests, then takes away what was attested before: there is always one.
func (a *app) attest(ctx context.Context, c *trust.Client, image name.Digest, signer *trust.Signer, forms trust.Forms, p trust.Predicate, replace bool) error {
	if !replace {
		return c.Attest(ctx, image, signer, forms, p)
	}
	before, err := c.Attested(ctx, image, signer, p.Type)
	if err != nil {
		return err
	}
	if err := c.Attest(ctx, image, signer, forms, p); err != nil {
		return err
	}
	remains, err := c.Withdraw(ctx, image, before)
	for _, left := range remains {
		a.say("could not be taken away: %s", left)
	}
	return err
}

// buildFlags are a provenance, where the environment of a pipeline does not say it.
func buildFlags(f *pflag.FlagSet, b *trust.Build) {
	env := trust.BuildOf(os.Getenv)
	*b = env
	f.StringVar(&b.Builder, "builder", env.Builder, "who built the image: a URI")
	f.StringVar(&b.Source, "source", env.Source, "what it was built from: git+https://…@REF")
	f.StringVar(&b.Commit, "commit", env.Commit, "commit of the source")
	f.TimeVar(&b.Finished, "finished", time.Time{}, []string{time.RFC3339}, "when the build ended, such as 2026-11-24T19:00:00Z")
	f.StringVar(&b.Invocation, "invocation", env.Invocation, "URI of the pipeline's run")
}

// predicates makes or reads what is attested of an image. It is scanned once at most.
func (a *app) predicates(ctx context.Context, image name.Digest, insecure bool, kinds []string, file string, build trust.Build, s *scanFlags) ([]trust.Predicate, error) {
	var all []trust.Predicate
	var scanned *examined
	for _, kind := range kinds {
		var p trust.Predicate
		var err error
		switch {
		case file != "":
			p, err = predicateFile(kind, file)
		case kind == trust.KindProvenance:
			p, err = build.Predicate()
		case kind == trust.KindSBOM || kind == trust.KindVuln:
			if scanned == nil {
				if scanned, err = a.examineImage(ctx, image, insecure, s); err != nil {
					return nil, err
				}
			}
			p, err = scanned.predicate(kind, build.Invocation)
		default:
			_, err = trust.TypeOf(kind, nil)
			if err == nil {
				err = triad.Errorf(triad.CodeInvalid, "%s is given with --predicate", kind)
			}
		}
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func predicateFile(kind, path string) (trust.Predicate, error) {
	var in io.Reader = os.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return trust.Predicate{}, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	body, err := io.ReadAll(io.LimitReader(in, trust.MaxPredicate+1))
	if err != nil {
		return trust.Predicate{}, fmt.Errorf("reading the predicate: %w", err)
	}
	uri, err := trust.TypeOf(kind, body)
	if err != nil {
		return trust.Predicate{}, err
	}
	return trust.ReadPredicate(uri, body)
}

// examined is a scan that can be attested.
type examined struct {
	result            *scan.Result
	revision          string // of the advisories
	started, finished time.Time
}

// examineImage scans an image by its digest.
func (a *app) examineImage(ctx context.Context, image name.Digest, insecure bool, s *scanFlags) (*examined, error) {
	e := &examined{started: time.Now()}
	var err error
	e.result, err = a.examine(ctx, s, func(ctx context.Context, scanner *scan.Scanner) (*scan.Result, error) {
		scanner.Options.Insecure = insecure
		return scanImage(ctx, scanner, "", image.Name(), false)
	})
	if err != nil {
		return nil, err
	}
	e.finished = time.Now()
	db, err := advisory.Open(datadir.Dir(a.data).Advisories())
	if err == nil {
		e.revision = db.Revision()
		_ = db.Close()
	}
	for _, u := range e.result.Unread {
		a.say("not read: %s: %s", u.Section, u.Reason)
	}
	return e, nil
}

func (e *examined) predicate(kind, invocation string) (trust.Predicate, error) {
	if kind == trust.KindSBOM {
		var b bytes.Buffer
		if err := sbom.Write(&b, e.result.Document(), nil, version, e.finished); err != nil {
			return trust.Predicate{}, err
		}
		return trust.ReadPredicate(trust.PredicateCycloneDX, b.Bytes())
	}
	if e.revision == "" {
		return trust.Predicate{}, triad.Errorf(triad.CodeUnread, "a scan without advisories is not attested; `triad db update` fetches them")
	}
	return trust.Scan{
		Scanner: scannerURI, Version: version, DB: advisoriesURI, Revision: e.revision, Invocation: invocation,
		Result: e.result, Started: e.started, Finished: e.finished,
	}.Predicate()
}
