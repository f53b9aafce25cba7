package units

import (
	"fmt"
	"io/fs"
	"strconv"
)

// FileMode is a set of permissions, written in octal.
type FileMode fs.FileMode

// Expects says in words what UnmarshalText reads.
func (FileMode) Expects() string { return `permissions in octal such as "0660"` }

// UnmarshalText reads octal permissions.
func (m *FileMode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || n > 0o777 {
		return fmt.Errorf("%.40q is not %s", text, m.Expects())
	}
	*m = FileMode(n)
	return nil
}

// MarshalText prints octal permissions.
func (m FileMode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// String prints octal permissions.
func (m FileMode) String() string { return fmt.Sprintf("%04o", uint32(m)) }
