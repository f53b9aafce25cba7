package query

import (
	"strings"

	"weir/columns"
	"weir/store"
)

// maxReason bounds what a column says about a text that it cannot read, in characters.
const maxReason = 200

// binder turns a filter as written into one that tiers understand: names into columns, texts into values.
type binder struct{ lexer lexer }

// Bind gives the filter that a text stands for; nil, which all rows pass, for an empty text. The error is
// an [*Error].
func Bind(text string) (store.Filter, error) {
	e, err := ParseFilter(text)
	if err != nil || e == nil {
		return nil, err
	}
	b := binder{lexer: lexer{text: text}}
	f, mistake := b.bind(e)
	if mistake != nil {
		return nil, mistake
	}
	return f, nil
}

func (b *binder) bind(e Expr) (store.Filter, *Error) {
	switch e := e.(type) {
	case And:
		parts, err := b.all(e)
		return store.And(parts), err
	case Or:
		parts, err := b.all(e)
		return store.Or(parts), err
	case Not:
		part, err := b.bind(e.Expr)
		return store.Not{Filter: part}, err
	case Has:
		c, err := b.column(e.Column)
		return store.Match{Column: c, Cell: func(cell columns.Value) bool { return cell != "" }}, err
	case Compare:
		return b.compare(&e)
	}
	panic("query: an expression of an unknown kind")
}

func (b *binder) all(exprs []Expr) ([]store.Filter, *Error) {
	parts := make([]store.Filter, len(exprs))
	for i, e := range exprs {
		part, err := b.bind(e)
		if err != nil {
			return nil, err
		}
		parts[i] = part
	}
	return parts, nil
}

func (b *binder) column(n Name) (*columns.Column, *Error) {
	if c, ok := columns.Lookup(n.Text); ok {
		return c, nil
	}
	err := b.lexer.errorAt(n.Offset, "there is no column "+quote(n.Text))
	err.Hint = nearestColumn(n.Text)
	return nil, err
}

func (b *binder) compare(e *Compare) (store.Filter, *Error) {
	c, err := b.column(e.Column)
	if err != nil {
		return nil, err
	}
	switch e.Op {
	case Equal, In, NotEqual, NotIn:
		match, equals, err := b.anyOf(c, e.Values)
		if err != nil {
			return nil, err
		}
		m := anyValue(c, match)
		m.Equals = equals
		if e.Op == NotEqual || e.Op == NotIn {
			return store.Not{Filter: m}, nil
		}
		return m, nil
	default:
		return b.order(c, e.Op, e.Values[0])
	}
}

// anyOf gives the test whether a value is one of the operands, and these if none of them stands for many values.
func (b *binder) anyOf(c *columns.Column, operands []Operand) (
	match func(columns.Value) bool, equals []columns.Value, mistake *Error,
) {
	exact := map[columns.Value]bool{}
	var patterns []func(columns.Value) bool
	for _, o := range operands {
		v, pattern, err := b.value(c, o)
		if err != nil {
			return nil, nil, err
		}
		if pattern != nil {
			patterns = append(patterns, pattern)
		} else {
			exact[v] = true
			equals = append(equals, v)
		}
	}
	if len(patterns) > 0 {
		equals = nil
	}
	return func(v columns.Value) bool {
		if exact[v] {
			return true
		}
		for _, match := range patterns {
			if match(v) {
				return true
			}
		}
		return false
	}, equals, nil
}

// value reads an operand as one value or as a pattern. What is in quotes is a value if it can be; a bare
// word is a pattern if it can be.
func (b *binder) value(c *columns.Column, o Operand) (columns.Value, func(columns.Value) bool, *Error) {
	if err := b.reserved(o); err != nil {
		return "", nil, err
	}
	v, failed := c.Parse(o.Text)
	if o.Quoted && failed == nil {
		return v, nil, nil
	}
	if match, ok := c.Pattern(o.Text); ok {
		return "", match, nil
	}
	if failed != nil {
		return "", nil, b.lexer.errorAt(o.Offset, c.Name+": "+clipRunes(failed.Error(), maxReason))
	}
	return v, nil, nil
}

// reserved keeps bare words for what the language may mean by them later.
func (b *binder) reserved(o Operand) *Error {
	if o.Quoted {
		return nil
	}
	_, isColumn := columns.Lookup(o.Text)
	if !isColumn && !isMeasure(o.Text) && !strings.HasPrefix(o.Text, "@") {
		return nil
	}
	err := b.lexer.errorAt(o.Offset, "expected a value, found "+quote(o.Text))
	err.Hint = "write it in quotes if it is meant as a value"
	return err
}

// order gives the test whether a value lies before or after an operand.
func (b *binder) order(c *columns.Column, op Operator, o Operand) (store.Filter, *Error) {
	v, pattern, err := b.value(c, Operand{Text: o.Text, Quoted: true, Offset: o.Offset})
	if reserved := b.reserved(o); reserved != nil {
		err = reserved
	}
	if err != nil {
		return nil, err
	}
	if pattern != nil {
		err := b.lexer.errorAt(o.Offset, quote(o.Text)+" stands for many values: "+string(op)+" needs one")
		err.Hint = `use "in"`
		return nil, err
	}
	match := func(cell columns.Value) bool { return holds(op, c.Compare(cell, v)) }
	return anyValue(c, match), nil
}

// anyValue passes if a value of the row's cell does.
func anyValue(c *columns.Column, match func(columns.Value) bool) store.Match {
	return store.Match{Column: c, Cell: func(cell columns.Value) bool { return c.MatchCell(cell, match) }}
}

// holds says whether an order satisfies an operator.
func holds(op Operator, order int) bool {
	switch op {
	case Less:
		return order < 0
	case LessEqual:
		return order <= 0
	case Greater:
		return order > 0
	default:
		return order >= 0
	}
}
