// Package demo is a small bundled estate: a cluster, a Docker host and a function in one AWS
// account, with real advisory records, in the formats that the collectors read. It shows the
// point of Triad to somebody who has no cluster at hand. Its names, addresses and digests
// are invented.
package demo

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed estate
var files embed.FS

// Where each collector finds its part, below the folder given to Unpack.
const (
	AWS        = "aws/210987654321/eu-central-1"
	Kubernetes = "kubernetes"
	Docker     = "docker/i-0de0000000000000d"
	SBOMs      = "sboms"
	Advisories = "advisories"
)

// Cluster is the name of the estate's cluster.
const Cluster = "lighthouse"

// Unpack writes the estate's files below dir, for the collectors to read as they read anything.
func Unpack(dir string) error {
	estate, err := fs.Sub(files, "estate")
	if err != nil {
		return err
	}
	return fs.WalkDir(estate, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(path))
		if entry.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		data, err := fs.ReadFile(estate, path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o644)
	})
}
