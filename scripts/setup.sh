#!/usr/bin/env bash
# Installs the Debian packages that the tests use: a real PostgreSQL, Docker engine, registry
# and browser. What is there already is left alone. Without root it says what to install.
set -euo pipefail

declare -A package_of=(
	[dockerd]=docker.io [containerd]=containerd [runc]=runc [iptables]=iptables
	[clamd]=clamav-daemon [chromium]=chromium [debootstrap]=debootstrap [python3]=python3 [git]=git
	[docker-registry]=docker-registry [rpmbuild]=rpm
)
missing=()
for program in "${!package_of[@]}"; do
	PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || missing+=("${package_of[$program]}")
done
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing+=(postgresql)
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)

[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "setup: tests that need these Debian packages will be skipped: ${missing[*]}" >&2
	echo "setup: install them with: sudo apt-get install ${missing[*]}" >&2
	exit 0
fi
echo "setup: installing ${missing[*]}"
# Services are started by the tests on paths of their own, never by the package.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod +x $policy
	trap 'rm -f $policy' EXIT
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
