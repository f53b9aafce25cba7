package bucket

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/columns"
	"weir/store"
)

// Query adds what the file knows about a request into the answer.
func (f *File) Query(ctx context.Context, r *store.Request, into *store.Partial) error {
	a, err := newAsker(r, into)
	if err != nil {
		return err
	}
	defer a.done()
	return a.file(ctx, f)
}

// asker answers one request from files, one after the other, in one goroutine.
type asker struct {
	request *store.Request
	into    *store.Partial
	scan    *store.Scan
	reader  *reader
	// filter are the columns of the filter; needed are these and the others to group by.
	filter, needed []*columns.Column
	// texts are how values of filters are written, once they have been asked for.
	texts map[textKey]string
	group askedGroup
}

// textKey names a value of a column as a kind of field writes it.
type textKey struct {
	column *columns.Column
	value  columns.Value
}

func newAsker(r *store.Request, into *store.Partial) (*asker, error) {
	reader, err := getReader(&into.Effort)
	if err != nil {
		return nil, err
	}
	a := &asker{
		request: r, into: into, scan: store.NewScan(r, into), reader: reader, texts: map[textKey]string{},
	}
	a.walk(r.Filter)
	a.needed = slices.Clone(a.filter)
	for _, c := range r.By {
		if !slices.Contains(a.needed, c) {
			a.needed = append(a.needed, c)
		}
	}
	return a, nil
}

func (a *asker) done() { putReader(a.reader) }

// walk gathers the columns of a filter.
func (a *asker) walk(f store.Filter) {
	switch f := f.(type) {
	case store.Match:
		if !slices.Contains(a.filter, f.Column) {
			a.filter = append(a.filter, f.Column)
		}
	case store.Not:
		a.walk(f.Filter)
	case store.And:
		for _, part := range f {
			a.walk(part)
		}
	case store.Or:
		for _, part := range f {
			a.walk(part)
		}
	}
}

// file adds what one file knows.
func (a *asker) file(ctx context.Context, f *File) error {
	a.reader.file = f
	a.into.Effort.Files++
	for i := range f.index.heads {
		h := &f.index.heads[i]
		if a.request.Holds(h.Span.Start) {
			a.into.AddSlice(h.Span, h.Losses, h.Complete)
			a.into.AddOther(a.request.StepOf(h.Span.Start), h.Other)
			a.into.Rows += h.rows
		}
	}
	for i := range f.index.groups {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("query bucket: %w", err)
		}
		if err := guard(func() error { return a.askGroup(f.index, &f.index.groups[i]) }); err != nil {
			return fmt.Errorf("query bucket %s: %w", f.path, err)
		}
	}
	return nil
}

// askGroup adds what one row group knows.
func (a *asker) askGroup(x *index, g *rowGroup) error {
	may := time.Unix(0, g.first).Before(a.request.Span.End) && !time.Unix(0, g.last).Before(a.request.Span.Start)
	var err error
	if may {
		may, err = a.may(a.request.Filter, x, g)
	}
	if err == nil && may {
		may, err = a.group.begin(a, x, g, false)
	}
	if err != nil {
		return err
	}
	if !may {
		a.into.Effort.RowGroupsSkipped++
		return nil
	}
	a.into.Effort.RowGroups++
	return a.group.pages()
}

// may says whether rows of a row group can pass a filter, from what is known without its dictionaries.
func (a *asker) may(filter store.Filter, x *index, g *rowGroup) (bool, error) {
	switch f := filter.(type) {
	case store.Match:
		return a.mayMatch(f, x, g)
	case store.And:
		for _, part := range f {
			if may, err := a.may(part, x, g); !may || err != nil {
				return false, err
			}
		}
	case store.Or:
		for _, part := range f {
			if may, err := a.may(part, x, g); may || err != nil {
				return may, err
			}
		}
		return false, nil
	}
	return true, nil
}

func (a *asker) mayMatch(m store.Match, x *index, g *rowGroup) (bool, error) {
	at := x.find(g, m.Column)
	if at < 0 {
		return m.Cell(""), nil
	}
	c := &g.chunks[at]
	if m.Equals == nil || m.Column.Set || c.bloom.size == 0 || c.empties() && m.Cell("") {
		return true, nil
	}
	texts := make([]string, len(m.Equals))
	for i, v := range m.Equals {
		texts[i] = a.text(m.Column, v)
	}
	return a.reader.bloom(c, texts)
}

// text gives how a value is written.
func (a *asker) text(c *columns.Column, v columns.Value) string {
	key := textKey{column: c, value: v}
	text, ok := a.texts[key]
	if !ok {
		text = textOf(c, v)
		a.texts[key] = text
	}
	return text
}

// find gives the field in which a row group has the cells of a column, or -1 if it has none.
func (x *index) find(g *rowGroup, c *columns.Column) int { return x.findName(g, c.Name) }

func (x *index) findName(g *rowGroup, column string) int {
	for i := range x.fields {
		if x.fields[i].column == column && g.chunks[i].encoding != encodingEmpty {
			return i
		}
	}
	return -1
}

// equal gives a quick way to find values in a dictionary, which is in order.
func (a *asker) equal(f *field, c *columns.Column, d *store.Dict) func([]columns.Value, []bool) int {
	return func(values []columns.Value, found []bool) int {
		n := 0
		for _, v := range values {
			id := a.search(f, c, d, v)
			if id > 0 && !found[id] {
				found[id] = true
				n++
			}
		}
		return n
	}
}

// search finds a value in a dictionary; 0 says that it is not there.
func (a *asker) search(f *field, c *columns.Column, d *store.Dict, v columns.Value) int {
	if f.kind == kindInteger {
		n, ok := integerOf(c, v)
		if !ok {
			return 0
		}
		id := searchDict(d, func(text string) int { return compareIntegers(text, n) })
		return id
	}
	want := a.text(c, v)
	return searchDict(d, func(text string) int { return strings.Compare(text, want) })
}

func searchDict(d *store.Dict, compare func(text string) int) int {
	low, high := 1, d.Len()
	for low < high {
		middle := (low + high) / 2
		if compare(d.Text(middle)) < 0 {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low < d.Len() && compare(d.Text(low)) == 0 {
		return low
	}
	return 0
}
