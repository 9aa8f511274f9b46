package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/image"
	"github.com/triad-security/triad/build/scan"
)

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
	s.origin.add(cmd.Flags())
	s.fix.add(cmd.Flags())
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
	cmd := &cobra.Command{
		Use:     "dir PATH",
		Short:   "Scan a folder: a source tree, or the root of a machine or unpacked image",
		Long:    `Scans what is installed or locked below PATH. Symbolic links are noted, never followed.`,
		Example: "  triad scan dir .\n  triad scan dir /mnt/disk --packages",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s.dir = args[0]
			return a.scan(cmd, s, func(ctx context.Context, scanner *scan.Scanner) (*scan.Result, error) {
				return scanner.Dir(ctx, args[0])
			})
		},
	}
	s.fix.add(cmd.Flags())
	return cmd
}

func newScanSBOMCommand(a *app, s *scanFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "sbom FILE",
		Short: "Scan a bill of materials: CycloneDX or SPDX (- is standard input)",
		Long: `Takes the packages from a document of CycloneDX 1.2 to 1.6, JSON or XML, or of SPDX 2.2 or
2.3, JSON. The component in its metadata, or the package that it describes, says which image
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
