// Package netlab builds a small network for tests: a client side, a router and a server, each in a
// network namespace of its own, joined by virtual cables. The router masquerades IPv4, forwards IPv6,
// forwards a port of its outer address to each client, and counts with nftables what each client
// address sends and receives: the truth that Weir's answers are held against.
//
// Nothing outside of the namespaces is touched. They are named after the process that made them, are
// removed when the test ends, and what a killed process left behind is removed when the next lab is
// built.
package netlab

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The addresses of the lab. Clients have the host numbers 2, 3, 4, … in the inner networks.
const (
	routerLAN4 = "192.168.10.1"
	routerLAN6 = "fd00:10::1"
	routerWAN4 = "203.0.113.1"
	routerWAN6 = "2001:db8:113::1"
	server4    = "203.0.113.2"
	server6    = "2001:db8:113::2"
)

// The ports on which somebody answers.
const (
	// EchoPort answers TCP and UDP on the server and on each client address.
	EchoPort = 5001
	// ForwardPort and the ports after it on the router's outer IPv4 address lead to EchoPort of the first
	// client and those after it.
	ForwardPort = 9000
)

// Options say what lab to build.
type Options struct {
	// Clients is the number of client addresses of each family; 0 means 3.
	Clients int
	// NoOffload makes the senders cut their segments themselves, as a wire would see them.
	NoOffload bool
	// NoRules leaves the router without any ruleset, thus without tracking; LoadRules adds it later.
	NoRules bool
	// Sysctls are set in the router before anything else, by their dotted names. Accounting,
	// timestamps and events are on unless they say otherwise.
	Sysctls map[string]string
}

// Lab is a network that stands.
type Lab struct {
	Client, Router, Server *Namespace
	// Clients4 and Clients6 are the client addresses.
	Clients4, Clients6 []netip.Addr

	t       testing.TB
	options Options
	ctx     context.Context //nolint:containedctx // The lab's life is the context's life.
	stop    context.CancelFunc
	work    sync.WaitGroup // servers
}

var labs atomic.Int64 //nolint:gochecknoglobals // Numbers the labs of this process.

// New builds a lab, or skips the test and says what this machine lacks for it.
func New(tb testing.TB, o Options) *Lab {
	tb.Helper()
	if missing := Missing(); missing != "" {
		tb.Skip("netlab: " + missing)
	}
	removeStale(tb)
	if o.Clients == 0 {
		o.Clients = 3
	}
	l := &Lab{t: tb, options: o}
	l.ctx, l.stop = context.WithCancel(context.Background())
	n := labs.Add(1)
	l.Client, l.Router, l.Server = NewNamespace(tb, n, "c"), NewNamespace(tb, n, "r"), NewNamespace(tb, n, "s")
	tb.Cleanup(l.close) // Before the namespaces are removed: cleanups run last first.
	for i := range o.Clients {
		l.Clients4 = append(l.Clients4, netip.MustParseAddr(fmt.Sprintf("192.168.10.%d", i+2)))
		l.Clients6 = append(l.Clients6, netip.MustParseAddr(fmt.Sprintf("fd00:10::%x", i+2)))
	}
	l.must(l.wire())
	l.must(l.awaitUsable())
	l.must(l.serve())
	if !o.NoRules {
		l.LoadRules()
	}
	return l
}

// Server4 is the server's IPv4 address.
func (l *Lab) Server4() netip.Addr { return netip.MustParseAddr(server4) }

// Server6 is the server's IPv6 address.
func (l *Lab) Server6() netip.Addr { return netip.MustParseAddr(server6) }

// RouterWAN4 is the router's outer IPv4 address, behind which the clients hide.
func (l *Lab) RouterWAN4() netip.Addr { return netip.MustParseAddr(routerWAN4) }

// RouterLAN4 is the router's inner IPv4 address.
func (l *Lab) RouterLAN4() netip.Addr { return netip.MustParseAddr(routerLAN4) }

// HomeNetworks are the inner networks, as a configuration names them.
func (l *Lab) HomeNetworks() []string { return []string{"192.168.10.0/24", "fd00:10::/64"} }

// Forwarded is where the world reaches a client's EchoPort: through the DNAT.
func (l *Lab) Forwarded(client int) netip.AddrPort {
	return netip.AddrPortFrom(l.RouterWAN4(), uint16(ForwardPort+client)) //nolint:gosec // A handful of clients.
}

func (l *Lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatalf("netlab: %v", err)
	}
}

func (l *Lab) close() {
	l.stop()
	l.work.Wait()
}

