package netlab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	code := Main(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func any4(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, 0) }

// mixed lets every kind of traffic pass once.
func mixed(l *Lab) error {
	return errors.Join(opened(l), answered(l), toRouter(l))
}

// opened is what clients open to the server: TCP, UDP, ICMP over both families.
func opened(l *Lab) error {
	for i := range l.Clients4 {
		for _, pair := range [][2]netip.Addr{{l.Clients4[i], l.Server4()}, {l.Clients6[i], l.Server6()}} {
			if err := talk(l, any4(pair[0]), netip.AddrPortFrom(pair[1], EchoPort), int64(i+1)); err != nil {
				return err
			}
			if err := l.Ping(Ping{From: pair[0], To: pair[1], ID: uint16(700 + i), Count: 5, Size: 1000}); err != nil {
				return err
			}
		}
	}
	return nil
}

// answered is what the server opens to clients: through the DNAT, and straight over IPv6.
func answered(l *Lab) error {
	for i := range l.Clients4 {
		err := errors.Join(
			talk(l, any4(l.Server4()), l.Forwarded(i), 2),
			talk(l, any4(l.Server6()), netip.AddrPortFrom(l.Clients6[i], EchoPort), 2))
		if err != nil {
			return err
		}
	}
	return nil
}

func toRouter(l *Lab) error {
	return talk(l, any4(l.Clients4[0]), netip.AddrPortFrom(l.RouterLAN4(), EchoPort), 1)
}

func talk(l *Lab, from, to netip.AddrPort, times int64) error {
	c, err := l.DialTCP(from, to)
	if err != nil {
		return err
	}
	u, err := l.DialUDP(from, to)
	if err != nil {
		return err
	}
	return errors.Join(c.Exchange(200_000*times, 700_001*times), c.Exchange(1, 1), c.Close(),
		u.Exchange(20, 1000, 1200), u.Exchange(3, 100, 0), u.Close())
}

