#!/usr/bin/env bash
# Runs the Go tests, then the console's. Prints each runner's closing lines.
set -euo pipefail
cd "$(dirname "$0")/.."

# The signatures of others are those of cosign itself. Once; some eight CPU minutes.
scripts/cosign.sh >/dev/null || echo "test: cosign could not be built; the tests beside it are skipped" >&2

# -p 2: packages that start engines and databases share the machine.
go test -p 2 -timeout 25m ./...

cd console
npm run --silent test
