package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// packagesOfLarge make a Debian image of the size of a real build image.
const packagesOfLarge = "build-essential,default-jdk-headless,python3-dev,python3-pip,python3-numpy,nodejs,git,cmake,clang,php-cli,ruby-full,postgresql,nginx,apache2,ffmpeg,imagemagick,texlive-base,golang-go"

// scanSection lists the packages of a large Debian image, cold and warm, beside osv-scalibr
// on the same archive with the same kinds of packages.
func scanSection(b *bench) error {
	image, err := b.largeImage()
	if err != nil {
		return err
	}
	info, err := os.Stat(image)
	if err != nil {
		return err
	}
	cache := filepath.Join(b.cache, "scan-cache")
	args := []string{"scan", "image", "--input", image, "--cache-dir", cache, "--quiet", "--format", "json", "--output", filepath.Join(b.cache, "scan.json")}
	cold, err := measure(3, func() error { return os.RemoveAll(cache) }, b.triad, args...)
	if err != nil {
		return err
	}
	warm, err := measure(5, nil, b.triad, args...)
	if err != nil {
		return err
	}
	fmt.Printf("\n### Packages of an image (docker save archive of %d MiB)\n\n| | wall | CPU | peak memory |\n|---|---|---|---|\n", info.Size()>>20)
	fmt.Printf("| triad, cold | %v |\n| triad, the same image again | %v |\n", cold, warm)
	peer := filepath.Join(".cache", "peers", "scalibr")
	if _, err := os.Stat(peer); err != nil {
		fmt.Printf("\nNo peer beside it: build one with (cd bench/peers && go build -o ../../.cache/peers/scalibr github.com/google/osv-scalibr/binary/scalibr)\n")
		return nil
	}
	u, err := measure(3, nil, peer, "--image-tarball="+image, "--result="+filepath.Join(b.cache, "scalibr.textproto"),
		"--plugins=os/dpkg,os/apk,os/rpm,go/binary,python/wheelegg,javascript/packagejson,java/archive", "--offline")
	if err != nil {
		return err
	}
	fmt.Printf("| osv-scalibr v0.5.3 | %v |\n\ncold CPU ÷ osv-scalibr's: %.2f\n", u, cold.cpu.Seconds()/u.cpu.Seconds())
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
