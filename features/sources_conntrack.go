//go:build !custom || sources || sources_conntrack

package features

import _ "weir/sources/conntrack" // Registers itself.
