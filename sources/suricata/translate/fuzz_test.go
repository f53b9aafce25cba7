package translate

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"weir/sources/suricata/eve"
)

// check asserts all that holds of what a translator said, and takes it.
func (s *sink) check(t testing.TB, o Options) {
	t.Helper()
	for i := range s.updates {
		checkUpdate(t, o, &s.updates[i], s.tags[i])
	}
	for i := range s.facts {
		checkFact(t, &s.facts[i])
	}
	s.take()
}

// checkBounds asserts that nothing has grown without bound, and that each event was accounted for.
func checkBounds(t testing.TB, tr *Translator, events uint64) {
	t.Helper()
	c := tr.Counts()
	sum := c.Used
	for _, n := range c.Unused {
		sum += n
	}
	if sum != events {
		t.Fatalf("%d of %d events are accounted for", sum, events)
	}
	if tr.flows.len() > tr.opt.Flows || tr.open.len() > tr.opt.Flows || tr.conns.len() > maxConns ||
		tr.names.len() > maxChains || tr.leases.len() > maxRequests || tr.told.len() > maxTold ||
		len(tr.tags.made) > maxMade || len(tr.tags.sets) > maxSets {
		t.Fatal("something has grown without bound")
	}
}

// FuzzLines translates what the decoder makes of lines.
func FuzzLines(f *testing.F) {
	files, err := filepath.Glob(realLines)
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		lines := bytes.SplitAfter(b, []byte("\n"))
		f.Add(false, bytes.Join(lines[:min(3, len(lines))], nil))
		f.Add(true, lines[0])
	}
	f.Fuzz(func(t *testing.T, statistics bool, data []byte) {
		o := Options{Statistics: statistics, Flows: 4}
		tr, lines, w := New(o), eve.NewLines(), &sink{quiet: true}
		received := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
		events := uint64(0)
		for l := range bytes.Lines(data) {
			lines.Line(l, func(e *eve.Event) {
				events++
				if err := tr.Event(t.Context(), 1, e, received, w); err != nil {
					t.Fatal(err)
				}
				received = received.Add(time.Second)
			})
		}
		w.check(t, o)
		checkBounds(t, tr, events)
	})
}

// FuzzEvents translates events that no decoder would make.
func FuzzEvents(f *testing.F) {
	f.Add(false, []byte("0123456789abcdef\x00\xff\xfe WWW.Example.org.\x1b[2J\u202e"))
	f.Add(true, bytes.Repeat([]byte{1, 2, 3, 0xff, 0x80, 7}, 100))
	f.Add(true, bytes.Repeat([]byte("flow\x00tls\x04dns\x01"), 60))
	f.Fuzz(func(t *testing.T, statistics bool, data []byte) {
		o := Options{Statistics: statistics, Flows: 3}
		tr, w := New(o), &sink{quiet: true}
		d := dice{data: data}
		received := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
		events := uint64(0)
		for len(d.data) > 0 && events < 64 {
			var e eve.Event
			d.fill(reflect.ValueOf(&e).Elem())
			d.likely(&e, received)
			events++
			conn := uint64(d.byte() % 3)
			if err := tr.Event(t.Context(), conn, &e, received, w); err != nil {
				t.Fatal(err)
			}
			received = received.Add(time.Duration(int8(d.byte())) * time.Second) // Back, too.
			if d.byte() == 0 {
				if err := tr.Forget(t.Context(), conn, w); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.check(t, o)
		checkBounds(t, tr, events)
	})
}

// dice makes values of bytes.
type dice struct{ data []byte }

func (d *dice) byte() byte {
	if len(d.data) == 0 {
		return 1
	}
	b := d.data[0]
	d.data = d.data[1:]
	return b
}

func (d *dice) bytes(n int) []byte {
	b := make([]byte, n)
	d.data = d.data[copy(b, d.data):]
	return b
}

// fill sets a value. Few bytes make much.
func (d *dice) fill(v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *netip.Addr:
		*x = d.addr()
		return
	case *string:
		*x = d.text()
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			d.fill(field)
		}
	case reflect.Slice:
		n := int(d.byte() % 4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			d.fill(v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			d.fill(v.Index(i))
		}
	case reflect.Bool:
		v.SetBool(d.byte()&1 == 1)
	case reflect.Int, reflect.Int64:
		v.SetInt(d.number())
	default:
		v.SetUint(uint64(d.number()) & (1<<v.Type().Bits() - 1))
	}
}

func (d *dice) number() int64 {
	b := d.byte()
	if b < 200 {
		return int64(b % 4)
	}
	return int64(binary.LittleEndian.Uint64(d.bytes(8)))
}

func (d *dice) addr() netip.Addr {
	switch d.byte() % 8 {
	case 0:
		return netip.Addr{}
	case 1, 2:
		return netip.AddrFrom4([4]byte(d.bytes(4)))
	case 3:
		a := netip.AddrFrom16([16]byte(d.bytes(16)))
		return a.Unmap() // As the decoder gives them.
	case 4:
		return netip.MustParseAddr("fe80::1")
	case 5:
		return netip.MustParseAddr("0.0.0.0")
	default:
		return netip.AddrFrom4([4]byte{192, 168, 1, d.byte() % 3})
	}
}

func (d *dice) text() string {
	words := []string{
		"", "a.example", "B.Example.", "query", "answer", "response", "request", "ack", "NOERROR", "A", "AAAA", "CNAME",
		"PTR",
		"timeout", "closed", "new", "shutdown", "reply", "192.0.2.1", "::1", "fe80::1%eth0", "nas.local", "to_server",
		"1.2.0.192.in-addr.arpa", "C=CZ, CN=a.example", "stream (flow timeout)", "\xff\xfe", "a\x00b\u2028\u202e",
		" . ", "[::1]:80",
	}
	switch b := int(d.byte()); {
	case b < 5*len(words):
		return words[b%len(words)]
	case b < 240:
		return string(d.bytes(b % 16))
	default:
		return string(bytes.Repeat(d.bytes(7), 1000))
	}
}

// likely makes an event that can be used more often than chance does.
func (d *dice) likely(e *eve.Event, received time.Time) {
	types := []string{
		"flow", "flow_start", "dns", "http", "tls", "quic", "ssh", "smb", "rdp", "sip", "mqtt", "ftp", "smtp",
		"fileinfo", "alert",
		"dhcp", "mdns", "arp", "nfs", "netflow", "nonsense", "flow", "dns",
	}
	e.Type = types[int(d.byte())%len(types)]
	if d.byte() < 200 {
		e.Has = ^eve.Object(0)
		e.Proto = [...]uint8{6, 17, 6, 1, 50, 132}[d.byte()%6]
		e.Time = received.Add(-time.Duration(d.byte()) * time.Second).UnixNano()
		e.Flow.Start = e.Time - int64(d.byte())*int64(time.Second)
		e.Flow.End = e.Time
	}
}
