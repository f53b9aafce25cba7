//go:build !custom || columns || columns_zone

package features

import _ "weir/columns/zone" // Registers itself.