// agree waits until conntrack by itself and the counters of the ruleset say the same.
func agree(t *testing.T, l *Lab, o *Oracle) Totals {
	t.Helper()
	var truth Totals
	if err := Poll(t.Context(), 10*time.Second, func() error {
		before, err := l.Truth()
		if err != nil {
			return err
		}
		said, err := o.Totals()
		if err != nil {
			return err
		}
		if truth, err = l.Truth(); err != nil {
			return err
		}
		if d := truth.Differ(before); d != "" {
			return fmt.Errorf("still moving: %s", d)
		}
		if d := truth.Differ(said); d != "" {
			return fmt.Errorf("conntrack differs:\n%s", d)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return truth
}

func TestTruthIsWhatConntrackCounts(t *testing.T) {
	for _, noOffload := range []bool{false, true} {
		t.Run(fmt.Sprintf("segments cut by the sender %t", noOffload), func(t *testing.T) {
			l := New(t, Options{NoOffload: noOffload})
			o, err := l.Listen()
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if err := mixed(l); err != nil {
					t.Fatal(err)
				}
			}
			truth := agree(t, l, o)
			checkAmounts(t, l, truth)
		})
	}
}

// checkAmounts holds the truth against what was asked of the traffic, where that is known to the byte.
func checkAmounts(t *testing.T, l *Lab, truth Totals) {
	t.Helper()
	for i := range l.Clients4 {
		// To the server and through the DNAT, 3 rounds each; the first client also talked to the router.
		up, down := uint64(2*3*(20*1028+3*128)), uint64(2*3*20*1228)
		want := Sum{up, 2 * 3 * 23, down, 2 * 3 * 20}
		// Through the DNAT the client is the one that answers.
		want.UpBytes, want.DownBytes = up/2+down/2, up/2+down/2
		want.UpPackets, want.DownPackets = 3*43, 3*43
		if i == 0 {
			want = want.Add(Sum{up / 2, 3 * 23, down / 2, 3 * 20})
		}
		if got := truth[Who{l.Clients4[i], 17}]; got != want {
			t.Errorf("UDP of %s: %+v, want %+v", l.Clients4[i], got, want)
		}
		ping := Sum{3 * 5 * 1028, 15, 3 * 5 * 1028, 15}
		if got := truth[Who{l.Clients4[i], 1}]; got != ping {
			t.Errorf("ICMP of %s: %+v, want %+v", l.Clients4[i], got, ping)
		}
		ping6 := Sum{3 * 5 * 1048, 15, 3 * 5 * 1048, 15}
		if got := truth[Who{l.Clients6[i], 58}]; got != ping6 {
			t.Errorf("ICMPv6 of %s: %+v, want %+v", l.Clients6[i], got, ping6)
		}
		tcp := truth[Who{l.Clients4[i], 6}]
		if least := uint64(3 * (200_000*(i+1) + 2*700_001)); tcp.UpBytes < least || tcp.UpBytes > least*4/3 {
			t.Errorf("TCP of %s: %d bytes up, want a little more than %d", l.Clients4[i], tcp.UpBytes, least)
		}
	}
}

func TestStorm(t *testing.T) {
	l := New(t, Options{})
	o, err := l.Listen()
	if err != nil {
		t.Fatal(err)
	}
	server4, server6 := netip.AddrPortFrom(l.Server4(), EchoPort), netip.AddrPortFrom(l.Server6(), EchoPort)
	for _, s := range []Storm{
		{Network: "udp", From: l.Clients4, To: server4, Count: 3000, Rate: 3000, Up: 50},
		{Network: "udp", From: l.Clients6, To: server6, Count: 500, Rate: 1000, Up: 50, Down: 99},
		{Network: "tcp", From: l.Clients4, To: server4, Count: 1000, Rate: 1000, Up: 500, Down: 3000},
		{Network: "tcp", From: l.Clients6, To: server6, Count: 500, Rate: 1000, Down: 9, Reset: true},
	} {
		if err := l.Storm(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	truth := agree(t, l, o)
	var sum Sum
	for _, a := range l.Clients4 {
		sum = sum.Add(truth[Who{a, 17}])
	}
	if want := (Sum{UpBytes: 3000 * 78, UpPackets: 3000}); sum != want {
		t.Errorf("UDP storm: %+v, want %+v", sum, want)
	}
}

// Handshakes that are sent twice, packets that nobody wants and answers that are resets.
func TestOddPackets(t *testing.T) {
	l := New(t, Options{})
	o, err := l.Listen()
	if err != nil {
		t.Fatal(err)
	}
	// After it was counted, the router drops the first answer to each connection, once.
	if err := l.Router.NFT(`table inet odd {
	set once {
		type inet_service
		flags dynamic
		size 1000
	}
	chain forward {
		type filter hook forward priority 0
		tcp sport 5001 tcp flags & (syn | ack) == syn | ack tcp dport != @once add @once { tcp dport } drop
	}
}`); err != nil {
		t.Fatal(err)
	}
	if err := opened(l); err != nil {
		t.Fatal(err)
	}
	if n, err := l.Repeated(); err != nil || n == 0 {
		t.Errorf("%d repeated packets (%v), want some", n, err)
	}
	for i, to := range []netip.AddrPort{netip.AddrPortFrom(l.Server4(), 7), netip.AddrPortFrom(l.Server6(), 7)} {
		from := [][]netip.Addr{l.Clients4, l.Clients6}[i][0]
		if c, err := l.DialTCP(any4(from), to); err == nil {
			c.Close()
			t.Error("somebody listens on port 7")
		}
		u, err := l.DialUDP(any4(from), to) // Answered by an ICMP error.
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(u.Exchange(1, 100, 0), u.Close()); err != nil {
			t.Fatal(err)
		}
	}
	agree(t, l, o)
}

// The same five numbers twice, as fast as the protocols let them.
func TestReuse(t *testing.T) {
	l := New(t, Options{Sysctls: map[string]string{
		"net.netfilter.nf_conntrack_udp_timeout": "1", "net.netfilter.nf_conntrack_udp_timeout_stream": "1",
	}})
	o, err := l.Listen()
	if err != nil {
		t.Fatal(err)
	}
	to := netip.AddrPortFrom(l.Server4(), EchoPort)
	from := netip.AddrPortFrom(l.Clients4[0], 4001)
	for range 3 {
		c, err := l.DialTCP(from, to)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.Exchange(1000, 100), c.Reset()); err != nil {
			t.Fatal(err)
		}
		u, err := l.DialUDP(from, to)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(u.Exchange(2, 100, 100), u.Close(), l.Gone(from, 17, 10*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	truth := agree(t, l, o)
	if got, want := truth[Who{from.Addr(), 17}], (Sum{6 * 128, 6, 6 * 128, 6}); got != want {
		t.Errorf("UDP: %+v, want %+v", got, want)
	}
	if n := o.incarnations(from, 17); n != 3 {
		t.Errorf("%d incarnations of the UDP flow, want 3", n)
	}
	if n := o.incarnations(from, 6); n != 3 {
		t.Errorf("%d incarnations of the TCP connection, want 3", n)
	}
}

func TestStaleNamespacesAreRemoved(t *testing.T) {
	if missing := Missing(); missing != "" {
		t.Skip(missing)
	}
	dead := exec.CommandContext(t.Context(), "true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	stale := fmt.Sprintf("weir-%d-1-c", dead.ProcessState.Pid())
	if err := feed(nil, "netns", "add", stale); err != nil {
		t.Fatal(err)
	}
	mine := Lone(t)
	out, err := exec.CommandContext(t.Context(), "ip", "netns").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), stale) || !strings.Contains(string(out), mine.Name) {
		t.Errorf("ip netns says %s; want %s in it and %s gone", out, mine.Name, stale)
	}
}
