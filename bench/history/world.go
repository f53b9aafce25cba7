package history

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"

	"weir/columns"
	"weir/columns/app"
	"weir/columns/mac"
	"weir/columns/name"
)

// world is the fixed cast. What goes into columns is kept as their encodings, so that a row costs little.
type world struct {
	devices []device
	hosts   []host // most popular first
	apps    []columns.Value
	remotes []netip.Addr
}

// device is somebody at home.
type device struct {
	text string
	mac  columns.Value
	v4   netip.Addr
	v6   [4]netip.Addr // privacy addresses, another one each day
	// iface is the number of the interface behind which it is.
	iface int
	likes []int // names that it asks for again and again
}

// host is one name with what is behind it.
type host struct {
	name        string
	value, site columns.Value
	app         int
	kind        int
	tls         int // 0 none, else a version
	port        uint16
	quic        bool
	remotes     []int
}

//nolint:gochecknoglobals // Constant tables.
var (
	knownApps = []string{
		"dns", "ntp", "bittorrent", "icmp", "ssh", "tls", "quic", "http", "video", "music", "chat", "calls",
		"games", "push", "updates", "mail", "backup", "photos", "maps", "news",
	}
	syllables = strings.Fields("ba be bi bo ca co da de di do fa fi ga go ha ho ka ko la le li lo ma me mi mo " +
		"na ne ni no pa pe po ra re ri ro sa se so ta te ti to va ve vi zo net soft data shop mail tech media")
	endings  = strings.Fields("com com com com com net net org io de cz co.uk fr app dev eu")
	prefixes = strings.Fields("www www www api api cdn static img edge1 edge2 assets login ads push media")
	oddPorts = []uint16{8443, 5223, 5228, 993, 3478, 27015}
)

// The numbers of apps that flows without a name have.
const appDNS, appNTP, appTorrent, appICMP, appTLS = 0, 1, 2, 3, 5

func newWorld(o Options) *world {
	r := rand.New(rand.NewPCG(o.Seed, 1))
	w := &world{}
	for i := range o.Apps {
		label := word(r)
		if i < len(knownApps) {
			label = knownApps[i]
		}
		w.apps = append(w.apps, app.Column.Value(label))
	}
	w.makeRemotes(r, o.Addresses)
	w.makeHosts(r, o)
	w.makeDevices(r, o)
	return w
}

// makeRemotes puts addresses into prefixes of providers, so that neighbours share their first bytes.
func (w *world) makeRemotes(r *rand.Rand, n int) {
	const together = 60
	type prefix struct {
		upper uint64
		v6    bool
	}
	all := make([]prefix, n/together+3)
	for i := range all {
		if r.Float64() < 0.4 {
			all[i] = prefix{upper: 0x2a00<<48 | r.Uint64()>>8&0x00ff_ffff_ffff_0000, v6: true}
		} else {
			all[i] = prefix{upper: (1+r.Uint64N(222))<<24 | r.Uint64N(1<<16)<<8}
		}
	}
	for i := range n {
		p := all[i/together+r.IntN(3)]
		var b [16]byte
		if !p.v6 {
			binary.BigEndian.PutUint32(b[:], uint32(p.upper)+r.Uint32N(256)) //nolint:gosec // 32 bits by construction.
			w.remotes = append(w.remotes, netip.AddrFrom4([4]byte(b[:4])))
			continue
		}
		binary.BigEndian.PutUint64(b[:], p.upper|r.Uint64N(16))
		binary.BigEndian.PutUint64(b[8:], r.Uint64N(1<<16))
		if r.Float64() < 0.3 {
			binary.BigEndian.PutUint64(b[8:], r.Uint64())
		}
		w.remotes = append(w.remotes, netip.AddrFrom16(b))
	}
}

func (w *world) makeHosts(r *rand.Rand, o Options) {
	known := map[string]bool{}
	for len(w.hosts) < o.Names {
		site := word(r) + "." + endings[r.IntN(len(endings))]
		for more := r.IntN(4); more >= 0 && len(w.hosts) < o.Names; more-- {
			full := site
			if more > 0 {
				full = prefixes[r.IntN(len(prefixes))] + "." + site
			}
			if !known[full] {
				known[full] = true
				w.hosts = append(w.hosts, w.makeHost(r, full, o))
			}
		}
	}
}

func (w *world) makeHost(r *rand.Rand, full string, o Options) host {
	h := host{name: full, value: name.Columns.Value(full), app: appTLS, tls: 13, port: 443, quic: r.Float64() < 0.3}
	if site, err := publicsuffix.EffectiveTLDPlusOne(full); err == nil {
		h.site = name.Site.Value(site)
	}
	h.kind = drawKind(r)
	if r.Float64() < 0.6 {
		h.app = appTLS + 1 + r.IntN(o.Apps-appTLS-1)
	}
	switch x := r.Float64(); {
	case x < 0.18:
		h.tls = 12
	case x < 0.23:
		h.tls, h.port = 0, 80
	case x < 0.25:
		h.port = oddPorts[r.IntN(len(oddPorts))]
	}
	many := 1 + r.IntN(3)
	if rank := len(w.hosts); rank < 100 {
		many += r.IntN(32)
	} else if rank < 1000 {
		many += r.IntN(8)
	}
	first := r.IntN(len(w.remotes))
	for range many {
		h.remotes = append(h.remotes, (first+r.IntN(40))%len(w.remotes))
	}
	return h
}

func (w *world) makeDevices(r *rand.Rand, o Options) {
	asked := newPopularity(o.Names, 1.05)
	for i := range o.Devices {
		hw := [6]byte{0: 0x02, 1: byte(r.UintN(8))} // Locally administered: nobody's.
		binary.BigEndian.PutUint32(hw[2:], r.Uint32())
		d := device{
			mac: mac.Columns.Value(hw), iface: r.IntN(len(ifaces)),
			v4: netip.AddrFrom4([4]byte{192, 168, 1, byte(10 + i)}),
		}
		d.text = mac.Columns.Local.Format(d.mac)
		for day := range d.v6 {
			var b [16]byte
			binary.BigEndian.PutUint64(b[:], 0x2001_0db8_1234_5600)
			binary.BigEndian.PutUint64(b[8:], r.Uint64())
			d.v6[day] = netip.AddrFrom16(b)
		}
		for range 60 {
			d.likes = append(d.likes, asked.draw(r))
		}
		w.devices = append(w.devices, d)
	}
}

// word is something that can be spoken.
func word(r *rand.Rand) string {
	var b strings.Builder
	for range 2 + r.IntN(3) {
		fmt.Fprint(&b, syllables[r.IntN(len(syllables))])
	}
	return b.String()
}
