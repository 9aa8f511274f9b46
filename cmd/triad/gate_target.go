package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/scan"
)

// maxScanJSON is the size of a scan as JSON that is read, in bytes: one of 100,000 packages has 60 MB.
const maxScanJSON = 512 << 20

// scanned is the scan of a target.
type scanned struct {
	*scan.Result
	made time.Time
	// here: it was made now, with this machine's advisories; else it was read.
	here bool
	// remote: the target is the reference of an image in a registry.
	remote bool
}

type scanFunc func(context.Context, *scan.Scanner) (*scan.Result, error)

// gateScan gets the scan of a target.
func (a *app) gateScan(ctx context.Context, g *gateFlags, target string) (*scanned, error) {
	run := func(f scanFunc) (*scanned, error) {
		r, err := a.examine(ctx, &g.scanFlags, func(ctx context.Context, s *scan.Scanner) (*scan.Result, error) {
			s.Options.Platform, s.Options.Insecure = g.platform, g.insecure
			return f(ctx, s)
		})
		return &scanned{Result: r, made: time.Now(), here: true}, err
	}
	input := func(path string) (*scanned, error) {
		return run(func(ctx context.Context, s *scan.Scanner) (*scan.Result, error) {
			return scanImage(ctx, s, path, "", false)
		})
	}
	if dir, ok := strings.CutPrefix(target, "oci:"); ok {
		return input(dir)
	}
	if ref, ok := strings.CutPrefix(target, "docker:"); ok {
		return run(func(ctx context.Context, s *scan.Scanner) (*scan.Result, error) {
			return scanImage(ctx, s, "", ref, true)
		})
	}
	if target == "-" {
		return a.gateFile(os.Stdin, "standard input", time.Now(), run)
	}
	info, err := os.Stat(target)
	switch {
	case err != nil: // no file: a reference
		if strings.HasPrefix(target, ".") || strings.HasPrefix(target, "/") {
			return nil, fmt.Errorf("reading the target: %w", err)
		}
		r, err := run(func(ctx context.Context, s *scan.Scanner) (*scan.Result, error) {
			return scanImage(ctx, s, "", target, false)
		})
		r.remote = true
		return r, err
	case info.IsDir():
		if _, err := os.Stat(filepath.Join(target, "oci-layout")); err == nil {
			return input(target)
		}
		return run(func(ctx context.Context, s *scan.Scanner) (*scan.Result, error) { return s.Dir(ctx, target) })
	}
	f, err := os.Open(target)
	if err != nil {
		return nil, fmt.Errorf("reading the target: %w", err)
	}
	defer func() { _ = f.Close() }()
	var head [1]byte
	if n, _ := f.ReadAt(head[:], 0); n == 1 && isJSON(head[0]) {
		return a.gateFile(f, target, info.ModTime(), run)
	}
	return input(target)
}

func isJSON(c byte) bool {
	return c == '{' || c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == 0xef
}

// gateFile reads a scan as JSON, or a bill of materials.
func (a *app) gateFile(r io.Reader, name string, made time.Time, run func(scanFunc) (*scanned, error)) (*scanned, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxScanJSON+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(data) > maxScanJSON {
		return nil, triad.Errorf(triad.CodeInvalid, "%s is larger than %d MiB", name, maxScanJSON>>20)
	}
	var kind struct {
		BOMFormat string          `json:"bomFormat"`
		Artifact  json.RawMessage `json:"artifact"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "%s is neither a scan as JSON nor a CycloneDX bill of materials: %w", name, err)
	}
	switch {
	case kind.BOMFormat != "":
		return run(func(context.Context, *scan.Scanner) (*scan.Result, error) { return scan.SBOM(bytes.NewReader(data)) })
	case len(kind.Artifact) == 0:
		return nil, triad.Errorf(triad.CodeInvalid, "%s has no artifact: give what \"triad scan --format json\" wrote, or a CycloneDX bill of materials", name)
	}
	result, err := readScan(data)
	if err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "%s: %w", name, err)
	}
	return &scanned{Result: result, made: made}, nil
}

// readScan reads what triad scan wrote. A section that it does not say it looked at is unread.
func readScan(data []byte) (*scan.Result, error) {
	r := &scan.Result{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("reading a scan: %w", err)
	}
	if r.Artifact.Type == "" {
		return nil, errors.New("reading a scan: the artifact has no type")
	}
	return r, nil
}
