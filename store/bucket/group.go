package bucket

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"weir/columns"
	"weir/store"
)

// askedGroup is a row group while it is asked.
type askedGroup struct {
	*asker
	index *index
	group *rowGroup
	part  store.Part
	times store.Times
	// cells are those of the part, by place; start is when slices start.
	cells []askedCells
	start askedCells
	// measures are the fields of counts.
	measures [store.Measures]askedCells
}

// askedCells is one field of a row group while it is asked.
type askedCells struct {
	field *field
	chunk *chunk
	// words says that its dictionary was read.
	words bool
	// page is the page, from 1, whose ids or values are in buffer.
	page  int
	ids   []uint32
	longs []uint64
	// all are the ids of all rows, of a field without a dictionary of its own that was numbered as a whole.
	all []uint32
	// numbers are of the integers so far, which are in entries, of such a field that is numbered by and by.
	numbers map[int64]uint32
	entries []byte
	// values is the dictionary of counts.
	values []uint64
}

func compareIntegers(text string, n int64) int { return cmp.Compare(integerIn(text), n) }

// open points to a field, and forgets what was there before.
func (c *askedCells) open(x *index, g *rowGroup, at int) {
	*c = askedCells{
		field: &x.fields[at], chunk: &g.chunks[at], ids: c.ids, longs: c.longs, all: c.all[:0], entries: c.entries[:0],
	}
}

// begin reads what is needed to know whether any row can be wanted; all dictionaries if words is set.
func (g *askedGroup) begin(a *asker, x *index, group *rowGroup, words bool) (bool, error) {
	g.asker, g.index, g.group = a, x, group
	g.part.Rows, g.part.Cells = group.rows, g.part.Cells[:0]
	n := 0
	for _, c := range a.needed {
		at := x.find(group, c)
		if at < 0 {
			continue
		}
		if n == len(g.cells) {
			g.cells = append(g.cells, askedCells{})
		}
		g.cells[n].open(x, group, at)
		g.part.Cells = append(g.part.Cells, store.PartCells{Column: c})
		if err := g.openCells(n, words || slices.Contains(a.filter, c)); err != nil {
			return false, err
		}
		n++
	}
	for i := range x.fields {
		switch f := &x.fields[i]; f.kind {
		case kindStart:
			g.start.open(x, group, i)
		case kindMeasure:
			g.measures[f.measure].open(x, group, i)
		default:
		}
	}
	if err := g.openTimes(); err != nil {
		return false, err
	}
	return a.scan.Begin(&g.part, &g.times), nil
}

// openCells makes a column ready; its dictionary is read if the filter asks for it, else later or never.
func (g *askedGroup) openCells(at int, now bool) error {
	c := &g.cells[at]
	n := c.chunk.entries
	switch plain := c.chunk.encoding != encodingDictionary; {
	case now && plain:
		return g.number(at)
	case now:
		return g.word(at)
	case plain:
		n, c.numbers = g.group.rows, map[int64]uint32{}
	}
	g.part.Cells[at].Dict = store.NewDict("", store.SameInts(0, n), nil)
	return nil
}

// word reads the dictionary of a column.
func (g *askedGroup) word(at int) error {
	c, cells := &g.cells[at], &g.part.Cells[at]
	if c.words {
		return nil
	}
	if c.numbers != nil {
		c.words, cells.Dict = true, g.integerDict(c, cells.Column, c.entries)
		return nil
	}
	dict, err := g.reader.dictionary(c.field, c.chunk, cells.Column)
	if err != nil {
		return err
	}
	c.words, cells.Dict = true, dict
	cells.Equal = g.equal(c.field, cells.Column, &dict)
	return nil
}

// number makes a dictionary of a column of integers that has none.
func (g *askedGroup) number(at int) error {
	c, cells := &g.cells[at], &g.part.Cells[at]
	integers, there, err := g.reader.all(c.chunk, g.group.rows)
	if err != nil {
		return err
	}
	distinct := make([]int64, 0, len(integers))
	for i, v := range integers {
		if there[i] {
			distinct = append(distinct, v)
		}
	}
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	c.all = slices.Grow(c.all[:0], len(integers))[:len(integers)]
	for i, v := range integers {
		c.all[i] = 0
		if there[i] {
			at, _ := slices.BinarySearch(distinct, v)
			c.all[i] = uint32(at + 1) //nolint:gosec // At most groupRows.
		}
	}
	for _, v := range distinct {
		c.entries = binary.LittleEndian.AppendUint64(c.entries, uint64(v)) //nolint:gosec // A bit pattern.
	}
	dict := g.integerDict(c, cells.Column, c.entries)
	c.words, cells.Dict = true, dict
	cells.Equal = g.equal(c.field, cells.Column, &dict)
	return nil
}

