//go:build !custom || columns || columns_direction

package features

import _ "weir/columns/direction" // Registers itself.
