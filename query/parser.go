package query

import (
	"slices"
	"strings"

	"weir/columns"
)

const (
	// MaxFilter bounds a filter in bytes.
	MaxFilter = 16 << 10
	// maxDepth bounds how deep parentheses and nots nest.
	maxDepth = 100
)

// isKeyword says whether a bare word has a meaning of its own. Keywords are lower case.
func isKeyword(s string) bool {
	switch s {
	case "and", "or", "not", "in", "has":
		return true
	}
	return false
}

// parser is a Pratt parser: an operator goes on as long as it binds tighter than what stands to its left.
type parser struct {
	lexer lexer
	// token is the one that is looked at next.
	token token
	depth int
}

// ParseFilter reads a filter; an empty one is nil. The error is an [*Error].
func ParseFilter(text string) (Expr, error) {
	if len(text) > MaxFilter {
		return nil, &Error{Part: "filter", Message: "it is too long", Hint: "16384 bytes are the most"}
	}
	p := &parser{lexer: lexer{text: text}}
	e, err := p.filter()
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (p *parser) filter() (Expr, *Error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.token.kind == tokenEnd {
		return nil, nil //nolint:nilnil // No filter is a filter that all rows pass.
	}
	e, err := p.expression(0)
	if err != nil {
		return nil, err
	}
	if p.token.kind != tokenEnd {
		return nil, p.unexpected(`"and", "or" or the end`)
	}
	return e, nil
}

// advance goes to the next token.
func (p *parser) advance() *Error {
	t, err := p.lexer.next()
	if err != nil {
		return err
	}
	p.token = t
	return nil
}

// keyword says whether the next token is this keyword.
func (p *parser) keyword(word string) bool { return p.token.kind == tokenWord && p.token.text == word }

// expression reads as long as operators bind tighter than the minimum.
func (p *parser) expression(minimum int) (Expr, *Error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return nil, p.lexer.errorAt(p.token.offset, "parentheses and nots nest too deep here")
	}
	left, err := p.operandOfLogic()
	for err == nil {
		switch {
		case p.keyword("and") && minimum < bindAnd:
			left, err = p.chain(left, bindAnd)
		case p.keyword("or") && minimum < bindOr:
			left, err = p.chain(left, bindOr)
		default:
			return left, nil
		}
	}
	return nil, err
}

// chain reads what follows "and" or "or". Chains are flat, so that they may be long.
func (p *parser) chain(left Expr, binding int) (Expr, *Error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	right, err := p.expression(binding)
	if err != nil {
		return nil, err
	}
	if binding == bindAnd {
		return And(append(parts[And](left), parts[And](right)...)), nil
	}
	return Or(append(parts[Or](left), parts[Or](right)...)), nil
}

// parts gives the parts of a chain of the same kind, or the expression as the only part.
func parts[T And | Or](e Expr) []Expr {
	if chain, ok := e.(T); ok {
		return chain
	}
	return []Expr{e}
}

// operandOfLogic reads what stands between "and" and "or".
func (p *parser) operandOfLogic() (Expr, *Error) {
	switch {
	case p.keyword("not"):
		return p.not()
	case p.keyword("has"):
		return p.has()
	case p.token.kind == tokenOpen:
		return p.parentheses()
	case p.token.kind == tokenWord && !isKeyword(p.token.text):
		return p.comparison()
	}
	return nil, p.unexpected(`a column, "not", "has" or "("`)
}

func (p *parser) not() (Expr, *Error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	e, err := p.expression(bindNot)
	if err != nil {
		return nil, err
	}
	return Not{Expr: e}, nil
}

func (p *parser) has() (Expr, *Error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.token.kind != tokenWord || isKeyword(p.token.text) {
		return nil, p.unexpected("a column")
	}
	name := Name{Text: p.token.text, Offset: p.token.offset}
	return Has{Column: name}, p.advance()
}

func (p *parser) parentheses() (Expr, *Error) {
	open := p.token.offset
	if err := p.advance(); err != nil {
		return nil, err
	}
	e, err := p.expression(0)
	if err != nil {
		return nil, err
	}
	if p.token.kind != tokenClose {
		err := p.unexpected(`"and", "or" or ")"`)
		if p.token.kind == tokenEnd {
			err.Hint = "the parenthesis at character " + p.columnOf(open) + " is not closed"
		}
		return nil, err
	}
	return e, p.advance()
}

// comparison reads a column, an operator and its values.
func (p *parser) comparison() (Expr, *Error) {
	c := Compare{Column: Name{Text: p.token.text, Offset: p.token.offset}}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.operator(&c); err != nil {
		return nil, err
	}
	if (c.Op == In || c.Op == NotIn) && p.token.kind == tokenOpen {
		c.List = true
		err := p.list(&c)
		return c, err
	}
	err := p.value(&c)
	return c, err
}

func (p *parser) operator(c *Compare) *Error {
	t := p.token
	switch {
	case p.keyword("not"):
		if err := p.advance(); err != nil {
			return err
		}
		if !p.keyword("in") {
			return p.unexpected(`"in"`)
		}
		c.Op = NotIn
		return p.advance()
	case p.keyword("in"):
		c.Op = In
		return p.advance()
	case t.kind == tokenOperator && !slices.Contains([]string{"<>", "==", "=~", "!~", "!"}, t.text):
		c.Op = Operator(t.text)
		return p.advance()
	}
	err := p.unexpected(`= != < <= > >= "in" or "not in"`)
	switch t.text {
	case "==":
		err.Hint = "write ="
	case "<>", "!":
		err.Hint = "write != or not"
	}
	if _, known := columns.Lookup(c.Column.Text); !known && err.Hint == "" {
		err.Hint = nearestColumn(c.Column.Text)
	}
	return err
}

// list reads values in parentheses.
func (p *parser) list(c *Compare) *Error {
	for {
		if err := p.advance(); err != nil {
			return err
		}
		if err := p.value(c); err != nil {
			return err
		}
		switch p.token.kind {
		case tokenClose:
			return p.advance()
		case tokenComma:
		default:
			return p.unexpected(`"," or ")"`)
		}
	}
}

// value reads one value.
func (p *parser) value(c *Compare) *Error {
	t := p.token
	if t.kind != tokenText && (t.kind != tokenWord || isKeyword(t.text)) {
		err := p.unexpected("a value")
		if t.kind == tokenWord {
			err.Hint = `write "` + t.text + `" in quotes if it is meant as a value`
		}
		if t.kind == tokenOpen {
			err.Hint = `several values go with "in"`
		}
		return err
	}
	c.Values = append(c.Values, Operand{Text: t.text, Quoted: t.kind == tokenText, Offset: t.offset})
	return p.advance()
}

// unexpected is the error for a token that does not fit.
func (p *parser) unexpected(expected string) *Error {
	err := p.lexer.errorAt(p.token.offset, "expected "+expected+", found "+p.token.String())
	if p.token.kind == tokenWord && !isKeyword(p.token.text) && isKeyword(strings.ToLower(p.token.text)) {
		err.Hint = "write " + strings.ToLower(p.token.text) + " in lower case"
	}
	return err
}
