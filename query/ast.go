package query

import (
	"fmt"
	"strings"
)

// Expr is a filter as it was written. String gives a text that parses to the same.
type Expr interface {
	fmt.Stringer
	// binding says how tightly the expression holds together when printed.
	binding() int
}

// Operator compares a column with a value.
type Operator string

// The operators. NotEqual and NotIn are the negations of Equal and In.
const (
	Equal        Operator = "="
	NotEqual     Operator = "!="
	Less         Operator = "<"
	LessEqual    Operator = "<="
	Greater      Operator = ">"
	GreaterEqual Operator = ">="
	In           Operator = "in"
	NotIn        Operator = "not in"
)

// And passes if all of its parts do.
type And []Expr

// Or passes if any of its parts does.
type Or []Expr

// Not passes if its part does not.
type Not struct{ Expr Expr }

// Has passes if the flow has a value in the column.
type Has struct{ Column Name }

// Compare holds a column against values: one for most operators, any number for In and NotIn.
type Compare struct {
	Column Name
	Op     Operator
	Values []Operand
	// List is true if the values stood in parentheses.
	List bool
}

// Name is the name of a column, with the place where it stands.
type Name struct {
	Text   string
	Offset int
}

// Operand is a value as it was written, with the place where it stands.
type Operand struct {
	Text   string
	Quoted bool
	Offset int
}

// How tightly expressions bind.
const (
	bindOr = iota + 1
	bindAnd
	bindNot
	bindCompare
)

func (And) binding() int     { return bindAnd }
func (Or) binding() int      { return bindOr }
func (Not) binding() int     { return bindNot }
func (Has) binding() int     { return bindCompare }
func (Compare) binding() int { return bindCompare }

// String joins the parts with "and".
func (a And) String() string { return join(a, " and ", bindAnd) }

// String joins the parts with "or".
func (o Or) String() string { return join(o, " or ", bindOr) }

// String puts "not" before the part.
func (n Not) String() string { return "not " + inside(n.Expr, bindNot) }

// String puts "has" before the column.
func (h Has) String() string { return "has " + h.Column.Text }

// String gives the comparison with its values as they were written.
func (c Compare) String() string {
	texts := make([]string, len(c.Values))
	for i, v := range c.Values {
		texts[i] = v.String()
	}
	values := strings.Join(texts, ", ")
	if c.List {
		values = "(" + values + ")"
	}
	return c.Column.Text + " " + string(c.Op) + " " + values
}

// String gives the value, in quotes if it was or if it could not be read otherwise.
func (o Operand) String() string {
	if o.Quoted || !bare(o.Text) {
		return quoteText(o.Text)
	}
	return o.Text
}

func join(parts []Expr, by string, binding int) string {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = inside(p, binding+1)
	}
	return strings.Join(texts, by)
}

// inside prints an expression where only those fit without parentheses that bind at least so tightly.
func inside(e Expr, binding int) string {
	if e.binding() < binding {
		return "(" + e.String() + ")"
	}
	return e.String()
}

// bare says whether a text is a value without quotes.
func bare(s string) bool {
	l := lexer{text: s}
	t, err := l.next()
	return err == nil && t.kind == tokenWord && t.text == s && !isKeyword(s)
}

// quoteText gives a text in double quotes; whatever could act in a terminal is escaped.
func quoteText(s string) string {
	return `"` + literal(s) + `"`
}
