package query

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind says what a token is.
type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenText
	tokenOperator
	tokenOpen
	tokenClose
	tokenComma
)

// token is a piece of a filter. Keywords are words: only the parser knows where they are meant.
type token struct {
	kind tokenKind
	// text is the word, the operator, or what the quotes held.
	text string
	// offset is where it begins, in bytes.
	offset int
}

// String shows a token in an error.
func (t token) String() string {
	if t.kind == tokenEnd {
		return "the end"
	}
	return quote(t.text)
}

// lexer cuts a filter into tokens.
type lexer struct {
	text string
	at   int
}

// operators are tried in this order, the longer ones first. Some are only there to be told how Weir
// writes them.
func operators() [11]string {
	return [...]string{"<=", ">=", "!=", "<>", "==", "=~", "!~", "=", "<", ">", "!"}
}

// special ends a word.
const special = "()\",=<>!'`;&|"

// next gives the next token.
func (l *lexer) next() (token, *Error) {
	l.skipSpace()
	t := token{offset: l.at}
	if l.at == len(l.text) {
		return t, nil
	}
	rest := l.text[l.at:]
	switch rest[0] {
	case '(':
		t.kind = tokenOpen
	case ')':
		t.kind = tokenClose
	case ',':
		t.kind = tokenComma
	case '"':
		return l.quoted()
	default:
		return l.wordOrOperator(rest)
	}
	t.text = rest[:1]
	l.at++
	return t, nil
}

func (l *lexer) skipSpace() {
	for l.at < len(l.text) {
		r, n := utf8.DecodeRuneInString(l.text[l.at:])
		if !unicode.IsSpace(r) {
			return
		}
		l.at += n
	}
}

func (l *lexer) wordOrOperator(rest string) (token, *Error) {
	t := token{offset: l.at}
	for _, op := range operators() {
		if strings.HasPrefix(rest, op) {
			t.kind, t.text = tokenOperator, op
			l.at += len(op)
			return t, nil
		}
	}
	n := 0
	for n < len(rest) {
		r, size := utf8.DecodeRuneInString(rest[n:])
		broken := r == utf8.RuneError && size == 1
		if broken || strings.ContainsRune(special, r) || !unicode.IsGraphic(r) || unicode.IsSpace(r) {
			break
		}
		n += size
	}
	if n == 0 {
		return t, l.strange(rest)
	}
	t.kind, t.text = tokenWord, rest[:n]
	l.at += n
	return t, nil
}

// strange is the error for a character that begins nothing.
func (l *lexer) strange(rest string) *Error {
	_, n := utf8.DecodeRuneInString(rest)
	e := l.errorAt(l.at, quote(rest[:n])+" has no meaning here")
	switch rest[0] {
	case '\'', '`':
		e.Hint = "texts go into double quotes"
	case '&':
		e.Hint = `write "and"`
	case '|':
		e.Hint = `write "or"`
	}
	return e
}

// quoted reads a text in double quotes.
func (l *lexer) quoted() (token, *Error) {
	t := token{kind: tokenText, offset: l.at}
	var b strings.Builder
	for l.at++; l.at < len(l.text); {
		switch c := l.text[l.at]; c {
		case '"':
			l.at++
			t.text = b.String()
			return t, nil
		case '\\':
			if err := l.escape(&b); err != nil {
				return t, err
			}
		default:
			b.WriteByte(c)
			l.at++
		}
	}
	return t, l.errorAt(t.offset, `the text that begins here has no closing quote (")`)
}

// escape reads what follows a backslash.
func (l *lexer) escape(b *strings.Builder) *Error {
	start := l.at
	bad := func() *Error {
		return l.errorAt(start, `expected one of the escapes \" \\ \n \t \r \xHH \uHHHH \UHHHHHHHH`)
	}
	if start+1 >= len(l.text) {
		return bad()
	}
	kind := l.text[start+1]
	l.at += 2
	if plain := strings.IndexByte(`"\ntr`, kind); plain >= 0 {
		b.WriteByte("\"\\\n\t\r"[plain])
		return nil
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[kind]
	if digits == 0 || l.at+digits > len(l.text) {
		return bad()
	}
	n, err := strconv.ParseUint(l.text[l.at:l.at+digits], 16, 32)
	if err != nil || kind != 'x' && !utf8.ValidRune(rune(n)) {
		return bad()
	}
	l.at += digits
	if kind == 'x' {
		b.WriteByte(byte(n))
	} else {
		b.WriteRune(rune(n))
	}
	return nil
}

func (l *lexer) errorAt(offset int, message string) *Error {
	return &Error{
		Part: "filter", Offset: offset, Column: 1 + utf8.RuneCountInString(l.text[:offset]), Message: message,
	}
}
