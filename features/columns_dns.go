//go:build !custom || columns || columns_dns

package features

import _ "weir/columns/dns" // Registers itself.
