#!/bin/bash
# Runs each fuzz test of the tree for FUZZTIME, one after the other.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${FUZZTIME:-20s}

# go test -list prints the names of a package's tests, then the package: "ok  	weir/columns	0.01s".
go test -list '^Fuzz' ./... | awk '/^Fuzz/ { names[n++] = $1 } /^ok/ { for (i = 0; i < n; i++) print $2, names[i]; n = 0 }' |
	while read -r package name; do
		echo "== $package $name"
		go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$package" </dev/null
	done
