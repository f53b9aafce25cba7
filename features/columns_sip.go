//go:build !custom || columns || columns_sip

package features

import _ "weir/columns/sip" // Registers itself.
