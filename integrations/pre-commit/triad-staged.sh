#!/usr/bin/env bash
# Judges what is staged, as it is staged, with triad gate; arguments go to it. Works as a hook of
# pre-commit and as .git/hooks/pre-commit itself.
set -euo pipefail

triad=${TRIAD_BINARY:-triad}
if ! command -v "$triad" >/dev/null; then
	echo "triad is not there: install it (go install github.com/triad-security/triad/cmd/...@latest), or name it in TRIAD_BINARY" >&2
	exit 1
fi
cd "$(git rev-parse --show-toplevel)"
staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT

# The index, not the working tree: what is staged is what will be committed.
git diff --cached --name-only -z --diff-filter=ACMRT | git checkout-index -z --stdin --prefix="$staged/"
if [ -z "$(ls -A "$staged")" ]; then
	exit 0
fi
# Vulnerabilities are held against the advisories that are here; a commit waits for no download.
if ! "$triad" db status --quiet >/dev/null 2>&1; then
	set -- --scanners secret,misconfig --policy "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/without-advisories.yaml" "$@"
	echo "triad: no advisories are here (triad db update gets them): vulnerabilities are not looked up" >&2
fi
"$triad" gate "$staged" --quiet "$@"
