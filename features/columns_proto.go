//go:build !custom || columns || columns_proto

package features

import _ "weir/columns/proto" // Registers itself.
