//go:build !custom || sources || sources_replay

package features

import _ "weir/sources/replay" // Registers itself.
