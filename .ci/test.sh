#!/bin/bash
# go test with the race detector where there is a C compiler to link it.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin

race=-race
if ! command -v gcc >/dev/null; then
	echo "no C compiler: the race detector is off"
	race=
fi
exec go test $race "$@"
