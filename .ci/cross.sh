#!/bin/bash
# Builds weir for the platforms of routers into dist/ and prints how large each is.
set -euo pipefail
cd "$(dirname "$0")/.."
tags=${1:-}
mkdir -p dist

build() {
	local name=$1
	shift
	env CGO_ENABLED=0 GOOS=linux "$@" go build -trimpath -buildvcs=false -tags "$tags" -ldflags '-s -w' -o "dist/weir-$name" .
	printf '%-16s %5.1f MB, %4.1f MB compressed\n' "$name" \
		"$(stat -c %s "dist/weir-$name" | awk '{ print $1 / 1e6 }')" \
		"$(gzip -9c "dist/weir-$name" | wc -c | awk '{ print $1 / 1e6 }')"
}

build amd64 GOARCH=amd64
build arm64 GOARCH=arm64
build armv7 GOARCH=arm GOARM=7
build 386 GOARCH=386
build mipsle GOARCH=mipsle GOMIPS=softfloat