// wire lays the cables and gives out the addresses.
func (l *Lab) wire() error {
	for _, n := range []*Namespace{l.Client, l.Router, l.Server} {
		if err := n.SetSysctls(map[string]string{
			"net.ipv6.conf.all.accept_dad":     "0",
			"net.ipv6.conf.default.accept_dad": "0",
			"net.ipv6.conf.all.accept_ra":      "0",
			"net.ipv6.conf.default.accept_ra":  "0",
		}); err != nil {
			return err
		}
	}
	if err := l.Router.SetSysctls(l.routerSysctls()); err != nil {
		return err
	}
	if err := l.Client.IP("link add eth0 type veth peer name lan0 netns " + l.Router.Name); err != nil {
		return err
	}
	if err := l.Server.IP("link add eth0 type veth peer name wan0 netns " + l.Router.Name); err != nil {
		return err
	}
	return l.address()
}

func (l *Lab) routerSysctls() map[string]string {
	s := map[string]string{
		"net.ipv4.ip_forward":                        "1",
		"net.ipv6.conf.all.forwarding":               "1",
		"net.netfilter.nf_conntrack_acct":            "1",
		"net.netfilter.nf_conntrack_timestamp":       "1",
		"net.netfilter.nf_conntrack_events":          "1",
		"net.netfilter.nf_conntrack_tcp_loose":       "1",
		"net.netfilter.nf_conntrack_checksum":        "1",
		"net.ipv4.icmp_ratelimit":                    "0",
		"net.ipv4.conf.all.send_redirects":           "0",
		"net.ipv4.conf.default.send_redirects":       "0",
		"net.ipv4.conf.all.rp_filter":                "0",
		"net.ipv4.conf.all.route_localnet":           "0",
		"net.ipv6.conf.default.router_solicitations": "0",
	}
	maps.Copy(s, l.options.Sysctls)
	return s
}

func (l *Lab) address() error {
	client := up("eth0", l.options.NoOffload)
	for i := range l.Clients4 {
		client = append(client, "addr add "+l.Clients4[i].String()+"/24 dev eth0",
			"addr add "+l.Clients6[i].String()+"/64 dev eth0 nodad")
	}
	client = append(client, "route add default via "+routerLAN4, "route add default via "+routerLAN6)
	router := append(up("lan0", l.options.NoOffload), up("wan0", l.options.NoOffload)...)
	router = append(router,
		"addr add "+routerLAN4+"/24 dev lan0", "addr add "+routerLAN6+"/64 dev lan0 nodad",
		"addr add "+routerWAN4+"/24 dev wan0", "addr add "+routerWAN6+"/64 dev wan0 nodad")
	server := append(up("eth0", l.options.NoOffload),
		"addr add "+server4+"/24 dev eth0", "addr add "+server6+"/64 dev eth0 nodad",
		"route add fd00:10::/64 via "+routerWAN6)
	if err := l.Router.IP(router...); err != nil {
		return err
	}
	if err := l.Client.IP(client...); err != nil {
		return err
	}
	return l.Server.IP(server...)
}

func up(link string, noOffload bool) []string {
	if noOffload {
		return []string{"link set " + link + " gso_max_segs 1", "link set " + link + " up"}
	}
	return []string{"link set " + link + " up"}
}

// awaitUsable waits until no address is tentative any more and each client reaches the server over both
// families. It runs before the ruleset is loaded, so none of this is ever counted.
func (l *Lab) awaitUsable() error {
	for _, n := range []*Namespace{l.Client, l.Router, l.Server} {
		if err := Poll(l.ctx, 10*time.Second, func() error {
			out, err := n.Output(l.ctx, "ip", "-6", "addr", "show", "tentative")
			if err == nil && strings.TrimSpace(string(out)) != "" {
				err = fmt.Errorf("tentative addresses in %s: %s", n.Name, out)
			}
			return err
		}); err != nil {
			return err
		}
	}
	for i := range l.Clients4 {
		for _, to := range []netip.AddrPort{
			netip.AddrPortFrom(netip.MustParseAddr(routerLAN4), 0), netip.AddrPortFrom(l.Server6(), 0),
		} {
			from := l.Clients4[i]
			if to.Addr().Is6() {
				from = l.Clients6[i]
			}
			if err := Poll(l.ctx, 10*time.Second, func() error {
				return l.Ping(Ping{From: from, To: to.Addr(), ID: 1, Count: 1, Size: 8, Wait: 300 * time.Millisecond})
			}); err != nil {
				return fmt.Errorf("reach %s from %s: %w", to.Addr(), from, err)
			}
		}
	}
	return nil
}
