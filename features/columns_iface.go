//go:build !custom || columns || columns_iface

package features

import _ "weir/columns/iface" // Registers itself.
