package main

import (
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	registries "github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/triad-security/triad/build/registry/registrytest"
)

// scriptRegistry is "registry VAR": Debian's docker-registry on loopback, its address in VAR.
// A script that calls it begins with [!exec:docker-registry] skip.
func scriptRegistry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: registry VAR")
	}
	dir := ts.MkAbs(".registry-" + args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	address, stop, err := registrytest.Run(dir)
	ts.Check(err)
	ts.Defer(stop)
	ts.Setenv(args[0], address)
}

// scriptPush is "push REFERENCE DIR…": an image with a layer of each folder, in a registry.
func scriptPush(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: push REFERENCE DIR…")
	}
	ref, err := name.ParseReference(args[0])
	ts.Check(err)
	img := folderImage(ts, args[1:])
	ts.Check(registries.Write(ref, img))
	digest, err := img.Digest()
	ts.Check(err)
	ts.Setenv("DIGEST", digest.String())
}
