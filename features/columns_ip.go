//go:build !custom || columns || columns_ip

package features

import _ "weir/columns/ip" // Registers itself.
