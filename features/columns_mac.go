//go:build !custom || columns || columns_mac

package features

import _ "weir/columns/mac" // Registers itself.
