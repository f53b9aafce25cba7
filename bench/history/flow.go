package history

import (
	"math"
	"math/rand/v2"
	"net/netip"

	"weir/messages"
)

// flow is a connection that lives.
type flow struct {
	device, host int // host is -1 without a name
	app, tls     int
	kind         int
	proto        uint8
	local        netip.Addr
	remote       netip.Addr
	lport, rport uint16
	left         int     // slices to live
	talks        float64 // the chance that it moves something in a slice
	scale        float64 // its size against others of its kind
}

// kind is a sort of traffic.
type kind struct {
	share    float64 // of the names
	down, up float64 // median bytes in a slice
	spread   float64 // of their logarithm
	lasting  float64 // the chance to outlive the first slice
	talks    float64
}

//nolint:gochecknoglobals // A constant table.
var kinds = []kind{
	{share: 0.50, down: 9_000, up: 2_200, spread: 1.5, lasting: 0.35, talks: 0.45},      // pages
	{share: 0.25, down: 3_000, up: 1_800, spread: 1.2, lasting: 0.45, talks: 0.35},      // programs that ask
	{share: 0.06, down: 900_000, up: 14_000, spread: 1.3, lasting: 0.85, talks: 0.80},   // video
	{share: 0.07, down: 180, up: 160, spread: 0.6, lasting: 0.97, talks: 0.18},          // keep-alive
	{share: 0.04, down: 2_500_000, up: 30_000, spread: 1.6, lasting: 0.70, talks: 0.95}, // downloads
	{share: 0.03, down: 40_000, up: 30_000, spread: 0.7, lasting: 0.90, talks: 0.95},    // games
	{share: 0.05, down: 6_000, up: 600_000, spread: 1.5, lasting: 0.60, talks: 0.90},    // uploads
}

// The numbers of two kinds that flows without a name are of.
const kindKeepAlive, kindUpload = 3, 6

func drawKind(r *rand.Rand) int {
	x := r.Float64()
	for k := range kinds {
		if x -= kinds[k].share; x < 0 {
			return k
		}
	}
	return 0
}

// Protocol numbers.
const icmp, tcp, udp = 1, 6, 17

// begin starts a flow.
func (m *Maker) begin() flow {
	r, w := m.r, m.world
	f := flow{
		device: m.devs.draw(r), host: -1, proto: tcp, scale: math.Exp(0.8 * r.NormFloat64()),
		lport: uint16(32768 + r.IntN(28232)), //nolint:gosec // Below 61,000.
	}
	switch x := r.Float64(); {
	case x < 0.12:
		f.app, f.proto, f.rport, f.remote = appDNS, udp, 53, netip.AddrFrom4([4]byte{192, 168, 1, 1})
		f.kind, f.talks = kindKeepAlive, 1
	case x < 0.14:
		f.app, f.proto, f.lport, f.rport, f.remote = appNTP, udp, 123, 123, w.remotes[r.IntN(40)]
		f.kind, f.talks = kindKeepAlive, 1
	case x < 0.20 && f.device < 3:
		f.app, f.proto, f.lport, f.rport = appTorrent, udp, 51413, uint16(1024+r.IntN(64000)) //nolint:gosec // A port.
		f.remote = w.remotes[r.IntN(len(w.remotes))]
		f.kind, f.talks, f.left = kindUpload, 0.5, lifetime(r)
	case x < 0.205:
		f.app, f.proto, f.lport, f.remote = appICMP, icmp, 0, w.remotes[r.IntN(100)]
		f.kind, f.talks, f.left = kindKeepAlive, 1, r.IntN(6)
	case x < 0.25:
		f.app, f.tls, f.rport, f.remote = appTLS, 13, 443, w.remotes[m.names.draw(r)%len(w.remotes)]
		f.kind, f.talks = r.IntN(2), 0.4
		if r.Float64() < 0.3 {
			f.left = lifetime(r)
		}
	default:
		m.visit(&f)
	}
	d := &w.devices[f.device]
	f.local = d.v4
	if f.remote.Is6() {
		f.local = d.v6[m.now.YearDay()%len(d.v6)]
	}
	return f
}

// visit lets a flow go to a name.
func (m *Maker) visit(f *flow) {
	r := m.r
	f.host = m.names.draw(r)
	if likes := m.world.devices[f.device].likes; r.Float64() < 0.45 {
		f.host = likes[r.IntN(len(likes))]
	}
	h := &m.world.hosts[f.host]
	f.app, f.tls, f.rport, f.kind, f.talks = h.app, h.tls, h.port, h.kind, kinds[h.kind].talks
	if h.quic && r.Float64() < 0.7 {
		f.proto = udp
	}
	f.remote = m.world.remotes[h.remotes[min(int(2*r.ExpFloat64()), len(h.remotes)-1)]]
	if r.Float64() < kinds[h.kind].lasting {
		f.left = lifetime(r)
	}
}

// lifetime is in slices: mostly one or two, at most some hours.
func lifetime(r *rand.Rand) int { return min(int(math.Pow(1-r.Float64(), -1/1.1)), 700) }

// move is what a flow moves in a slice.
func (m *Maker) move(f *flow) messages.Totals {
	r := m.r
	var t messages.Totals
	switch f.app {
	case appDNS:
		asked := 1 + r.Uint64N(3)/2
		t.Up = messages.Counter{Packets: asked, Bytes: asked * uint64(58+r.IntN(30))} //nolint:gosec // Small.
		t.Down = messages.Counter{Packets: asked, Bytes: asked * (90 + r.Uint64N(200))}
	case appNTP:
		t.Up = messages.Counter{Packets: 1, Bytes: 76}
		t.Down = t.Up
	case appICMP:
		t.Up = messages.Counter{Packets: 10, Bytes: 840}
		t.Down = t.Up
	default:
		k := &kinds[f.kind]
		t.Down = m.transfer(60, k.down*f.scale, k.spread)
		t.Up = m.transfer(52, k.up*f.scale, k.spread)
		acks := t.Down.Packets / 3
		t.Up.Packets = max(t.Up.Packets, acks)
		t.Up.Bytes += 52 * acks
	}
	return t
}

// transfer is about median bytes, now and then very many more, in packets that fit.
func (m *Maker) transfer(least uint64, median, spread float64) messages.Counter {
	r := m.r
	v := median * math.Exp(spread*r.NormFloat64())
	if r.Float64() < 0.01 {
		v *= math.Pow(1-r.Float64(), -1/1.2)
	}
	most := 1.25e9 * m.opt.Slice.Seconds() // A line of 10 Gbit/s.
	n := least + uint64(min(v, most))
	full := 60 + 1390*math.Min(1, float64(n)/20000)*(0.7+0.3*r.Float64())
	return messages.Counter{Bytes: n, Packets: 1 + uint64(float64(n)/full)}
}
