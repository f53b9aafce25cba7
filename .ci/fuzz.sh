#!/bin/bash
# Runs each fuzz test of the tree for FUZZTIME, one after the other. Making each find small would take up all of it
# where maps and hashes make the coverage waver; a few tries will do.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${FUZZTIME:-20s}

# fuzz runs one. Now and then Go calls it a failure that the time was up, without any input that fails.
fuzz() {
	local out
	if out=$(go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 10x "$1" </dev/null 2>&1); then
		echo "$out"
		return
	fi
	echo "$out"
	if grep -q 'Failing input' <<<"$out" || ! grep -qx '    context deadline exceeded' <<<"$out"; then
		return 1
	fi
	echo "the time was up; no input fails"
}

# go test -list prints the names of a package's tests, then the package: "ok  	weir/columns	0.01s".
go test -list '^Fuzz' ./... | awk '/^Fuzz/ { names[n++] = $1 } /^ok/ { for (i = 0; i < n; i++) print $2, names[i]; n = 0 }' |
	while read -r package name; do
		echo "== $package $name"
		fuzz "$package" "$name"
	done
