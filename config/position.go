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
	// place is the path with the numbers of what is in lists: "store.tiers[1].name".
	place string
	pos   position
	// table says that it is a header, or a key that holds an inline table; item says that it is one of a list.
	table, item bool
	// kind and value say what a key holds, and where that stands.
	kind  unstable.Kind
	value position
}

func (e entry) path() string { return strings.Join(e.parts, ".") }

// item names one of a list.
func item(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

// entries lists what stands in a file, up to the first syntax error, which the decoder reports.
func entries(doc []byte) []entry {
	s := scan{seen: map[string]int{}}
	s.p.Reset(doc)
	var table entry
	for s.p.NextExpression() {
		e := s.p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = s.key(entry{}, e)
			table.table = true
			if e.Kind == unstable.ArrayTable {
				table.item = true
				table.place = s.next(table.place)
			}
			s.list = append(s.list, table)
		case unstable.KeyValue:
			s.keyValue(table, e)
		default:
		}
	}
	return s.list
}

// scan is a walk through a file.
type scan struct {
	p    unstable.Parser
	list []entry
	// seen counts the tables of each list.
	seen map[string]int
}

// next names the next table of a list.
func (s *scan) next(list string) string {
	s.seen[list]++
	return item(list, s.seen[list]-1)
}

// keyValue adds a key, and those of the inline tables that it may hold.
func (s *scan) keyValue(table entry, n *unstable.Node) {
	e := s.key(table, n)
	value := n.Value()
	e.kind, e.value = value.Kind, at(&s.p, value.Raw)
	e.table = value.Kind == unstable.InlineTable
	s.list = append(s.list, e)
	switch value.Kind {
	case unstable.InlineTable:
		for it := value.Children(); it.Next(); {
			s.keyValue(e, it.Node())
		}
	case unstable.Array:
		for it := value.Children(); it.Next(); {
			s.inList(e, it.Node())
		}
	default:
	}
}

// inList adds an inline table that is in a list.
func (s *scan) inList(list entry, n *unstable.Node) {
	if n.Kind != unstable.InlineTable {
		return
	}
	e := entry{parts: list.parts, place: s.next(list.place), pos: list.value, table: true, item: true}
	s.list = append(s.list, e)
	for it := n.Children(); it.Next(); {
		s.keyValue(e, it.Node())
	}
}

// key gives the path of an expression in a table, and where its key stands.
func (s *scan) key(table entry, n *unstable.Node) entry {
	e := entry{parts: append([]string(nil), table.parts...), place: table.place}
	for it := n.Key(); it.Next(); {
		part := it.Node()
		if e.pos.line == 0 {
			e.pos = at(&s.p, part.Raw)
		}
		e.parts = append(e.parts, string(part.Data))
		e.place = strings.TrimPrefix(e.place+"."+string(part.Data), ".")
	}
	return e
}

func at(p *unstable.Parser, r unstable.Range) position {
	start := p.Shape(r).Start
	return position{line: start.Line, column: start.Column}
}
