package flows

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"weir/columns"
	"weir/messages"
)

func TestOrient(t *testing.T) {
	for _, c := range []struct {
		name, initiator, responder string
		localResponds              bool
		direction                  columns.Direction
	}{
		{"out", "192.168.1.2", "198.51.100.7", false, columns.DirectionOut},
		{"in", "198.51.100.7", "192.168.1.2", true, columns.DirectionIn},
		{"lan", "192.168.1.2", "192.168.1.3", false, columns.DirectionLAN},
		{"transit", "198.51.100.7", "198.51.100.8", false, columns.DirectionTransit},
		{"router asks", "203.0.113.1", "198.51.100.7", false, columns.DirectionSelf},
		{"router is asked", "198.51.100.7", "203.0.113.1", true, columns.DirectionSelf},
		{"client asks router", "192.168.1.2", "192.168.1.1", false, columns.DirectionSelf},
		{"router asks client", "192.168.1.1", "192.168.1.2", false, columns.DirectionSelf},
		{"multicast", "192.168.1.2", "224.0.0.251", false, columns.DirectionLAN},
		{"broadcast", "192.168.1.2", "255.255.255.255", false, columns.DirectionLAN},
		{"v6 out", "fd00::2", "2001:db8::1", false, columns.DirectionOut},
		{"v6 link", "fe80::2", "fe80::1", false, columns.DirectionLAN},
	} {
		l, d := home.orient(netip.MustParseAddr(c.initiator), netip.MustParseAddr(c.responder), true)
		if l != c.localResponds || d != c.direction {
			t.Errorf("%s: local responds %v, direction %d, want %v %d", c.name, l, d, c.localResponds, c.direction)
		}
	}
	out, in := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("192.168.1.2")
	if _, d := home.orient(out, in, false); d != columns.DirectionOut {
		t.Errorf("of unknown initiator: direction %d, want out", d)
	}
}

func TestMappedPrefixesAreIPv4(t *testing.T) {
	h := NewHome(
		[]netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")},
		[]netip.Addr{netip.MustParseAddr("::ffff:10.1.1.1")},
	)
	if !h.Contains(netip.MustParseAddr("10.9.9.9")) || !h.isRouter(netip.MustParseAddr("10.1.1.1")) {
		t.Errorf("home %v, router %v", h.Prefixes(), h.Router())
	}
	same := NewHome(
		[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, []netip.Addr{netip.MustParseAddr("10.1.1.1")},
	)
	if !h.Equal(same) {
		t.Error("not equal to the same in IPv4")
	}
}

func TestDefaultRoutes(t *testing.T) {
	out := map[string]bool{}
	defaultRoutes4(strings.NewReader("Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n"+
		"wan0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\n"+
		"lan0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\n"), out)
	zero := strings.Repeat("0", 32)
	defaultRoutes6(strings.NewReader(
		zero+" 00 "+zero+" 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 wan6\n"+
			zero+" 00 "+zero+" 00 "+zero+" ffffffff 00000001 00000000 00200200 lo\n"+
			"fd00"+strings.Repeat("0", 28)+" 40 "+zero+" 00 "+zero+" 00000100 00000001 00000000 00000001 lan0\n"), out)
	if len(out) != 2 || !out["wan0"] || !out["wan6"] {
		t.Errorf("outward interfaces %v, want wan0 and wan6", out)
	}
}

func TestFindHomeKnowsTheMachine(t *testing.T) {
	h, err := FindHome()
	if err != nil {
		t.Fatal(err)
	}
	if !h.isRouter(netip.MustParseAddr("127.0.0.1")) && !h.isRouter(netip.MustParseAddr("::1")) {
		t.Errorf("the loopback address is missing: %v", h.Router())
	}
}

func TestNAT(t *testing.T) {
	alias := func(first, second string) (*messages.Key, messages.Flags) {
		k, swapped := messages.MakeKey(6, 0, end(first), end(second))
		if swapped { // first is the responder.
			return &k, messages.ResponderAliasB
		}
		return &k, 0
	}
	for _, c := range []struct {
		name, initiator, dialled, responder, seenAs string
		local, remote                               string
		up, down                                    uint64
		direction                                   columns.Direction
	}{
		{
			"masquerade", client, server, server, "203.0.113.1:61000",
			"192.168.1.2", "198.51.100.7", 100, 900, columns.DirectionOut,
		},
		{
			"dnat", "198.51.100.7:5000", "203.0.113.1:8080", "192.168.1.2:80", "198.51.100.7:5000",
			"192.168.1.2", "198.51.100.7", 900, 100, columns.DirectionIn,
		},
		{
			"hairpin", "192.168.1.3:5000", "203.0.113.1:8080", "192.168.1.2:80", "192.168.1.1:5000",
			"192.168.1.3", "192.168.1.2", 100, 900, columns.DirectionLAN,
		},
		{
			"redirect", "192.168.1.3:5000", "198.51.100.7:53", "192.168.1.1:5353", "192.168.1.3:5000",
			"192.168.1.3", "192.168.1.1", 100, 900, columns.DirectionSelf,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, nil)
			u := flowOf(c.initiator, c.dialled, time.Second, 100, 900)
			a, flags := alias(c.responder, c.seenAs)
			u.Flags |= flags
			u.Hash = u.Key.Hash(seed)
			m := messages.NewBatch()
			m.Add(&u, a, nil)
			b.tab.Apply(m)
			p := b.close()
			want(t, p, c.up, c.down, 1, 0)
			f := b.described()
			if f.Local.Addr.String() != c.local || f.Remote.Addr.String() != c.remote || f.Direction != c.direction {
				t.Errorf("local %v, remote %v, direction %v", f.Local, f.Remote, f.Direction)
			}
		})
	}
}

// described tells what the only entry derives its columns from.
func (b *bench) described() (f columns.Flow) {
	b.tab.describe(b.tab.arena.at(1), &f)
	return f
}
