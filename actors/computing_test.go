package actors

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"weir/columns"
	"weir/columns/app"
	"weir/computations"
	"weir/messages"
	"weir/sources"
)

// computed makes computations from a function.
type computed func(core computations.Core) (computations.Computation, error)

func (computed) Enabled() bool   { return true }
func (computed) Validate() error { return nil }

func (c computed) New(core computations.Core) (computations.Computation, error) { return c(core) }

// always makes a computation that is there already.
func always(c computations.Computation) computed {
	return func(computations.Core) (computations.Computation, error) { return c, nil }
}

// thinker is a computation whose parts are given.
type thinker struct {
	handle func(in *messages.Events, view *computations.View, out computations.Out)
	settle func(now int64, view *computations.View, out computations.Out)
}

func (c *thinker) Handle(in *messages.Events, view *computations.View, out computations.Out) {
	if c.handle != nil {
		c.handle(in, view, out)
	}
}

func (c *thinker) Settle(now int64, view *computations.View, out computations.Out) {
	if c.settle != nil {
		c.settle(now, view, out)
	}
}

func (*thinker) Metrics() []messages.Metric {
	return []messages.Metric{{Name: "thoughts_total", Help: "thoughts", Value: 42}}
}

// tagEach is a Handle that tags each new flow.
func tagEach(tags ...columns.Tag) func(*messages.Events, *computations.View, computations.Out) {
	return func(in *messages.Events, _ *computations.View, out computations.Out) {
		for i := range in.Flows {
			if e := &in.Flows[i]; !slices.Contains(e.Tags, tags[0]) {
				out.Tag(e, tags)
			}
		}
	}
}

// memo keeps what it was told to, and everything that Load was given.
type memo struct {
	thinker
	mu     sync.Mutex
	keep   string
	loaded []string
	saved  int
	onSave func(w io.Writer) error
	onLoad func(state string) error
}

func (c *memo) Save(w io.Writer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.saved++
	if c.onSave != nil {
		return c.onSave(w)
	}
	_, err := io.WriteString(w, c.keep)
	return err
}

func (c *memo) Load(r io.Reader) error {
	b, err := io.ReadAll(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loaded = append(c.loaded, string(b))
	if c.onLoad != nil {
		return errors.Join(err, c.onLoad(string(b)))
	}
	return err
}

// scholar reads files.
type scholar struct {
	thinker
	patterns []string
	mu       sync.Mutex
	read     [][]computations.File
	wrong    []error
	reads    atomic.Int32
}

func (c *scholar) Patterns() []string { return c.patterns }

func (c *scholar) Read(files []computations.File, view *computations.View, _ computations.Out) []error {
	if view == nil {
		panic("no view")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = append(c.read, files)
	c.reads.Add(1)
	return c.wrong
}

// last is what was read last, as texts by path.
func (c *scholar) last() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]string{}
	for _, f := range c.read[len(c.read)-1] {
		all[f.Path] = string(f.Content)
	}
	return all
}

// tagged counts the rows of a slice that have a cell with this tag.
func tagged(s *messages.Slice, t columns.Tag) (n int) {
	for _, p := range s.Parts {
		for _, c := range p.Cells {
			if c.Column != t.Column {
				continue
			}
			for _, id := range c.IDs {
				if c.Dict[id] == t.Value {
					n++
				}
			}
		}
	}
	return n
}

// rowsOf counts the rows of a slice.
func rowsOf(s *messages.Slice) (n int) {
	for _, p := range s.Parts {
		n += p.Len()
	}
	return n
}

// The tags that computations of the tests make.
var (
	appX  = app.Column.Tag("x")
	origY = app.Original.Tag("y")
)

func tagList(tags ...columns.Tag) []columns.Tag { return tags }

// teller is a source that tells so many facts.
func teller(n int) config {
	return func(core sources.Core) (sources.Source, error) {
		return push(func(ctx context.Context, ready func()) error {
			w := core.Out.Writer(sources.Wait)
			ready()
			for i := range n {
				a := netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)})
				if err := w.Tell(ctx, &messages.Fact{Kind: messages.FactReverse, Addr: a, Name: "x"}); err != nil {
					return err
				}
			}
			if err := w.Flush(ctx); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		}), nil
	}
}
