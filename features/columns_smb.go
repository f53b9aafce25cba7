//go:build !custom || columns || columns_smb

package features

import _ "weir/columns/smb" // Registers itself.
