package test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"weir/test/netlab"
)

// startNamed runs a daemon in the router that also listens to Suricata, and says where.
func startNamed(t *testing.T, l *netlab.Lab) (d *daemon, eve string) {
	t.Helper()
	d = prepare(t, l, "")
	eve = filepath.Join(d.dir, "eve")
	d.add(t, fmt.Sprintf("[sources.suricata]\nstream = %q\n", eve))
	d.launch(t, nil)
	d.await(t, "sources that count and listen, and a closed slice", func(st status) bool {
		return len(st.Sources) == 2 && st.Sources[0].Ready && st.Sources[1].Ready && st.Slicer.Closed > 0
	})
	return d, eve
}

// suricata stands in for one: it tells of connections what the test wants.
type suricata struct {
	conn net.Conn
	ids  int
}

func connectSuricata(t *testing.T, eve string) *suricata {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "unix", eve)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &suricata{conn: conn}
}

// sni tells the name that a client asked a server for at some time.
func (s *suricata) sni(t *testing.T, at time.Time, client, server netip.AddrPort, name string) {
	t.Helper()
	s.ids++
	line, err := json.Marshal(map[string]any{
		"timestamp": at.Format("2006-01-02T15:04:05.000000-0700"), "event_type": "tls", "flow_id": s.ids,
		"in_iface": "lan0", "src_ip": client.Addr().StringExpanded(), "src_port": client.Port(),
		"dest_ip": server.Addr().StringExpanded(), "dest_port": server.Port(), "proto": "TCP",
		"tls": map[string]any{"sni": name, "version": "TLS 1.3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.conn.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
}

// byName asks for what moved with each name.
func (d *daemon) byName() (map[string]netlab.Sum, error) {
	out, err := d.run("query", "--output", "json", "--by", "remote.name", "--last", "1h", "--top", "all",
		clientFilter+" and proto = tcp")
	if err != nil {
		return nil, fmt.Errorf("weir query: %w: %s", err, out)
	}
	a, err := parseAnswer([]byte(out))
	if err != nil {
		return nil, err
	}
	sums := map[string]netlab.Sum{}
	for _, row := range a.Rows {
		at := func(name string) uint64 {
			i, errColumn := a.column(name)
			if errColumn != nil {
				err = errColumn
				return 0
			}
			v, _ := row[i].(float64) // Exact up to 2⁵³.
			return uint64(v)
		}
		name, _ := row[0].(string)
		sums[name] = netlab.Sum{
			UpBytes: at("bytes.up"), UpPackets: at("packets.up"),
			DownBytes: at("bytes.down"), DownPackets: at("packets.down"),
		}
	}
	return sums, err
}

// awaitNames asks until the sums of some names are those of the router's own counters for some clients.
func (d *daemon) awaitNames(t *testing.T, l *netlab.Lab, clients map[string]netip.Addr) {
	t.Helper()
	if err := netlab.Poll(t.Context(), patience, func() error {
		sums, err := d.byName()
		if err != nil {
			return err
		}
		truth, err := l.Truth()
		if err != nil {
			return err
		}
		for name, client := range clients {
			if want := truth[netlab.Who{Client: client, Proto: 6}]; sums[name] != want || want == (netlab.Sum{}) {
				return fmt.Errorf("%q moved %+v, the router counts %+v; all: %+v", name, sums[name], want, sums)
			}
		}
		return nil
	}); err != nil {
		d.complain(t)
		t.Fatal(err)
	}
}

// TestNamesAtOneAddress: two names at one address get just the bytes of their connections, whether Suricata sees them
// inside or beyond the NAT, while they live, before the kernel knows of them, or long after.
func TestNamesAtOneAddress(t *testing.T) {
	l := netlab.New(t, netlab.Options{Sysctls: quick})
	d, eve := startNamed(t, l)
	s := connectSuricata(t, eve)
	server4, server6 := echo(l.Server4()), echo(l.Server6())
	inside := netip.AddrPortFrom(l.Clients4[0], 40001)
	beyond := netip.AddrPortFrom(l.RouterWAN4(), 40002) // The NAT keeps the port.
	early := netip.AddrPortFrom(l.Clients6[2], 40003)

	s.sni(t, time.Now(), early, server6, "early.example.org")
	connect := func(from, to netip.AddrPort, up, down int64) *netlab.Conn {
		c, err := l.DialTCP(from, to)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Exchange(up, down); err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := connect(inside, server4, 10_000, 200_000)
	second := connect(netip.AddrPortFrom(l.Clients4[1], 40002), server4, 5_000, 70_000)
	seen := time.Now()
	third := connect(early, server6, 3_000, 30_000)
	s.sni(t, time.Now(), inside, server4, "one.example.org")
	if err := first.Exchange(1000, 1_000_000); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*netlab.Conn{first, second, third} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	d.slices(t, 2) // What it counted is in slices that have closed.
	s.sni(t, seen, beyond, server4, "two.example.org")
	d.awaitNames(t, l, map[string]netip.Addr{
		"one.example.org": l.Clients4[0], "two.example.org": l.Clients4[1], "early.example.org": l.Clients6[2],
	})
}

// slices waits until some more slices have closed.
func (d *daemon) slices(t *testing.T, more uint64) {
	t.Helper()
	var first uint64
	d.await(t, "closed slice", func(st status) bool {
		if first == 0 {
			first = st.Slicer.Closed
		}
		return st.Slicer.Closed >= first+more
	})
}
