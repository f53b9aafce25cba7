//go:build !custom || columns || columns_alert

package features

import _ "weir/columns/alert" // Registers itself.
