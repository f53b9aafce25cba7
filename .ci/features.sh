#!/bin/bash
# Which extensions are linked is a matter of build tags, and Go says nothing about a tag with a typing
# mistake in it: the extension would just be missing. So all tags go through here.
#
#   features.sh NAME…     print the tags for a build with these extensions; fail at an unknown one
#   features.sh --build   build with each extension alone, and with none
set -euo pipefail
cd "$(dirname "$0")/.."

# known prints each tag that a file in features/ listens to.
known() {
	sed -n 's/^\/\/go:build !custom//p' features/*.go | tr -d '|' | tr -s ' ' '\n' | sed '/^$/d' | sort -u
}

tags() {
	local tags=custom name
	for name in "$@"; do
		if ! known | grep -qxF -- "$name"; then
			echo "unknown extension \"$name\"; known are:" $(known) >&2
			return 1
		fi
		tags+=",$name"
	done
	echo "$tags"
}

build_each() {
	local name
	echo "none"
	go build -tags custom -o /dev/null .
	go vet -tags custom ./features .
	for name in $(known); do
		echo "$name"
		go build -tags "$(tags "$name")" -o /dev/null .
	done
}

case "${1:-}" in
"") ;;
--build) build_each ;;
*) tags "$@" ;;
esac
