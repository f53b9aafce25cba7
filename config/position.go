package config

import (
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// position is a place in a file; both count from 1.
type position struct{ line, column int }

// String says it in words.
func (p position) String() string {
	return "line " + strconv.Itoa(p.line) + ", column " + strconv.Itoa(p.column)
}

// entry is a key or a table header as it stands in a file.
type entry struct {
	// parts are the names of the full path; a name may contain dots.
	parts []string
	pos   position
	// table says that it is a header, or a key that holds an inline table.
	table bool
	// kind and value say what a key holds, and where that stands.
	kind  unstable.Kind
	value position
}

func (e entry) path() string { return strings.Join(e.parts, ".") }

// entries lists what stands in a file, up to the first syntax error, which the decoder reports.
func entries(doc []byte) []entry {
	var (
		p     unstable.Parser
		table []string
		list  []entry
	)
	p.Reset(doc)
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			var pos position
			table, pos = fullKey(&p, nil, e)
			list = append(list, entry{parts: table, pos: pos, table: true})
		case unstable.KeyValue:
			list = appendKeyValue(list, &p, table, e)
		default:
		}
	}
	return list
}

// appendKeyValue adds a key, and those of the inline table that it may hold.
func appendKeyValue(list []entry, p *unstable.Parser, table []string, e *unstable.Node) []entry {
	parts, pos := fullKey(p, table, e)
	value := e.Value()
	inline := value.Kind == unstable.InlineTable
	list = append(list, entry{
		parts: parts, pos: pos, table: inline, kind: value.Kind, value: at(p, value.Raw),
	})
	if !inline {
		return list
	}
	for it := value.Children(); it.Next(); {
		list = appendKeyValue(list, p, parts, it.Node())
	}
	return list
}

// fullKey gives the path of an expression and where its key stands.
func fullKey(p *unstable.Parser, table []string, e *unstable.Node) ([]string, position) {
	parts := append([]string(nil), table...)
	var pos position
	for it := e.Key(); it.Next(); {
		n := it.Node()
		if pos.line == 0 {
			pos = at(p, n.Raw)
		}
		parts = append(parts, string(n.Data))
	}
	return parts, pos
}

func at(p *unstable.Parser, r unstable.Range) position {
	start := p.Shape(r).Start
	return position{line: start.Line, column: start.Column}
}
