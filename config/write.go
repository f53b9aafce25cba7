package config

import (
	"fmt"
	"io"

	"github.com/pelletier/go-toml/v2"
)

// Write prints the configuration as a file that loads back to the same, each key under its manual.
func (c *Config) Write(w io.Writer) error {
	if err := toml.NewEncoder(w).SetTablesInline(false).Encode(c.document()); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return nil
}
