package netlab

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Who is what the truth tells apart.
type Who struct {
	Client netip.Addr
	Proto  uint8
}

// Sum is what moved: up is what the client sent.
type Sum struct {
	UpBytes, UpPackets, DownBytes, DownPackets uint64
}

// Add gives the sum of both.
func (s Sum) Add(o Sum) Sum {
	return Sum{
		UpBytes: s.UpBytes + o.UpBytes, UpPackets: s.UpPackets + o.UpPackets,
		DownBytes: s.DownBytes + o.DownBytes, DownPackets: s.DownPackets + o.DownPackets,
	}
}

// Sub gives what came on top of o.
func (s Sum) Sub(o Sum) Sum {
	return Sum{
		UpBytes: s.UpBytes - o.UpBytes, UpPackets: s.UpPackets - o.UpPackets,
		DownBytes: s.DownBytes - o.DownBytes, DownPackets: s.DownPackets - o.DownPackets,
	}
}

// Exceeds says that some number of s is larger than that of o.
func (s Sum) Exceeds(o Sum) bool {
	return s.UpBytes > o.UpBytes || s.UpPackets > o.UpPackets ||
		s.DownBytes > o.DownBytes || s.DownPackets > o.DownPackets
}

// Totals are sums; what is zero is absent.
type Totals map[Who]Sum

// Truth reads the router's counters.
func (l *Lab) Truth() (Totals, error) {
	sums, err := l.counters()
	if err != nil {
		return nil, err
	}
	t := Totals{}
	for family, clients := range map[int][]netip.Addr{4: l.Clients4, 6: l.Clients6} {
		for i, a := range clients {
			for _, p := range protocols {
				up, down := sums[counterName(family, i, p.number, "up")], sums[counterName(family, i, p.number, "down")]
				t.Book(Who{a, p.number}, Sum{up.Bytes, up.Packets, down.Bytes, down.Packets})
			}
		}
	}
	return t, nil
}

// Repeated counts packets of handshakes that were sent twice; the truth leaves them out, as conntrack does.
func (l *Lab) Repeated() (packets uint64, err error) {
	sums, err := l.counters()
	return sums["repeated"].Packets, err
}

type counter struct {
	Name           string
	Packets, Bytes uint64
}

func (l *Lab) counters() (map[string]counter, error) {
	out, err := l.Router.Output(l.ctx, "nft", "-j", "list", "counters", "table", "inet", table)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Objects []struct{ Counter *counter } `json:"nftables"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return nil, fmt.Errorf("read counters: %w", err)
	}
	sums := map[string]counter{}
	for _, o := range answer.Objects {
		if o.Counter != nil {
			sums[o.Counter.Name] = *o.Counter
		}
	}
	return sums, nil
}

// Book adds to one sum.
func (t Totals) Book(w Who, s Sum) {
	if s != (Sum{}) {
		t[w] = t[w].Add(s)
	}
}

// Sub gives what came on top of o.
func (t Totals) Sub(o Totals) Totals {
	d := Totals{}
	for w, s := range t {
		d.Book(w, s.Sub(o[w]))
	}
	return d
}

// ByClient drops the protocol.
func (t Totals) ByClient() Totals {
	d := Totals{}
	for w, s := range t {
		d.Book(Who{Client: w.Client}, s)
	}
	return d
}

// Sum is all of it.
func (t Totals) Sum() (all Sum) {
	for _, s := range t {
		all = all.Add(s)
	}
	return all
}

// Differ describes how what was measured differs from the truth, line by line; empty if it does not.
func (t Totals) Differ(measured Totals) string {
	return t.compare(measured, func(truth, m Sum) bool { return truth != m })
}

// Exceeded describes where more was measured than there was; empty if nowhere.
func (t Totals) Exceeded(measured Totals) string {
	return t.compare(measured, func(truth, m Sum) bool { return m.Exceeds(truth) })
}

func (t Totals) compare(measured Totals, wrong func(truth, m Sum) bool) string {
	var lines []string
	all := maps.Clone(t)
	maps.Copy(all, measured)
	for w := range all {
		if wrong(t[w], measured[w]) {
			lines = append(lines, fmt.Sprintf("%s proto %d: truth %+v, measured %+v",
				w.Client, w.Proto, t[w], measured[w]))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
