#!/bin/bash
# Runs each fuzz test of the tree for FUZZTIME, one after the other. Making each find small would take up all of it
# where maps and hashes make the coverage waver; a few tries will do.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${FUZZTIME:-20s}

# go test -list prints the names of a package's tests, then the package: "ok  	weir/columns	0.01s".
go test -list '^Fuzz' ./... | awk '/^Fuzz/ { names[n++] = $1 } /^ok/ { for (i = 0; i < n; i++) print $2, names[i]; n = 0 }' |
	while read -r package name; do
		echo "== $package $name"
		go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 10x "$package" </dev/null
	done
