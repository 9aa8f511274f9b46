#!/usr/bin/env bash
# Builds cosign from its Go module into the user's cache, for the tests that hold our
# signatures beside its own. It takes some eight CPU minutes, once; prints the program's path.
set -euo pipefail

version=v3.1.3
dir=${XDG_CACHE_HOME:-$HOME/.cache}/triad/cosign
program=$dir/cosign-$version
if [ ! -x "$program" ]; then
	echo "cosign: building $version" >&2
	mkdir -p "$dir"
	partial=$(mktemp -d "$dir/build.XXXXXX")
	trap 'rm -rf "$partial"' EXIT
	# Outside this module: its own go.mod says what it is built with.
	(cd "$partial" && CGO_ENABLED=0 GOWORK=off GOBIN=$partial nice go install -trimpath -ldflags='-s -w' "github.com/sigstore/cosign/v3/cmd/cosign@$version")
	mv "$partial/cosign" "$program"
fi
echo "$program"
