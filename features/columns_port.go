//go:build !custom || columns || columns_port

package features

import _ "weir/columns/port" // Registers itself.
