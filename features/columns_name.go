//go:build !custom || columns || columns_name

package features

import _ "weir/columns/name" // Registers itself.
