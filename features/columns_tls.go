//go:build !custom || columns || columns_tls

package features

import _ "weir/columns/tls" // Registers itself.
