package bucket

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"weir/columns"
)

// hexMark begins the text of a cell that has no text of its own, or none that reads back to it: the encoding follows in
// hexadecimal. No text begins so: one that did would be written like that itself.
const hexMark = "\x00hex:"

// lookup finds a column of this build.
func lookup(name string) *columns.Column {
	c, _ := columns.Lookup(name)
	return c
}

// isInteger says whether the cells of a column are written as integers.
func isInteger(c *columns.Column) bool { return c != nil && !c.Set && c.Type == "integer" }

// textOf gives the text of a cell that is not empty.
func textOf(c *columns.Column, cell columns.Value) string {
	if c.Set {
		return setText(c, cell)
	}
	return valueText(c, cell)
}

func valueText(c *columns.Column, v columns.Value) string {
	text := c.Format(v)
	if text != "" && !strings.HasPrefix(text, hexMark) && utf8.ValidString(text) {
		if back, err := c.Parse(text); err == nil && back == v {
			return text
		}
	}
	return hexMark + hex.EncodeToString([]byte(v))
}

// setText gives a set as an array of texts in JSON.
func setText(c *columns.Column, cell columns.Value) string {
	values := columns.SplitSet(cell)
	if columns.JoinSet(values) != cell {
		return hexMark + hex.EncodeToString([]byte(cell))
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = valueText(c, v)
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(texts); err != nil { // Texts are valid.
		return hexMark + hex.EncodeToString([]byte(cell))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// cellOf gives the cell that a text stands for. A text that the column cannot read, which is of another build, is
// taken as it is: it prints as what it is, an encoding of nothing.
func cellOf(c *columns.Column, text string) columns.Value {
	if v, ok := unhex(text); ok {
		return v
	}
	if !c.Set {
		return valueOf(c, text)
	}
	var texts []string
	if err := json.Unmarshal([]byte(text), &texts); err != nil {
		return columns.Value(text)
	}
	values := make([]columns.Value, len(texts))
	for i, t := range texts {
		if v, ok := unhex(t); ok {
			values[i] = v
		} else {
			values[i] = valueOf(c, t)
		}
	}
	return columns.JoinSet(values)
}

func valueOf(c *columns.Column, text string) columns.Value {
	v, err := c.Parse(text)
	if err != nil {
		return columns.Value(text)
	}
	return v
}

func unhex(text string) (columns.Value, bool) {
	digits, ok := strings.CutPrefix(text, hexMark)
	if !ok {
		return "", false
	}
	b, err := hex.DecodeString(digits)
	return columns.Value(b), err == nil
}

// integerOf gives the integer that a cell is; ok is false if it is none, or none that reads back to it.
func integerOf(c *columns.Column, v columns.Value) (n int64, ok bool) {
	n, err := strconv.ParseInt(c.Format(v), 10, 64)
	if err != nil || n == math.MinInt64 {
		return 0, false
	}
	back, err := c.Parse(strconv.FormatInt(n, 10))
	return n, err == nil && back == v
}

// cellOfInteger gives the cell that an integer stands for.
func cellOfInteger(c *columns.Column, n int64) columns.Value {
	return valueOf(c, strconv.FormatInt(n, 10))
}

func formatInteger(n int64) string { return strconv.FormatInt(n, 10) }

// integerIn gives the integer that an entry of a dictionary is.
func integerIn(entry string) int64 {
	var b [8]byte
	copy(b[:], entry)
	return int64(binary.LittleEndian.Uint64(b[:])) //nolint:gosec // A bit pattern.
}
