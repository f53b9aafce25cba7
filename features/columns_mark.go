//go:build !custom || columns || columns_mark

package features

import _ "weir/columns/mark" // Registers itself.
