package netlab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/mdlayher/netlink"
	"github.com/ti-mo/conntrack"
	"github.com/ti-mo/netfilter"
)

// Table opens the connection table of a namespace for reading and changing.
func (n *Namespace) Table() (*conntrack.Conn, error) {
	file, err := os.Open(n.Path())
	if err != nil {
		return nil, fmt.Errorf("open namespace: %w", err)
	}
	defer file.Close()
	return conntrack.Dial(&netlink.Config{NetNS: int(file.Fd())})
}

// Flows reads the connection table of a namespace.
func (n *Namespace) Flows() ([]conntrack.Flow, error) {
	table, err := n.Table()
	if err != nil {
		return nil, err
	}
	flows, err := table.Dump(nil)
	return flows, errors.Join(err, table.Close())
}

// Gone waits until no flow of the router has this original source and protocol any more: reading the table makes the
// kernel remove what has timed out.
func (l *Lab) Gone(from netip.AddrPort, proto uint8, limit time.Duration) error {
	return Poll(l.ctx, limit, func() error {
		flows, err := l.Router.Flows()
		if err != nil {
			return err
		}
		for i := range flows {
			if sourceOf(&flows[i]) == from && flows[i].TupleOrig.Proto.Protocol == proto {
				return fmt.Errorf("%s is still in the table", from)
			}
		}
		return nil
	})
}

func sourceOf(f *conntrack.Flow) netip.AddrPort {
	return netip.AddrPortFrom(f.TupleOrig.IP.SourceAddress, f.TupleOrig.Proto.SourcePort)
}

// Oracle sums what plain conntrack says, with a library that is not ours: the final counters of each flow that
// ends while it listens, plus the counters of those that still live. A flow is told apart by its
// starting time, so a repeated end counts once.
type Oracle struct {
	lab    *Lab
	conn   *conntrack.Conn
	events chan conntrack.Event
	errs   chan error
	done   sync.WaitGroup

	mu    sync.Mutex
	ended map[incarnation]conntrack.Flow // under mu
}

type incarnation struct {
	from, to netip.AddrPort
	proto    uint8
	start    time.Time
}

func incarnationOf(f *conntrack.Flow) incarnation {
	return incarnation{
		from: sourceOf(f), proto: f.TupleOrig.Proto.Protocol, start: f.Timestamp.Start,
		to: netip.AddrPortFrom(f.TupleOrig.IP.DestinationAddress, f.TupleOrig.Proto.DestinationPort),
	}
}

// Listen starts an oracle in the router.
func (l *Lab) Listen() (*Oracle, error) {
	conn, err := l.Router.Table()
	if err != nil {
		return nil, err
	}
	o := &Oracle{lab: l, conn: conn, events: make(chan conntrack.Event, 1024), ended: map[incarnation]conntrack.Flow{}}
	if err = conn.SetReadBuffer(64 << 20); err != nil {
		return nil, err
	}
	if o.errs, err = conn.Listen(o.events, 1, []netfilter.NetlinkGroup{netfilter.GroupCTDestroy}); err != nil {
		return nil, err
	}
	o.done.Go(func() {
		for e := range o.events {
			if e.Flow != nil {
				o.mu.Lock()
				o.ended[incarnationOf(e.Flow)] = *e.Flow
				o.mu.Unlock()
			}
		}
	})
	l.t.Cleanup(o.close)
	return o, nil
}

func (o *Oracle) close() {
	if err := o.conn.Close(); err != nil {
		o.lab.t.Errorf("netlab: close oracle: %v", err)
	}
	close(o.events)
	o.done.Wait()
}

// Totals sums what is known now.
func (o *Oracle) Totals() (Totals, error) {
	select {
	case err := <-o.errs:
		return nil, fmt.Errorf("listen to conntrack: %w", err)
	default:
	}
	flows, err := o.lab.Router.Flows()
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	t := Totals{}
	for i := range flows {
		if _, ended := o.ended[incarnationOf(&flows[i])]; !ended {
			o.lab.book(t, &flows[i])
		}
	}
	for _, f := range o.ended {
		o.lab.book(t, &f)
	}
	return t, nil
}

// book adds a flow to its client: the one that opened it, else the one that answered.
func (l *Lab) book(t Totals, f *conntrack.Flow) {
	up, down := f.CountersOrig, f.CountersReply
	client := f.TupleOrig.IP.SourceAddress
	if l.at(client) != l.Client {
		client, up, down = f.TupleReply.IP.SourceAddress, down, up
	}
	if l.at(client) == l.Client {
		t.Book(Who{client, f.TupleOrig.Proto.Protocol}, Sum{up.Bytes, up.Packets, down.Bytes, down.Packets})
	}
}

// incarnations counts the flows of one origin and protocol that ended or live.
func (o *Oracle) incarnations(from netip.AddrPort, proto uint8) int {
	flows, err := o.lab.Router.Flows()
	if err != nil {
		o.lab.t.Errorf("netlab: %v", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	all := map[incarnation]bool{}
	for i := range flows {
		all[incarnationOf(&flows[i])] = true
	}
	for in := range o.ended {
		all[in] = true
	}
	n := 0
	for in := range all {
		if in.from == from && in.proto == proto {
			n++
		}
	}
	return n
}
