//go:build !custom || columns || columns_mqtt

package features

import _ "weir/columns/mqtt" // Registers itself.
