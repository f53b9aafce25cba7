//go:build !custom || columns || columns_http

package features

import _ "weir/columns/http" // Registers itself.
