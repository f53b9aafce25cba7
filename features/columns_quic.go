//go:build !custom || columns || columns_quic

package features

import _ "weir/columns/quic" // Registers itself.
