package config

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Write prints the configuration as a file that loads back to the same, each key under its manual. Of the tables of a
// list only the first has it.
func (c *Config) Write(w io.Writer) error {
	var text bytes.Buffer
	if err := toml.NewEncoder(&text).SetTablesInline(false).Encode(c.document()); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	if _, err := w.Write(oneManual(text.Bytes())); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return nil
}

// oneManual removes the comments from the second table of each list on. No value takes more than one line.
func oneManual(text []byte) []byte {
	var out bytes.Buffer
	var last string // is the last header of a list
	again := false
	comments := ""
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, "#"):
			comments += line
			continue
		case strings.HasPrefix(line, "[["):
			again = line == last
			last = line
		case strings.HasPrefix(line, "["):
			again = false
		}
		if !again {
			out.WriteString(comments)
		}
		comments = ""
		out.WriteString(line)
	}
	out.WriteString(comments)
	return out.Bytes()
}
