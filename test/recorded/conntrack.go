package recorded

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/messages"
)

// Tuple is a flow as one side of the router sees it. For ICMP the ports are 0.
type Tuple struct {
	Proto    uint8
	Src, Dst netip.AddrPort
}

// Flow is one connection of the kernel, from its beginning to its end.
type Flow struct {
	// Orig is the tuple of who opened it, Reply that of the answers.
	Orig, Reply Tuple
	// ICMPID is the id of an ICMP exchange, ICMPType its type and code.
	ICMPID, ICMPType uint16
	ID               uint32
	// Start is when it began and Stop when it ended by the kernel's own clock, as near as can be told (see
	// settle); Stop is zero if the flow outlived the run.
	Start, Stop time.Time
	// Counters are the last ones known of each direction, as in Orig and Reply.
	Counters [2]messages.Counter
	// Known says whether there were counters.
	Known bool
}

// News is one line of conntrack -E.
type News struct {
	At time.Time
	// Kind is NEW, UPDATE or DESTROY.
	Kind string
	Flow *Flow
}

var (
	reEvent = regexp.MustCompile(`^\[(\d+)\.(\d{6})\]\s+\[([A-Z]+)\]\s+(.*)$`)
	errLine = errors.New("not understood")
)

// parseRecord reads what events and the table have in common.
func parseRecord(text string) (*Flow, error) {
	fields := strings.Fields(text)
	if len(fields) < 4 {
		return nil, errLine
	}
	proto, err := strconv.ParseUint(fields[3], 10, 8)
	if err != nil {
		return nil, errLine
	}
	r := &reader{direction: -1}
	r.flow.Orig.Proto, r.flow.Reply.Proto = uint8(proto), uint8(proto)
	for _, f := range fields[4:] {
		if key, value, ok := strings.Cut(f, "="); ok {
			r.field(key, value)
		}
	}
	if r.direction != 1 || r.err != nil {
		return nil, errors.Join(errLine, r.err)
	}
	r.flow.Known = r.counted
	return &r.flow, nil
}

// reader reads the fields of a line; each of the two directions begins with src.
type reader struct {
	flow      Flow
	direction int
	counted   bool
	err       error
}

func (r *reader) number(text string, bits int) uint64 {
	n, err := strconv.ParseUint(text, 10, bits)
	r.err = errors.Join(r.err, err)
	return n
}

func (r *reader) short(text string) uint16 {
	return uint16(r.number(text, 16)) //nolint:gosec // It was read as 16 bits.
}

func (r *reader) field(key, value string) {
	if key == "src" {
		r.direction++
	}
	if r.direction < 0 || r.direction > 1 {
		return
	}
	t := &r.flow.Orig
	if r.direction == 1 {
		t = &r.flow.Reply
	}
	switch key {
	case "src":
		t.Src = r.address(value)
	case "dst":
		t.Dst = r.address(value)
	case "sport":
		t.Src = netip.AddrPortFrom(t.Src.Addr(), r.short(value))
	case "dport":
		t.Dst = netip.AddrPortFrom(t.Dst.Addr(), r.short(value))
	case "packets":
		r.flow.Counters[r.direction].Packets = r.number(value, 64)
		r.counted = true
	case "bytes":
		r.flow.Counters[r.direction].Bytes = r.number(value, 64)
	default:
		r.rest(key, value)
	}
}

// rest reads fields that are not of a direction. The id of an ICMP exchange has the same name as that of the flow,
// which is the last one.
func (r *reader) rest(key, value string) {
	switch key {
	case "type":
		if r.direction == 0 {
			r.flow.ICMPType |= r.short(value) << 8
		}
	case "code":
		if r.direction == 0 {
			r.flow.ICMPType |= r.short(value)
		}
	case "id":
		n := uint32(r.number(value, 32)) //nolint:gosec // It was read as 32 bits.
		if r.direction == 0 {
			r.flow.ICMPID = uint16(n) //nolint:gosec // An ICMP id has 16 bits.
		}
		r.flow.ID = n
	}
}

func (r *reader) address(text string) netip.AddrPort {
	a, err := netip.ParseAddr(text)
	r.err = errors.Join(r.err, err)
	return netip.AddrPortFrom(a, 0)
}

// SameTuple says whether two flows cannot live at once, since the kernel could not tell them apart.
func (f *Flow) SameTuple(o *Flow) bool {
	return f.Orig == o.Orig && f.ICMPID == o.ICMPID && f.ICMPType == o.ICMPType
}

// same says whether two records are of the same flow or of one with its tuples: the kernel uses an id again.
func (f *Flow) same(o *Flow) bool {
	return f.Orig == o.Orig && f.Reply == o.Reply && f.ICMPID == o.ICMPID && f.ID == o.ID
}

// readEvents reads conntrack -E.
func readEvents(in io.Reader) (all []News, flows []*Flow, err error) {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		m := reEvent.FindStringSubmatch(lines.Text())
		if m == nil {
			return nil, nil, fmt.Errorf("%w: %q", errLine, lines.Text())
		}
		micros, err := strconv.ParseInt(m[1]+m[2], 10, 64)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %q", err, lines.Text())
		}
		at := time.UnixMicro(micros)
		f, err := parseRecord(m[4])
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %q", err, lines.Text())
		}
		n := News{At: at, Kind: m[3]}
		if n.Flow = living(flows, f); n.Flow == nil {
			f.Start = at
			n.Flow = f
			flows = append(flows, f)
		}
		if n.Kind == "DESTROY" {
			n.Flow.Stop, n.Flow.Counters, n.Flow.Known = at, f.Counters, f.Known
		}
		all = append(all, n)
	}
	return all, flows, lines.Err()
}

// living finds the flow that a record is about.
func living(flows []*Flow, f *Flow) *Flow {
	for _, o := range slices.Backward(flows) {
		if o.same(f) && o.Stop.IsZero() {
			return o
		}
	}
	return nil
}

// readTable adds the counters of flows that outlived the run, and flows of which nothing else was told.
func readTable(in io.Reader, flows []*Flow, end time.Time) ([]*Flow, error) {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		f, err := parseRecord(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("%w: %q", err, lines.Text())
		}
		if slices.ContainsFunc(flows, func(o *Flow) bool { return o.same(f) && !o.Stop.IsZero() }) {
			continue // Its end was told after the table was read.
		}
		o := living(flows, f)
		if o == nil {
			f.Start = end
			o = f
			flows = append(flows, f)
		}
		o.Counters, o.Known = f.Counters, f.Known
	}
	return flows, lines.Err()
}
