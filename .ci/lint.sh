#!/bin/bash
# Runs golangci-lint of one version, which is installed into .bin/ unless it is there or on the PATH.
set -euo pipefail
cd "$(dirname "$0")/.."
want=$1

find_lint() {
	local bin
	for bin in "$PWD/.bin/golangci-lint" "$(command -v golangci-lint || true)" "$(go env GOPATH)/bin/golangci-lint"; do
		if [ -x "$bin" ] && [ "$("$bin" version --short 2>/dev/null)" = "$want" ]; then
			echo "$bin"
			return
		fi
	done
}

lint=$(find_lint)
if [ -z "$lint" ]; then
	echo "installing golangci-lint $want into .bin/"
	GOBIN=$PWD/.bin go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$want"
	lint=$(find_lint)
fi
# A part of the tree does not need all exclusions, which the configuration else warns of.
part() { "$lint" run "$@" 2> >(grep -v 'exclusion_rules.*Skipped 0 issues' >&2); }

"$lint" run ./...
echo "with no extension linked:"
part --build-tags custom ./features/... .
echo "tools, a module of its own:"
cd tools
part --config ../.golangci.yml ./...
