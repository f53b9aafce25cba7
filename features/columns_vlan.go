//go:build !custom || columns || columns_vlan

package features

import _ "weir/columns/vlan" // Registers itself.
