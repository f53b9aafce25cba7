//go:build !custom || columns || columns_ssh

package features

import _ "weir/columns/ssh" // Registers itself.
