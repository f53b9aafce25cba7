//go:build !custom || columns || columns_smtp

package features

import _ "weir/columns/smtp" // Registers itself.
