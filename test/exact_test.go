package test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"weir/test/netlab"
)

// Totals by client address equal independent counters to the byte and to the packet: over IPv4 and IPv6; TCP, UDP and
// ICMP; masquerade and DNAT; flows that start, go on and end inside and across slices, some shorter than
// a slice.
func TestExact(t *testing.T) {
	for _, noOffload := range []bool{false, true} {
		t.Run(fmt.Sprintf("segments cut by the sender %t", noOffload), func(t *testing.T) {
			l := netlab.New(t, netlab.Options{Sysctls: quick, NoOffload: noOffload})
			d := start(t, l, "")
			base := netlab.Totals{}
			watched(t, l, d, base, func(ctx context.Context) error {
				return everything(ctx, l, lasting(10*time.Second, 2*time.Minute))
			})
			truth, a := exactly(t, l, d, base)
			noLoss(t, a)
			everyKind(t, l, truth)
			manySlices(t, d, truth)
			// Again, when every flow has been told to have ended.
			awaitEmptyTable(t, l)
			_, a = exactly(t, l, d, base)
			noLoss(t, a)
		})
	}
}

// everyKind says whether the traffic was what the test is about.
func everyKind(t *testing.T, l *netlab.Lab, truth netlab.Totals) {
	t.Helper()
	for i := range l.Clients4 {
		for _, w := range []netlab.Who{
			{Client: l.Clients4[i], Proto: 6},
			{Client: l.Clients4[i], Proto: 17},
			{Client: l.Clients6[i], Proto: 6},
			{Client: l.Clients6[i], Proto: 17},
			{Client: l.Clients4[i], Proto: 1},
			{Client: l.Clients6[i], Proto: 58},
		} {
			ping := w.Proto == 1 || w.Proto == 58
			if s := truth[w]; (s.UpPackets < 10 || s.DownPackets < 10) && (!ping || i < len(l.Clients4)-1) {
				t.Errorf("too little traffic of %+v: %+v", w, s)
			}
		}
	}
}

// manySlices says whether the traffic was spread over slices, and that they sum to the same.
func manySlices(t *testing.T, d *daemon, truth netlab.Totals) {
	t.Helper()
	a, err := d.ask(time.Second)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := a.totals()
	if err != nil {
		t.Fatal(err)
	}
	if diff := truth.Differ(sum); diff != "" {
		t.Errorf("the timeline sums to something else:\n%s", diff)
	}
	steps := map[any]int{}
	for _, row := range a.Rows {
		steps[row[0]]++
	}
	if len(steps) < 8 {
		t.Errorf("traffic in %d slices only: %v", len(steps), steps)
	}
}

func awaitEmptyTable(t *testing.T, l *netlab.Lab) {
	t.Helper()
	if err := netlab.Poll(t.Context(), patience, func() error {
		flows, err := l.Router.Flows()
		if err == nil && len(flows) > 0 {
			err = fmt.Errorf("%d flows are still in the table", len(flows))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// Flows that began before Weir count from its start on; those that begin afterwards count in full.
func TestFlowsOlderThanWeir(t *testing.T) {
	for _, timestamps := range []string{"1", "0"} {
		t.Run("timestamps "+timestamps, func(t *testing.T) {
			l := netlab.New(t, netlab.Options{Sysctls: map[string]string{
				"net.netfilter.nf_conntrack_timestamp": timestamps,
			}})
			var old []*netlab.Conn
			for i := range l.Clients4 {
				for _, r := range routes(l, i) {
					c, err := l.DialTCP(r.from, r.to)
					if err != nil {
						t.Fatal(err)
					}
					old = append(old, c)
					if err := c.Exchange(50_000, 500_000); err != nil {
						t.Fatal(err)
					}
				}
			}
			base := standing(t, l)
			d := start(t, l, "[sources.conntrack]\nmanage_sysctl = false\n")
			_, a := exactly(t, l, d, base)
			noLoss(t, a)
			for _, c := range old {
				if err := c.Exchange(1234, 5678); err != nil {
					t.Fatal(err)
				}
			}
			exactly(t, l, d, base)
			watched(t, l, d, base, func(ctx context.Context) error { return everything(ctx, l, 3*time.Second) })
			for _, c := range old {
				if err := errors.Join(c.Exchange(1, 1), c.Close()); err != nil {
					t.Fatal(err)
				}
			}
			_, a = exactly(t, l, d, base)
			noLoss(t, a)
		})
	}
}

// standing gives the truth once nothing moves any more.
func standing(t *testing.T, l *netlab.Lab) (truth netlab.Totals) {
	t.Helper()
	last := time.Time{}
	if err := netlab.Poll(t.Context(), patience, func() error {
		now, err := l.Truth()
		if err != nil {
			return err
		}
		if truth == nil || truth.Differ(now) != "" {
			truth, last = now, time.Now()
		}
		if time.Since(last) < 300*time.Millisecond { // Longer than an acknowledgement is held back.
			return errors.New("traffic goes on")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return truth
}

// The same protocol, addresses and ports again and again: several times within a slice, and across slices.
func TestSamePortsAgain(t *testing.T) {
	for _, timestamps := range []string{"1", "0"} {
		t.Run("timestamps "+timestamps, func(t *testing.T) {
			l := netlab.New(t, netlab.Options{Sysctls: map[string]string{
				"net.netfilter.nf_conntrack_udp_timeout":        "1",
				"net.netfilter.nf_conntrack_udp_timeout_stream": "1",
				"net.netfilter.nf_conntrack_timestamp":          timestamps,
			}})
			base := netlab.Totals{}
			d := start(t, l, "[sources.conntrack]\nmanage_sysctl = false\n")
			watched(t, l, d, base, func(ctx context.Context) error {
				ctx, cancel := context.WithTimeout(ctx, 6*time.Second)
				defer cancel()
				return repeat(ctx, 130*time.Millisecond, func(i int) error { return again(l, i) })
			})
			if timestamps == "1" {
				_, a := exactly(t, l, d, base)
				noLoss(t, a)
				return
			}
			// Without timestamps incarnations cannot always be told apart, which the daemon says.
			_, a := exactlyFor(t, l, d, base, clients(l))
			st := d.await(t, "word of timestamps", func(st status) bool { return st.Sources[0].State == "degraded" })
			t.Logf("%s; exact %t, losses %v", st.Sources[0].Detail, a.Exact, kinds(a))
		})
	}
}

// again uses the same ports once more, over TCP at once and over UDP when the old flow has been forgotten.
func again(l *netlab.Lab, i int) error {
	for n, pair := range [][2]netip.Addr{{l.Clients4[0], l.Server4()}, {l.Clients6[1], l.Server6()}} {
		c, err := l.DialTCP(netip.AddrPortFrom(pair[0], 4001), echo(pair[1]))
		if err != nil {
			return err
		}
		if err := errors.Join(c.Exchange(int64(100*(i%9)), int64(1000*(n+1))), c.Reset()); err != nil {
			return err
		}
	}
	if i%10 != 0 {
		return nil
	}
	from := netip.AddrPortFrom(l.Clients4[2], 4002)
	u, err := l.DialUDP(from, echo(l.Server4()))
	if err != nil {
		return err
	}
	return errors.Join(u.Exchange(3, 100, 200), u.Close(), l.Gone(from, 17, patience))
}
