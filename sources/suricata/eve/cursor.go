package eve

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/go-faster/jx"
)

// maxDepth is how deep objects and lists may be nested; Suricata's go to 8.
const maxDepth = 32

// maxScratch is how much of a long text's buffer is kept for the next line.
const maxScratch = 64 << 10

// errSyntax is why a line that is no JSON is not decoded, where jx has not found it.
var errSyntax = errors.New("no JSON")

// cursor goes through a JSON text, value by value. What nearly all values are, a text without escapes or a
// whole number, it reads itself; the rest it leaves to jx. Either way the whole text is checked: a line that
// was glued from two must not pass.
//
// The readers take the next value. After an error, which is in err, there is no other field or element, so
// that who reads need not look before the end.
type cursor struct {
	text []byte
	at   int
	err  error
	// key is that of the last field; it is part of the text or of no use after the next one.
	key   []byte
	depth int
	// first is whether nothing of the object or list was read yet.
	first bool
	// scratch has the last text that had escapes.
	scratch []byte
	jx      jx.Decoder
}

// begin starts with another text.
func (c *cursor) begin(text []byte) {
	c.text, c.at, c.err, c.key, c.depth, c.first = text, 0, nil, nil, 0, false
}

// release lets go of the text, and of the room that a very long one needed.
func (c *cursor) release() {
	c.begin(nil)
	c.jx.ResetBytes(nil)
	if cap(c.scratch) > maxScratch {
		c.scratch = nil
	}
}

// fail notes why it cannot go on.
func (c *cursor) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// peek returns the first byte of what comes next, 0 at the end.
func (c *cursor) peek() byte {
	if c.at < len(c.text) && c.text[c.at] > ' ' {
		return c.text[c.at]
	}
	return c.peekBehindSpace()
}

func (c *cursor) peekBehindSpace() byte {
	for ; c.at < len(c.text); c.at++ {
		switch b := c.text[c.at]; b {
		case ' ', '\t', '\n', '\r':
		default:
			return b
		}
	}
	return 0
}

// open begins the next value, which is an object or a list.
func (c *cursor) open() {
	c.at++
	c.first = true
	c.depth++
	if c.depth > maxDepth {
		c.fail(ErrDeep)
	}
}

// next goes to what follows in the object or list that ends with end; it returns false at the end.
func (c *cursor) next(end byte) bool {
	if c.err != nil {
		return false
	}
	b := c.peek()
	if b == end {
		c.at++
		c.first = false
		c.depth--
		return false
	}
	if c.first {
		c.first = false
		return true
	}
	if b != ',' {
		c.fail(errSyntax)
		return false
	}
	c.at++
	return true
}

// element goes to the next element of a list.
func (c *cursor) element() bool {
	return c.next(']')
}

// field goes to the next field of an object, whose key is then in key.
func (c *cursor) field() bool {
	if !c.next('}') {
		return false
	}
	if c.peek() != '"' {
		c.fail(errSyntax)
		return false
	}
	start := c.at + 1
	end := special(c.text, start)
	if end < len(c.text) && c.text[end] == '"' {
		c.key = c.text[start:end]
		c.at = end + 1
	} else {
		c.key = c.unescape(nil)
	}
	if c.err != nil || c.peek() != ':' {
		c.fail(errSyntax)
		return false
	}
	c.at++
	return true
}

// quoted takes the next value, which begins with a quote; what it returns is valid until the next one.
func (c *cursor) quoted() []byte {
	start := c.at + 1
	end := special(c.text, start)
	if end < len(c.text) && c.text[end] == '"' {
		c.at = end + 1
		return c.text[start:end]
	}
	c.scratch = c.unescape(c.scratch[:0])
	return c.scratch
}

// unescape appends the text that comes next to b.
func (c *cursor) unescape(b []byte) []byte {
	raw := c.raw()
	if c.err != nil {
		return b
	}
	c.jx.ResetBytes(raw)
	b, err := c.jx.StrAppend(b)
	if err != nil {
		c.fail(err)
	}
	return b
}

// raw takes the next value as it stands in the text; it is no object and no list.
func (c *cursor) raw() []byte {
	c.jx.ResetBytes(c.text[c.at:])
	raw, err := c.jx.Raw()
	if err != nil {
		c.fail(err)
		return nil
	}
	c.at += len(raw)
	return raw
}

// number takes the next value, which begins with a digit or a minus; it says whether it is a whole number that
// is not below zero and has at most 64 bits.
func (c *cursor) number() (uint64, bool) {
	i := c.at
	// Nine digits fit into a word of any machine.
	var low uint
	for end := min(i+9, len(c.text)); i < end && c.text[i]-'0' <= 9; i++ {
		low = low*10 + uint(c.text[i]-'0')
	}
	v := uint64(low)
	for ; i < len(c.text) && c.text[i]-'0' <= 9; i++ {
		v = v*10 + uint64(c.text[i]-'0')
	}
	digits := i - c.at
	plain := i < len(c.text) && (c.text[i] == ',' || c.text[i] == '}' || c.text[i] == ']')
	// Nineteen digits always fit, and no number of several digits begins with zero.
	if plain && digits <= 19 && (digits == 1 || digits > 1 && c.text[c.at] != '0') {
		c.at = i
		return v, true
	}
	return parseUint(c.raw())
}

// parseUint reads decimal digits.
func parseUint(b []byte) (uint64, bool) {
	var v uint64
	for _, c := range b {
		digit := uint64(c - '0')
		if digit > 9 || v > (maxUint64-digit)/10 {
			return 0, false
		}
		v = v*10 + digit
	}
	return v, len(b) > 0
}

// skip leaves the next value out.
func (c *cursor) skip() {
	switch b := c.peek(); {
	case b == '"':
		end := special(c.text, c.at+1)
		if end < len(c.text) && c.text[end] == '"' {
			c.at = end + 1
		} else {
			c.raw()
		}
	case b == '{':
		for c.open(); c.field(); {
			c.skip()
		}
	case b == '[':
		for c.open(); c.element(); {
			c.skip()
		}
	case '0' <= b && b <= '9':
		c.number()
	default:
		c.raw()
	}
}

// special returns where the first byte from start on is that ends a text or is not itself: a quote, a
// backslash or a control character. As many bytes are looked at together as a word of the machine has: of a
// word w, the highest bit of a byte in (w-n) &^ w is set if that byte is below n, and in some above it; the
// lowest one is right.
func special(text []byte, start int) int {
	const (
		size = bits.UintSize / 8
		ones = ^uint(0) / 255
		high = ones << 7
	)
	i := start
	for ; i+size <= len(text); i += size {
		w := word(text[i:])
		quote, slash := w^'"'*ones, w^'\\'*ones
		found := ((w-' '*ones)&^w | (quote-ones)&^quote | (slash-ones)&^slash) & high
		if found != 0 {
			return i + bits.TrailingZeros(found)/8
		}
	}
	for ; i < len(text); i++ {
		if b := text[i]; b < ' ' || b == '"' || b == '\\' {
			break
		}
	}
	return i
}

// word returns the first bytes of text as a word of the machine, the first byte lowest.
func word(text []byte) uint {
	if bits.UintSize == 64 {
		return uint(binary.LittleEndian.Uint64(text))
	}
	return uint(binary.LittleEndian.Uint32(text))
}
