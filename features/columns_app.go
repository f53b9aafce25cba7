//go:build !custom || columns || columns_app

package features

import _ "weir/columns/app" // Registers itself.
