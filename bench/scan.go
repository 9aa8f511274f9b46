package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// packagesOfLarge make a Debian image of the size of a real build image.
const packagesOfLarge = "build-essential,default-jdk-headless,python3-dev,python3-pip,python3-numpy,nodejs,git,cmake,clang,php-cli,ruby-full,postgresql,nginx,apache2,ffmpeg,imagemagick,texlive-base,golang-go"

// peer is a scanner that runs beside triad on the same archive.
type peer struct {
	name, program, module string
	args                  func(b *bench, image string) []string
	env                   func(b *bench) []string
}

var peers = []peer{
	{
		"osv-scalibr v0.5.3, the same kinds of packages", "scalibr", "github.com/google/osv-scalibr/binary/scalibr@v0.5.3",
		func(b *bench, image string) []string {
			return []string{
				"--image-tarball=" + image, "--result=" + filepath.Join(b.cache, "scalibr.textproto"),
				"--plugins=os/dpkg,os/apk,os/rpm,go/binary,python/wheelegg,javascript/packagejson,java/archive", "--offline",
			}
		}, nil,
	},
	{
		"syft v1.57.0, as it comes", "syft", "github.com/anchore/syft/cmd/syft@v1.57.0",
		func(b *bench, image string) []string {
			return []string{"scan", "docker-archive:" + image, "--quiet", "--output", "json=" + filepath.Join(b.cache, "syft.json")}
		},
		func(*bench) []string { return []string{"SYFT_CHECK_FOR_APP_UPDATE=false"} },
	},
	{
		"osv-scanner v2.5.0, packages and the same advisories", "osv-scanner", "github.com/google/osv-scanner/v2/cmd/osv-scanner@v2.5.0",
		func(b *bench, image string) []string {
			return []string{"scan", "image", "--archive", image, "--offline", "--all-packages", "--all-vulns", "--format", "json", "--output-file", b.osvResult()}
		},
		func(b *bench) []string {
			return []string{"OSV_SCALIBR_LOCAL_DB_CACHE_DIRECTORY=" + filepath.Join(b.cache, "osv-db")}
		},
	},
}

func (b *bench) osvResult() string { return filepath.Join(b.cache, "osv-scanner.json") }

// scanSection lists the packages of a large Debian image and their vulnerabilities, cold and
// again, then everything, beside other scanners on the same archive; and compares findings.
func scanSection(b *bench) error {
	image, err := b.largeImage()
	if err != nil {
		return err
	}
	info, err := os.Stat(image)
	if err != nil {
		return err
	}
	if err := b.scanAdvisories(); err != nil {
		return err
	}
	cache, out := filepath.Join(b.cache, "scan-cache"), filepath.Join(b.cache, "scan.json")
	args := func(scanners string) []string {
		return []string{"scan", "image", "--input", image, "--cache-dir", cache, "--quiet", "--format", "json", "--output", out, "--scanners", scanners}
	}
	empty := func() error { return os.RemoveAll(cache) }
	fmt.Printf("\n### An image (docker save archive of %d MiB)\n\n| | wall | CPU | peak memory |\n|---|---|---|---|\n", info.Size()>>20)
	var cold usage
	for _, row := range []struct {
		name, scanners string
		prepare        func() error
		runs           int
	}{
		{"everything, cold", "vuln,secret,malware,misconfig", empty, b.runs},
		{"everything, the same image again", "vuln,secret,malware,misconfig", nil, b.runs + 2},
		{"packages and vulnerabilities, cold", "vuln", empty, b.runs},
		{"the same image again", "vuln", nil, b.runs + 2},
	} {
		u, err := measure(row.runs, row.prepare, b.triad, args(row.scanners)...)
		if err != nil {
			return err
		}
		if row.scanners == "vuln" && row.prepare != nil {
			cold = u
		}
		fmt.Printf("| triad: %s | %v |\n", row.name, u)
	}
	var notes []string
	for _, p := range peers {
		program := filepath.Join(".cache", "peers", p.program)
		if _, err := os.Stat(program); err != nil {
			notes = append(notes, fmt.Sprintf("No %s beside it: CGO_ENABLED=0 GOBIN=$PWD/.cache/peers go install %s", p.program, p.module))
			continue
		}
		if p.env != nil {
			program, err = exec.LookPath("env")
			if err != nil {
				return err
			}
		}
		call := p.args(b, image)
		if p.env != nil {
			call = slices.Concat(p.env(b), []string{filepath.Join(".cache", "peers", p.program)}, call)
		}
		u, err := measure(b.runs, nil, program, call...)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %v |\n", p.name, u)
		notes = append(notes, fmt.Sprintf("triad's CPU, cold ÷ that of %s: %.2f", p.program, cold.cpu.Seconds()/u.cpu.Seconds()))
	}
	fmt.Printf("\n%s\n", strings.Join(notes, "\n"))
	if _, err := os.Stat(b.osvResult()); err != nil {
		return nil //nolint:nilerr // no osv-scanner here
	}
	list, err := os.Create(filepath.Join(b.cache, "differences.txt"))
	if err != nil {
		return err
	}
	fmt.Printf("\n### Findings beside osv-scanner's (each difference with its cause: %s)\n\n", list.Name())
	return errors.Join(compare(os.Stdout, list, out, b.osvResult()), list.Close())
}

// scanAdvisories gives triad and osv-scanner the same advisories, each in its own form.
func (b *bench) scanAdvisories() error {
	dir := advisoryFolder()
	data, err := filepath.Abs(filepath.Join(b.cache, "data"))
	if err != nil {
		return err
	}
	if err := os.Setenv("XDG_DATA_HOME", data); err != nil { // where triad keeps advisories by default
		return err
	}
	if _, err := once(b.triad, "db", "import", "--quiet", dir); err != nil {
		return err
	}
	zips, err := filepath.Glob(filepath.Join(dir, "osv", "*", "all.zip"))
	if err != nil {
		return err
	}
	for _, path := range zips {
		to := filepath.Join(b.cache, "osv-db", "osv-scalibr", filepath.Base(filepath.Dir(path)), "all.zip")
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(to, content, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// largeImage makes the image once: a Debian tree with many packages, as one archive in the
// form of docker save.
func (b *bench) largeImage() (string, error) {
	path := filepath.Join(b.cache, "large.tar")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	root, err := filepath.Abs(filepath.Join(b.cache, "large"))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(root, "var", "lib", "dpkg", "status")); err != nil {
		fmt.Fprintln(os.Stderr, "bench: making a large Debian image, once")
		if err := os.RemoveAll(root); err != nil {
			return "", err
		}
		cmd := exec.CommandContext(context.Background(), "debootstrap", "--variant=minbase", "--include="+packagesOfLarge, "bookworm", root)
		cmd.Stdout, cmd.Stderr = io.Discard, os.Stderr
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("debootstrap: %w", err)
		}
	}
	layer := path + ".layer"
	defer os.Remove(layer)
	cmd := exec.CommandContext(context.Background(), "tar", "--numeric-owner", "--exclude=./proc/*", "--exclude=./sys/*", "--exclude=./dev/*", "-C", root, "-cf", layer, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("tar: %w: %s", err, strings.TrimSpace(string(out)))
	}
	l, err := tarball.LayerFromFile(layer)
	if err != nil {
		return "", err
	}
	img, err := mutate.AppendLayers(empty.Image, l)
	if err != nil {
		return "", err
	}
	tag, err := name.NewTag("bench.example.com/large:1")
	if err != nil {
		return "", err
	}
	err = tarball.WriteToFile(path, tag, img)
	return path, errors.Join(err, os.RemoveAll(root))
}