// integerDict makes a dictionary of integers.
func (g *askedGroup) integerDict(c *askedCells, column *columns.Column, entries []byte) store.Dict {
	ends := make([]uint32, len(entries)/8)
	for i := range ends {
		ends[i] = uint32(8 * (i + 1)) //nolint:gosec // At most groupRows.
	}
	return store.NewDict(string(entries), store.IntsOf(nil, ends), g.reader.cells(c.field, column)).Shared()
}

// numberPage numbers the integers of those rows of a page that are wanted.
func (g *askedGroup) numberPage(c *askedCells, p *page) ([]uint32, error) {
	integers, there, err := g.reader.pageIntegers(c.chunk, p, c.longs)
	if err != nil {
		return nil, err
	}
	c.longs = integers
	chosen := g.scan.Chosen()
	ids := slices.Grow(c.ids[:0], p.rows)[:p.rows]
	for i, bits := range integers {
		v := int64(bits) //nolint:gosec // A bit pattern.
		ids[i] = 0
		if chosen != nil && !chosen[i] || there != nil && there[i]&1 == 0 {
			continue
		}
		id, ok := c.numbers[v]
		if !ok {
			id = uint32(len(c.numbers) + 1) //nolint:gosec // At most groupRows.
			c.numbers[v] = id
			c.entries = binary.LittleEndian.AppendUint64(c.entries, uint64(v)) //nolint:gosec // A bit pattern.
		}
		ids[i] = id
	}
	return ids, nil
}

// all reads all integers of a chunk of differences.
func (r *reader) all(c *chunk, rows int) (integers []int64, there []bool, err error) {
	integers, there = make([]int64, 0, rows), make([]bool, 0, rows)
	for i := range c.pages {
		values, levels, err := r.pageIntegers(c, &c.pages[i], nil)
		if err != nil {
			return nil, nil, err
		}
		for k, v := range values {
			integers = append(integers, int64(v)) //nolint:gosec // A bit pattern.
			there = append(there, levels == nil || levels[k]&1 != 0)
		}
	}
	return integers, there, nil
}

// openTimes reads when slices start, unless the rows all count in one step.
func (g *askedGroup) openTimes() error {
	first, last := time.Unix(0, g.group.first), time.Unix(0, g.group.last)
	r := g.request
	g.start.words = false
	if r.Holds(first) && r.Holds(last) && r.StepOf(first) == r.StepOf(last) {
		g.times.Starts = append(g.times.Starts[:0], g.group.first)
		g.times.IDs = store.SameInts(0, g.group.rows)
		return nil
	}
	if g.start.chunk.encoding != encodingDictionary {
		return damaged("times without a dictionary")
	}
	starts, err := g.reader.integers(g.start.field, g.start.chunk)
	if err != nil {
		return err
	}
	g.times.Starts, g.times.IDs, g.start.words = g.times.Starts[:0], store.Ints{}, true
	for _, v := range starts {
		g.times.Starts = append(g.times.Starts, int64(v)) //nolint:gosec // A bit pattern.
	}
	return nil
}

// pages asks page by page.
func (g *askedGroup) pages() error {
	read := g.into.Effort.Pages
	added := false
	for page := range g.start.chunk.pages {
		n := g.start.chunk.pages[page].rows
		verdict := g.scan.Ask(func(cells int) store.IDRange { return g.ranges(cells, page) })
		if verdict == store.None {
			continue
		}
		if verdict == store.Some {
			chosen, err := g.choose(page, n)
			if err != nil {
				return err
			}
			if chosen == 0 {
				continue
			}
		}
		if err := g.rest(page); err != nil {
			return err
		}
		g.scan.AddPage(n)
		added = true
	}
	g.count(g.into.Effort.Pages - read)
	if !added {
		return nil
	}
	for i := range g.part.Cells {
		if slices.Contains(g.request.By, g.part.Cells[i].Column) {
			if err := g.word(i); err != nil {
				return err
			}
		}
	}
	g.scan.End()
	return nil
}

// count tells how many pages of the row group could be left alone.
func (g *askedGroup) count(read uint64) {
	fields := len(g.part.Cells)
	for m := range g.measures {
		if !g.request.Skip[m] {
			fields++
		}
	}
	if g.start.words {
		fields++
	}
	all := uint64(fields * len(g.start.chunk.pages)) //nolint:gosec // A count.
	g.into.Effort.PagesSkipped += all - min(all, read)
}

