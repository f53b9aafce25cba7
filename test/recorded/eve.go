package recorded

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Event is one line of Suricata, with the little that tells whose it is and what it calls the other end.
type Event struct {
	// Raw is the line that it stood on, without its newline.
	Raw []byte
	// At is its time, and Written when it can have been written: lines are not in the order of their times.
	At, Written time.Time
	Type        string
	Tuple       Tuple
	// Began is the start of its flow as Suricata's record of the flow tells it; zero without one.
	Began time.Time
	// SNI, Host and Queries are the names that it tells, as they stand in it.
	SNI, Host string
	Queries   []string
	// Answers are the addresses that a DNS answer gives.
	Answers []netip.Addr
	flowID  uint64
	start   time.Time
	tagged  bool
}

// line is what is read of the JSON.
type line struct {
	Timestamp string `json:"timestamp"`
	FlowID    uint64 `json:"flow_id"`
	Type      string `json:"event_type"`
	SrcIP     string `json:"src_ip"`
	DestIP    string `json:"dest_ip"`
	SrcPort   uint16 `json:"src_port"`
	DestPort  uint16 `json:"dest_port"`
	Proto     string `json:"proto"`
	VLAN      []int  `json:"vlan"`
	Flow      struct {
		Start string `json:"start"`
	} `json:"flow"`
	TLS struct {
		SNI string `json:"sni"`
	} `json:"tls"`
	HTTP struct {
		Hostname string `json:"hostname"`
	} `json:"http"`
	DNS  json.RawMessage `json:"dns"`
	MDNS json.RawMessage `json:"mdns"`
}

// question is what is read of a dns object, of version 2 or 3, or of a mdns object.
type question struct {
	Name    string `json:"rrname"`
	Queries []struct {
		Name string `json:"rrname"`
	} `json:"queries"`
	Answers []struct {
		Name string `json:"rrname"`
		Data any    `json:"rdata"`
		A    string `json:"a"`
		AAAA string `json:"aaaa"`
	} `json:"answers"`
}

const stamp = "2006-01-02T15:04:05.999999-0700"

// readEVE reads events, each on a line. Of a line that is cut, so that the next event stands on it too, it reads that
// one if it is whole; it says how many lines were of no use.
func readEVE(content []byte) (all []Event, lost int) {
	var written time.Time
	for raw := range bytes.Lines(content) {
		raw = bytes.TrimRight(raw, "\n")
		e, err := readLine(raw)
		if err != nil {
			if e, err = readLine(raw[max(0, bytes.LastIndex(raw, []byte(`{"timestamp":"`))):]); err != nil {
				lost++
				continue
			}
		}
		if e.At.After(written) {
			written = e.At
		}
		e.Raw, e.Written = raw, written
		all = append(all, e)
	}
	return all, lost
}

// begin tells events when their flows began, as records of the flows say, which are among events too.
func begin(events, records []Event) {
	began := map[string]time.Time{}
	for i := range records {
		if records[i].Type == "flow" {
			began[records[i].flow()] = records[i].start
		}
	}
	for i := range events {
		events[i].Began = began[events[i].flow()]
	}
}

// flow names Suricata's flow: its identifier alone may be used twice.
func (e *Event) flow() string {
	a, b := e.Tuple.Src.String(), e.Tuple.Dst.String()
	return fmt.Sprint(e.flowID, e.Tuple.Proto, min(a, b), max(a, b))
}

