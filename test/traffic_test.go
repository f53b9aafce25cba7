package test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"weir/test/netlab"
)

// quick makes the router forget flows soon after their end, so that many end while a test runs.
var quick = map[string]string{
	"net.netfilter.nf_conntrack_udp_timeout":           "2",
	"net.netfilter.nf_conntrack_udp_timeout_stream":    "3",
	"net.netfilter.nf_conntrack_icmp_timeout":          "2",
	"net.netfilter.nf_conntrack_icmpv6_timeout":        "2",
	"net.netfilter.nf_conntrack_tcp_timeout_time_wait": "2",
	"net.netfilter.nf_conntrack_tcp_timeout_last_ack":  "2",
	"net.netfilter.nf_conntrack_tcp_timeout_close":     "2",
}

func anyPort(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, 0) }

func echo(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, netlab.EchoPort) }

// route is a way across the router.
type route struct{ from, to netip.AddrPort }

// routes are all ways that a client of this number takes part in: to the server over both families, from the
// server through the DNAT and over IPv6, and to the router.
func routes(l *netlab.Lab, client int) []route {
	return []route{
		{anyPort(l.Clients4[client]), echo(l.Server4())},
		{anyPort(l.Clients6[client]), echo(l.Server6())},
		{anyPort(l.Server4()), l.Forwarded(client)},
		{anyPort(l.Server6()), echo(l.Clients6[client])},
		{anyPort(l.Clients4[client]), echo(l.RouterLAN4())},
	}
}

// repeat calls f at each interval until ctx is done, and then ends without an error.
func repeat(ctx context.Context, every time.Duration, f func(i int) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := 0; ; i++ {
		if err := f(i); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// longLived keeps TCP connections and UDP flows open over all routes of a client and lets some bytes pass in each,
// now and then, until ctx is done.
func longLived(ctx context.Context, l *netlab.Lab, client int) error {
	var tcp []*netlab.Conn
	var udp []*netlab.Datagrams
	for _, r := range routes(l, client) {
		c, err := l.DialTCP(r.from, r.to)
		if err != nil {
			return err
		}
		u, err := l.DialUDP(r.from, r.to)
		if err != nil {
			return err
		}
		tcp, udp = append(tcp, c), append(udp, u)
	}
	err := repeat(ctx, 270*time.Millisecond, func(i int) error {
		for n := range tcp {
			if err := tcp[n].Exchange(int64(1000*(i%7)+n), int64(3000*(i%5))); err != nil {
				return fmt.Errorf("long connection %d: %w", n, err)
			}
			if err := udp[n].Exchange(1+i%3, 200+n, 300); err != nil {
				return fmt.Errorf("long UDP flow %d: %w", n, err)
			}
		}
		return nil
	})
	for n := range tcp {
		err = errors.Join(err, tcp[n].Close(), udp[n].Close())
	}
	return err
}

// shortLived opens and closes flows of all kinds, each shorter than a slice, until ctx is done.
func shortLived(ctx context.Context, l *netlab.Lab, client int) error {
	all := routes(l, client)
	return repeat(ctx, 60*time.Millisecond, func(i int) error {
		r := all[i%len(all)]
		c, err := l.DialTCP(r.from, r.to)
		if err != nil {
			return err
		}
		if err := c.Exchange(int64(i%11)*100, int64(i%13)*1000); err != nil {
			return err
		}
		if i%2 == 0 {
			err = c.Reset()
		} else {
			err = c.Close()
		}
		u, dialErr := l.DialUDP(r.from, r.to)
		if err = errors.Join(err, dialErr); err != nil {
			return err
		}
		return errors.Join(u.Exchange(1, 100, 0), u.Exchange(1+i%2, 50, 500), u.Close())
	})
}

// pings sends echo requests over both families, a new series each time.
func pings(ctx context.Context, l *netlab.Lab, client int) error {
	return repeat(ctx, 500*time.Millisecond, func(i int) error {
		id := uint16(1000*(client+1) + i)
		return errors.Join(
			l.Ping(netlab.Ping{From: l.Clients4[client], To: l.Server4(), ID: id, Count: 2, Size: 100}),
			l.Ping(netlab.Ping{From: l.Clients6[client], To: l.Server6(), ID: id, Count: 2, Size: 100}))
	})
}

// everything lets all kinds of traffic pass between all clients and the rest for a while. The last client has
// long-lived flows alone.
func everything(ctx context.Context, l *netlab.Lab, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var work sync.WaitGroup
	errs := make(chan error, 3*len(l.Clients4))
	last := len(l.Clients4) - 1
	for i := range l.Clients4 {
		jobs := []func(context.Context, *netlab.Lab, int) error{longLived, shortLived, pings}
		if i == last {
			jobs = jobs[:1]
		}
		for _, job := range jobs {
			work.Go(func() {
				if err := job(ctx, l, i); err != nil {
					cancel()
					errs <- err
				}
			})
		}
	}
	work.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}