// ranges tells what ids a page holds.
func (g *askedGroup) ranges(cells, page int) store.IDRange {
	if cells == store.TimeCells {
		p := &g.start.chunk.pages[page]
		return store.IDRange{Low: p.low - 1, High: p.high - 1}
	}
	c := &g.cells[cells]
	p := &c.chunk.pages[page]
	r := store.IDRange{Low: p.low, High: p.high, Empty: p.empty > 0}
	if c.chunk.encoding != encodingDictionary && p.values() > 0 {
		r.Low, r.High = 1, uint32(g.part.Cells[cells].Dict.Len()-1) //nolint:gosec // At most groupRows.
	}
	return r
}

// choose reads what the filter needs of a page, and says how many rows pass.
func (g *askedGroup) choose(page, rows int) (int, error) {
	var failed error
	g.scan.Wants(func(cells int) {
		if failed == nil {
			failed = g.load(cells, page)
		}
	})
	if failed != nil {
		return 0, failed
	}
	return g.scan.Choose(rows), nil
}

// load reads the ids of a page into the part, if they are not there.
func (g *askedGroup) load(cells, page int) error {
	if cells == store.TimeCells {
		return g.loadTimes(page)
	}
	c, into := &g.cells[cells], &g.part.Cells[cells].IDs
	if c.page == page+1 {
		return nil
	}
	c.page = page + 1
	p := &c.chunk.pages[page]
	switch {
	case len(c.all) > 0:
		from := page * pageRows
		*into = store.ViewIDs(c.all[from : from+p.rows])
	case p.values() == 0:
		*into = store.SameInts(0, p.rows)
	case p.low == p.high && p.empty == 0:
		*into = store.SameInts(uint64(p.low), p.rows)
	default:
		ids, err := g.pageIDs(c, p)
		if err != nil {
			return err
		}
		c.ids = ids
		*into = store.ViewIDs(ids)
	}
	return nil
}

func (g *askedGroup) pageIDs(c *askedCells, p *page) ([]uint32, error) {
	if c.numbers != nil {
		return g.numberPage(c, p)
	}
	return g.reader.pageIDs(c.chunk, p, c.ids)
}

func (g *askedGroup) loadTimes(page int) error {
	if !g.start.words || g.start.page == page+1 {
		return nil
	}
	g.start.page = page + 1
	ids, err := g.reader.pageIDs(g.start.chunk, &g.start.chunk.pages[page], g.start.ids)
	if err != nil {
		return err
	}
	for i := range ids {
		if ids[i] == 0 {
			return damaged("a row without a time")
		}
		ids[i]--
	}
	g.start.ids = ids
	g.times.IDs = store.ViewIDs(ids)
	return nil
}

// rest reads the columns to group by and the counts of a page.
func (g *askedGroup) rest(page int) error {
	for i := range g.part.Cells {
		if slices.Contains(g.request.By, g.part.Cells[i].Column) {
			if err := g.load(i, page); err != nil {
				return err
			}
		}
	}
	if g.scan.Steps() > 1 {
		if err := g.loadTimes(page); err != nil {
			return err
		}
	}
	for m := range g.measures {
		if g.request.Skip[m] {
			continue
		}
		if err := g.loadMeasure(m, page); err != nil {
			return err
		}
	}
	return nil
}

func (g *askedGroup) loadMeasure(m, page int) error {
	c := &g.measures[m]
	counts, err := g.reader.counts(c, page)
	if err != nil {
		return err
	}
	g.part.Measures[m] = counts
	return nil
}

// counts reads a page of counts.
func (r *reader) counts(c *askedCells, page int) (store.Ints, error) {
	p := &c.chunk.pages[page]
	if p.empty > 0 {
		return store.Ints{}, damaged("a row without a count")
	}
	var err error
	if c.chunk.encoding == encodingDictionary {
		err = r.countsOf(c, p)
	} else {
		c.longs, _, err = r.pageIntegers(c.chunk, p, c.longs)
	}
	return store.ViewLongs(c.longs), err
}

// countsOf reads a page of counts that are in a dictionary.
func (r *reader) countsOf(c *askedCells, p *page) error {
	if len(c.values) == 0 {
		values, err := r.integers(c.field, c.chunk)
		if err != nil {
			return err
		}
		c.values = values
	}
	ids, err := r.pageIDs(c.chunk, p, r.ids)
	if err != nil {
		return err
	}
	r.ids = ids
	c.longs = slices.Grow(c.longs[:0], len(ids))[:len(ids)]
	for i, id := range ids {
		c.longs[i] = c.values[id-1]
	}
	return nil
}