func readLine(raw []byte) (e Event, err error) {
	var l line
	if err := json.Unmarshal(raw, &l); err != nil {
		return e, fmt.Errorf("unmarshal: %w", err)
	}
	e = Event{Type: l.Type, SNI: l.TLS.SNI, Host: l.HTTP.Hostname, flowID: l.FlowID, tagged: len(l.VLAN) > 0}
	if e.At, err = time.Parse(stamp, l.Timestamp); err != nil {
		return e, fmt.Errorf("timestamp: %w", err)
	}
	if l.Flow.Start != "" {
		if e.start, err = time.Parse(stamp, l.Flow.Start); err != nil {
			return e, fmt.Errorf("flow.start: %w", err)
		}
	}
	e.Tuple.Proto = map[string]uint8{"TCP": 6, "UDP": 17, "ICMP": 1, "IPV6-ICMP": 58}[strings.ToUpper(l.Proto)]
	src, _ := netip.ParseAddr(l.SrcIP)
	dest, _ := netip.ParseAddr(l.DestIP)
	e.Tuple.Src, e.Tuple.Dst = netip.AddrPortFrom(src, l.SrcPort), netip.AddrPortFrom(dest, l.DestPort)
	switch l.Type {
	case "dns":
		err = e.readDNS(l.DNS)
	case "mdns":
		err = e.readDNS(l.MDNS)
	}
	return e, err
}

func (e *Event) readDNS(raw []byte) error {
	var q question
	if err := json.Unmarshal(raw, &q); err != nil {
		return fmt.Errorf("dns: %w", err)
	}
	for _, s := range q.Queries {
		e.Queries = append(e.Queries, s.Name)
	}
	if q.Name != "" && len(e.Queries) == 0 {
		e.Queries = []string{q.Name}
	}
	for _, a := range q.Answers {
		text, _ := a.Data.(string)
		if addr, err := netip.ParseAddr(text + a.A + a.AAAA); err == nil {
			e.Answers = append(e.Answers, addr)
		}
		if len(e.Queries) == 0 && e.Type == "mdns" {
			e.Queries = []string{a.Name}
		}
	}
	return nil
}

// Routed says whether the event is about a packet that the router forwarded or took: unicast, and not one of the
// frames with a VLAN tag that the lab put on the wire, since its router has no VLANs.
func (e *Event) Routed() bool {
	if e.tagged {
		return false
	}
	for _, a := range []netip.Addr{e.Tuple.Src.Addr(), e.Tuple.Dst.Addr()} {
		if !a.IsGlobalUnicast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
			return false
		}
	}
	return e.Tuple.Proto == 6 || e.Tuple.Proto == 17
}

// fits says whether a tuple has the event's two ends, in either direction.
func (e *Event) fits(t *Tuple) bool {
	o := &e.Tuple
	return o.Proto == t.Proto && (o.Src == t.Src && o.Dst == t.Dst || o.Src == t.Dst && o.Dst == t.Src)
}

// Owner gives the connection that an event is about, or nil: one with its ends, before NAT or behind it. Of several
// it is the one that began when Suricata's flow did, or if that is unknown, the one that lived when the event
// happened; so too if the protocol has no connections, where one flow of Suricata may be several of the kernel.
func (r *Run) Owner(e *Event) *Flow {
	began := e.Tuple.Proto == 6 && !e.Began.IsZero()
	var best *Flow
	for _, f := range r.Flows {
		switch {
		case !e.fits(&f.Orig) && !e.fits(&f.Reply):
		case best == nil,
			began && f.Start.Sub(e.Began).Abs() <= best.Start.Sub(e.Began).Abs(),
			!began && f.distance(e.At) <= best.distance(e.At):
			best = f
		}
	}
	return best
}

// distance is how far a time lies from the life of a flow.
func (f *Flow) distance(at time.Time) time.Duration {
	switch {
	case at.Before(f.Start):
		return f.Start.Sub(at)
	case !f.Stop.IsZero() && at.After(f.Stop):
		return at.Sub(f.Stop)
	}
	return 0
}

// String is for messages of tests.
func (f *Flow) String() string {
	return fmt.Sprintf("%d %s>%s (%s>%s) %s..%s", f.Orig.Proto, f.Orig.Src, f.Orig.Dst, f.Reply.Src, f.Reply.Dst,
		f.Start.Format("05.000000"), f.Stop.Format("05.000000"))
}
