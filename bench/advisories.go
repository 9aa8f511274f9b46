package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// advisoryFolder is a folder of real advisories: TRIAD_ADVISORIES, else the folder
// shared/advisories beside the checkout, else the demonstration's.
func advisoryFolder() string {
	dir := os.Getenv("TRIAD_ADVISORIES")
	if dir == "" {
		dir = filepath.Join("..", "shared", "advisories")
	}
	if _, err := os.Stat(dir); err != nil {
		dir = filepath.Join("demo", "estate", "advisories")
	}
	return dir
}

// advisorySection imports them.
func advisorySection(b *bench) error {
	dir := advisoryFolder()
	data := filepath.Join(b.cache, "advisories-data")
	u, err := measure(3, func() error { return os.RemoveAll(data) }, b.triad, "--data", data, "db", "import", "--quiet", dir)
	if err != nil {
		return err
	}
	fmt.Printf("\n### Import of advisories from %s\n\n| | wall | CPU | peak memory |\n|---|---|---|---|\n| triad db import | %v |\n", filepath.Base(filepath.Dir(dir))+"/"+filepath.Base(dir), u)
	return nil
}
