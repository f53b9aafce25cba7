package bestname

import (
	"net/netip"
	"strings"

	"weir/columns"
	"weir/columns/app"
	"weir/columns/http"
	"weir/columns/name"
	"weir/columns/tls"
	"weir/messages"
)

// subject is a flow whose ends are to be named: what its event says, in the form that the ranking needs.
type subject struct {
	event *messages.Event
	// start is when it began, or if that is unknown when it was heard of.
	start int64
	// initiator and responder are its ends.
	initiator, responder end
	// sni, cn and hosts are what the flow itself told; via says that a host was asked for at a proxy.
	sni, cn string
	hosts   []string
	quic    bool
	via     bool
}

// end is one end of a flow.
type end struct {
	key columns.KeyEnd
	// dialled is the address that the other end knows it by; addr is the real one.
	dialled, addr netip.Addr
	home          bool
	// has are the tags of this end that the flow carries by now.
	has names
}

// names are what a flow says of one of its ends.
type names struct {
	name, site columns.Value
	by         evidence
	sure       name.Certainty
	all        int // how many of name.All
}

// read takes an event in. heard is when it was heard of first.
func (s *subject) read(e *messages.Event, heard int64) {
	*s = subject{event: e, start: e.Start, hosts: s.hosts[:0]}
	if s.start == 0 {
		s.start = heard
	}
	key, dialled := e.Responder()
	s.responder = makeEnd(e, key, dialled.IP())
	key, dialled = e.Initiator()
	s.initiator = makeEnd(e, key, dialled.IP())
	for i := range e.Tags {
		if t := &e.Tags[i]; t.End == columns.NoEnd {
			s.readFlow(t)
		} else {
			s.end(t.End).read(t)
		}
	}
}

func (s *subject) end(k columns.KeyEnd) *end {
	if s.initiator.key == k {
		return &s.initiator
	}
	return &s.responder
}

func (s *subject) readFlow(t *columns.Tag) {
	switch t.Column {
	case tls.SNI.Column:
		s.sni = t.Column.Format(t.Value)
	case tls.CN.Column:
		s.cn = t.Column.Format(t.Value)
	case http.Host.Column:
		s.hosts = append(s.hosts, t.Column.Format(t.Value))
	case http.Method.Column:
		s.via = s.via || t.Column.Format(t.Value) == "CONNECT"
	case http.URL.Column:
		s.via = s.via || strings.HasPrefix(t.Column.Format(t.Value), "http://")
	case app.Column.Column:
		s.quic = t.Column.Format(t.Value) == "quic"
	}
}

// word gives the place of a word, as which its column stores it.
func word(v columns.Value) uint8 {
	if len(v) != 1 {
		return 0
	}
	return v[0]
}

// read takes a tag of the end.
func (n *end) read(t *columns.Tag) {
	switch t.Column {
	case name.Columns.Local:
		n.has.name = t.Value
	case name.Site.Local:
		n.has.site = t.Value
	case name.All.Local:
		n.has.all++
	case name.Source.Local:
		n.has.by = evidence(word(t.Value))
	case name.Sure.Local:
		n.has.sure = name.Certainty(word(t.Value))
	}
}

func makeEnd(e *messages.Event, key columns.KeyEnd, dialled netip.Addr) end {
	n := end{key: key, dialled: dialled}
	if local := (key == columns.EndA) == e.LocalIsA; local {
		n.addr, n.home = e.Ends.Local.Addr, localAtHome(&e.Ends)
	} else {
		n.addr, n.home = e.Ends.Remote.Addr, remoteAtHome(&e.Ends)
	}
	return n
}

func localAtHome(f *columns.Flow) bool {
	switch f.Direction {
	case columns.DirectionUnknown:
		return inside(f.Local.Addr)
	case columns.DirectionTransit:
		return false
	default:
		return true
	}
}

// remoteAtHome: the other end of a flow of the router itself may be on either side.
func remoteAtHome(f *columns.Flow) bool {
	switch f.Direction {
	case columns.DirectionLAN:
		return true
	case columns.DirectionSelf, columns.DirectionUnknown:
		return inside(f.Remote.Addr)
	default:
		return false
	}
}

// inside says whether an address is one of those that only home networks use.
func inside(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsLoopback() || a.IsMulticast()
}
