package conntrack

import (
	"context"
	"encoding/binary"
	"fmt"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"weir/sources"
)

// dumper reads the whole table. After a dump that failed or was broken off it is useless: the kernel calls
// the socket busy.
type dumper struct {
	sock    *socket
	writer  sources.Writer // waits for credit; it is the source's and outlives the dumper
	builder builder
	rec     record
	seq     uint32
}

// census is what a dump found besides the flows themselves.
type census struct {
	began, ended time.Time
	records      uint64
	uncounted    uint64 // without counters
	offloaded    uint64
	malformed    uint64
	interrupted  bool // the kernel says that the table changed under its hands
	// survivors and present count flows for the detector of silence: those that began after joined and
	// before the last dump, and before this one.
	survivors, present uint64
}

// newDumper opens a socket in the namespace of the calling thread.
func (s *Source) newDumper() (*dumper, error) {
	sock, err := dial(int(s.cfg.DumpBuffer), &s.metrics.foreign)
	if err != nil {
		return nil, err
	}
	return &dumper{sock: sock, writer: s.dumped}, nil
}

// dump asks for the table and posts each record. joined and last, when the last dump began or zero, are for the
// detector of silence.
func (d *dumper) dump(ctx context.Context, joined, last time.Time) (census, error) {
	defer context.AfterFunc(ctx, d.sock.interrupt)()
	c := census{began: time.Now()}
	if err := d.request(); err != nil {
		return c, err
	}
	v := view{joined: joined.UnixNano(), last: joined.UnixNano(), began: c.began.UnixNano()}
	if !last.IsZero() {
		v.last = last.UnixNano()
	}
	for done := false; !done; {
		b, err := d.sock.receive()
		if ctx.Err() != nil {
			return c, ctx.Err()
		}
		if err != nil {
			return c, fmt.Errorf("read dump: %w", err)
		}
		if done, err = d.datagram(ctx, b, &v, &c); err != nil {
			return c, err
		}
	}
	if err := d.writer.Flush(ctx); err != nil {
		return c, fmt.Errorf("post dump: %w", err)
	}
	c.ended = time.Now()
	return c, nil
}

// request asks for all flows of all families. It filters nothing: while the kernel looks for entries that
// match, it keeps a processor from all other work until it has filled a buffer.
func (d *dumper) request() error {
	m, err := d.sock.conn.Send(netlink.Message{
		Header: netlink.Header{Type: msgGet, Flags: netlink.Request | netlink.Dump},
		Data:   make([]byte, nfgenLen),
	})
	if err != nil {
		return fmt.Errorf("ask for dump: %w", err)
	}
	d.seq = m.Header.Sequence
	return nil
}

// datagram takes the messages of one datagram; done says that the dump is over.
func (d *dumper) datagram(ctx context.Context, b []byte, v *view, c *census) (done bool, err error) {
	for {
		h, payload, rest, ok, err := nextMessage(b)
		if err != nil || !ok {
			return false, err
		}
		b = rest
		if h.seq != d.seq {
			continue
		}
		c.interrupted = c.interrupted || h.flags&unix.NLM_F_DUMP_INTR != 0
		switch h.typ {
		case unix.NLMSG_DONE, unix.NLMSG_ERROR:
			if err := result(payload); err != nil {
				return true, fmt.Errorf("dump: %w", err)
			}
			return true, nil
		case msgNew:
			if err := d.flow(ctx, payload, v, c); err != nil {
				return false, err
			}
		}
	}
}

// result reads the error number at the end of a dump; DONE may come without one.
func result(payload []byte) error {
	if len(payload) < 4 {
		return nil
	}
	errno := int32(binary.NativeEndian.Uint32(payload)) //nolint:gosec // It is a signed number.
	if errno >= 0 {
		return nil
	}
	return syscall.Errno(-int64(errno))
}

func (d *dumper) flow(ctx context.Context, payload []byte, v *view, c *census) error {
	if err := d.rec.decode(payload); err != nil {
		c.malformed++
		return nil //nolint:nilerr // It is counted, and makes the dump incomplete.
	}
	c.add(&d.rec, v)
	u, alias, tags := d.builder.build(&d.rec)
	if err := d.writer.Add(ctx, u, alias, tags); err != nil {
		return fmt.Errorf("post dump: %w", err)
	}
	return nil
}

// view is the times that a census compares starts with, in nanoseconds since 1970.
type view struct {
	joined, last, began int64
}

func (c *census) add(r *record, v *view) {
	c.records++
	if r.have&haveCounters != haveCounters {
		c.uncounted++
	}
	if r.status&(statusOffload|statusHWOffload) != 0 {
		c.offloaded++
	}
	if start := int64(r.start); start >= v.joined { //nolint:gosec // A time before 2262.
		if start < v.last {
			c.survivors++
		}
		if start < v.began {
			c.present++
		}
	}
}

// whole says that every flow of the table was in the dump.
func (c *census) whole() bool { return c.malformed == 0 && !c.interrupted }

// note keeps the census for the metrics.
func (c *census) note(m *metrics) {
	m.dumps.Add(1)
	m.malformed.Add(c.malformed)
	m.records.Store(c.records)
	m.uncounted.Store(c.uncounted)
	m.offloaded.Store(c.offloaded)
	m.dumpNanos.Store(uint64(max(0, c.ended.Sub(c.began)))) //nolint:gosec // Not negative.
}
