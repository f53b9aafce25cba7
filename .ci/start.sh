#!/bin/bash
# Starts ./weir as whoever may read the kernel's connection table: root, or a user who can become root.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "weir: in a second terminal, ask with:  ./weir query --by local.ip,remote.ip --last 10m" >&2
if [ "$(id -u)" = 0 ]; then
	exec ./weir "$@"
fi
if command -v sudo >/dev/null; then
	echo "weir: reading the connection table needs root (CAP_NET_ADMIN), so this asks sudo" >&2
	exec sudo ./weir "$@"
fi
echo "weir: reading the connection table needs root (CAP_NET_ADMIN); become root and run: $PWD/weir $*" >&2
exit 1
