#!/usr/bin/env bash
# gofumpt, go vet and golangci-lint, at the versions of tools/go.mod.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$PWD/.cache/tools
mkdir -p "$tools"
for tool in mvdan.cc/gofumpt github.com/golangci/golangci-lint/v2/cmd/golangci-lint; do
	name=$(basename "$tool")
	if [ ! -x "$tools/$name" ] || [ tools/go.mod -nt "$tools/$name" ]; then
		echo "lint: building $name"
		(cd tools && GOFLAGS=-buildvcs=false go build -o "$tools/$name" "$tool")
		touch "$tools/$name"
	fi
done

unformatted=$("$tools/gofumpt" -l $(git ls-files '*.go'))
if [ -n "$unformatted" ]; then
	echo "lint: run gofumpt -w on:" >&2
	echo "$unformatted" >&2
	exit 1
fi
"$tools/golangci-lint" run --timeout 15m ./...
