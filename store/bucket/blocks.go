package bucket

import (
	"context"
	"fmt"

	"weir/columns"
	"weir/store"
)

// Blocks hands on all rows of the file, of which those of a row group come sorted; want are the columns that are read,
// nil all of this build. A block is valid until f returns.
func (f *File) Blocks(ctx context.Context, want []*columns.Column, take func(*store.Block) error) error {
	request := &store.Request{By: want}
	if want == nil {
		for _, name := range f.info.Columns {
			if c := lookup(name); c != nil {
				request.By = append(request.By, c)
			}
		}
	}
	a, err := newAsker(request, store.NewPartial(request))
	if err != nil {
		return err
	}
	defer a.done()
	a.reader.file = f
	for i := range f.index.groups {
		if err := a.blocks(ctx, f.index, &f.index.groups[i], take); err != nil {
			return fmt.Errorf("read bucket %s: %w", f.path, err)
		}
	}
	return nil
}

// blocks hands on the rows of a row group, page by page.
func (a *asker) blocks(ctx context.Context, x *index, group *rowGroup, take func(*store.Block) error) error {
	if err := guard(func() error { return a.group.openAll(a, x, group) }); err != nil {
		return err
	}
	var b store.Block
	var wide []uint64
	for page := range group.chunks[0].pages {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := guard(func() error {
			wide = wide[:0]
			var err error
			b, wide, err = a.group.block(page, wide)
			return err
		})
		if err != nil {
			return err
		}
		if err := take(&b); err != nil {
			return err
		}
	}
	return nil
}

// openAll reads all dictionaries of a row group.
func (g *askedGroup) openAll(a *asker, x *index, group *rowGroup) error {
	_, err := g.begin(a, x, group, true)
	return err
}

// block gives the rows of a page. wide is used for their times.
func (g *askedGroup) block(page int, wide []uint64) (store.Block, []uint64, error) {
	if err := g.rest(page); err != nil {
		return store.Block{}, wide, err
	}
	if err := g.loadTimes(page); err != nil {
		return store.Block{}, wide, err
	}
	b := store.Block{Part: g.part}
	b.Rows = g.start.chunk.pages[page].rows
	for i := range b.Rows {
		wide = append(wide, uint64(g.times.Starts[g.times.IDs.At(i)])) //nolint:gosec // A bit pattern.
	}
	b.Starts = store.IntsOf(nil, wide)
	return b, wide, nil
}

// Texts hands on the cells of one column as they are written, also of one that this build lacks; "" is the empty cell.
// The texts of a call are those of the rows of a page, in the order of [File.Blocks].
func (f *File) Texts(ctx context.Context, column string, take func(cells []string) error) error {
	a, err := newAsker(&store.Request{}, store.NewPartial(&store.Request{}))
	if err != nil {
		return err
	}
	defer a.done()
	a.reader.file = f
	for i := range f.index.groups {
		if err := ctx.Err(); err != nil {
			return err
		}
		var pages [][]string
		err := guard(func() error {
			pages, err = a.reader.texts(f.index, &f.index.groups[i], column)
			return err
		})
		if err != nil {
			return fmt.Errorf("read bucket %s: %w", f.path, err)
		}
		for _, cells := range pages {
			if err := take(cells); err != nil {
				return err
			}
		}
	}
	return nil
}

// texts reads the cells of a column, page by page.
func (r *reader) texts(x *index, g *rowGroup, column string) ([][]string, error) {
	pages := make([][]string, len(g.chunks[0].pages))
	for i, p := range g.chunks[0].pages {
		pages[i] = make([]string, p.rows)
	}
	at := x.findName(g, column)
	if at < 0 {
		return pages, nil
	}
	f, c := &x.fields[at], &g.chunks[at]
	if c.encoding != encodingDictionary {
		return pages, r.integerTexts(c, pages)
	}
	text, ends, err := r.entries(f, c)
	if err != nil {
		return nil, err
	}
	dict := store.NewDict(text, ends, nil)
	for i := range c.pages {
		ids, err := r.pageIDs(c, &c.pages[i], nil)
		if err != nil {
			return nil, err
		}
		for row, id := range ids {
			if id == 0 {
				continue
			}
			if pages[i][row] = dict.Text(int(id)); f.kind == kindInteger {
				pages[i][row] = formatInteger(integerIn(dict.Text(int(id))))
			}
		}
	}
	return pages, nil
}

// integerTexts reads the cells of a column of integers without a dictionary.
func (r *reader) integerTexts(c *chunk, pages [][]string) error {
	for i := range c.pages {
		values, there, err := r.pageIntegers(c, &c.pages[i], nil)
		if err != nil {
			return err
		}
		for row, v := range values {
			if there == nil || there[row]&1 != 0 {
				pages[i][row] = formatInteger(int64(v)) //nolint:gosec // A bit pattern.
			}
		}
	}
	return nil
}
