#!/bin/bash
# Installs the programs that the tests use, if this is root on a Debian; else says what is missing.
set -euo pipefail

missing=()
need() { command -v "$1" >/dev/null || missing+=("${@:2}"); }
PATH=$PATH:/usr/sbin:/sbin
need nft nftables
need conntrack conntrack
need ip iproute2
need ping iputils-ping
need gcc gcc libc6-dev # The race detector is linked by the C compiler.

if [ "${#missing[@]}" -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo "installing for the tests: ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq install -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null 2>&1 ||
		{ apt-get -qq update && apt-get -qq install -y --no-install-recommends "${missing[@]}"; } </dev/null >/dev/null
	missing=()
fi
if [ "${#missing[@]}" -gt 0 ]; then
	echo "missing: ${missing[*]}; the tests that need them are skipped (apt-get install ${missing[*]})"
fi
if [ "$(id -u)" != 0 ]; then
	echo "not root: the tests on real networks run in a user namespace if this kernel allows it, else they are skipped"
fi
