package household

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"sort"
)

// The addresses. Servers are in the benchmarking network and in the one for documentation.
//
//nolint:gochecknoglobals // Constants.
var (
	lan4    = netip.MustParsePrefix("192.168.1.0/24")
	guests4 = netip.MustParsePrefix("192.168.2.0/24")
	lan6    = netip.MustParsePrefix("2001:db8:1::/48")
	wan4    = netip.MustParseAddr("203.0.113.7")
	router4 = netip.MustParseAddr("192.168.1.1")
	nas4    = netip.MustParseAddr("192.168.1.2")
	mdns4   = netip.MustParseAddr("224.0.0.251")
)

// guestShare of the devices are in the guests' network, whose flows the ruleset marks.
const (
	guestShare = 6
	guestMark  = 0x20
)

// servers is how many addresses of the world are ever talked to.
const servers = 4000

// world is who takes part.
type world struct {
	devices []device
	servers []server
	// talk and fame choose a device and a server; the first ones are chosen most.
	talk, fame chooser
}

type device struct {
	v4, v6 netip.Addr
	guest  bool
}

// server has both kinds of addresses or only the older one.
type server struct {
	v4, v6 netip.Addr
}

func newWorld(r *rand.Rand, devices int) *world {
	w := &world{talk: newChooser(devices, 0.9), fame: newChooser(servers, 1.05)}
	for i := range devices {
		d := device{guest: i%guestShare == guestShare-1, v4: nth4(lan4, 10+i), v6: random6(r, lan6, 0)}
		if d.guest {
			d.v4, d.v6 = nth4(guests4, 10+i), netip.Addr{}
		}
		w.devices = append(w.devices, d)
	}
	for i := range servers {
		// Neighbours belong together, as with the providers of the world.
		s := server{v4: netip.AddrFrom4([4]byte{198, 18 + byte(i&1), byte(r.IntN(40) * 6), byte(r.UintN(256))})}
		if r.Float64() < 0.45 {
			s.v6 = random6(r, netip.MustParsePrefix("2001:db8:f000::/36"), uint16(r.UintN(32))) //nolint:gosec // Small.
		}
		w.servers = append(w.servers, s)
	}
	return w
}

// nth4 is the n-th address of a network of 256.
func nth4(p netip.Prefix, n int) netip.Addr {
	a := p.Addr().As4()
	a[3] = byte(n)
	return netip.AddrFrom4(a)
}

// random6 is some address in a subnet of a network.
func random6(r *rand.Rand, p netip.Prefix, subnet uint16) netip.Addr {
	a := p.Addr().As16()
	a[6], a[7] = byte(subnet>>8), byte(subnet)
	for i := 8; i < len(a); i++ {
		a[i] = byte(r.UintN(256))
	}
	return netip.AddrFrom16(a)
}

// chooser draws a number with a weight that falls with it, as popularity does (Zipf).
type chooser []float64

func newChooser(n int, exponent float64) chooser {
	c := make(chooser, n)
	sum := 0.0
	for i := range c {
		sum += math.Pow(float64(i+1), -exponent)
		c[i] = sum
	}
	return c
}

func (c chooser) choose(r *rand.Rand) int {
	return min(sort.SearchFloat64s(c, r.Float64()*c[len(c)-1]), len(c)-1)
}
