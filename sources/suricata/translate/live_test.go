package translate

import (
	"testing"
	"time"

	"weir/sources/suricata/eve"
)

// record makes a line of a flow record that is logged at a second.
func recordLine(at float64, ends, flow, rest string) string {
	return line(at, "flow", ends, `"flow":{`+flow+`}`+rest)
}

const (
	begin = `"start":"2026-11-22T12:00:01+0000","end":"2026-11-22T12:00:09+0000",`
	moved = `"pkts_toserver":2,"bytes_toserver":1028,"pkts_toclient":1,"bytes_toclient":514,`
	done  = `"state":"closed","reason":"timeout"`
	stops = `"state":"established","reason":"shutdown"`
	since = " start=12:00:01.000000"
)

func TestStatistics(t *testing.T) {
	play(t, Options{Statistics: true}, []scene{
		{
			name: "opened by its first event, counted and ended by its record",
			lines: []string{
				line(2, "tls", web, `"flow_id":1,"tls":{"sni":"a"}`),
				line(3, "tls", web, `"flow_id":1,"tls":{"sni":"a"}`),
				line(3, "http", web, `"flow_id":1,"http":{}`),
				recordLine(60, web, begin+moved+done, `,"flow_id":1,"app_proto":"http"`),
				line(61, "ssh", web, `"flow_id":1,"ssh":{}`),
				line(99, "http", web, `"flow_id":1,"http":{}`),
				recordLine(99, web, begin+moved+done, `,"flow_id":1`),
			},
			want: []string{
				key + ` started from=a start=12:00:02.000000 app="tls" tls.sni="a"`,
				key + ` from=a start=12:00:02.000000 at=12:00:02.000000 app="http"`,
				key + ` ended from=a a=2/1000 b=1/500 start=12:00:02.000000 at=12:00:09.000000 app="http"`,
				key + ` from=a start=12:00:02.000000 at=12:00:01.000000 app="ssh"`,
			},
			unused: map[Reason]uint64{Repeated: 1, Late: 2},
		},
		{
			name: "flow_start tells the start; a packet of the server does not turn the flow",
			lines: []string{
				line(2, "flow_start", web, `"flow_id":1,"flow":{"start":"2026-11-22T12:00:01+0000"}`),
				line(2, "alert", back, `"flow_id":1,"alert":{"signature_id":1}`),
				recordLine(60, web, begin+moved+done, `,"flow_id":1`),
			},
			want: []string{
				key + ` started from=a` + since, key + ` from=a` + since + ` at=12:00:01.000000 alert.sid="1"`,
				key + ` ended from=a a=2/1000 b=1/500` + since + ` at=12:00:09.000000`,
			},
		},
		{
			name: "counted by its record alone; B is the client; VLAN tags do not count; tunnels have no frames",
			lines: []string{
				recordLine(60, "198.51.100.80:1>192.168.1.10:2/UDP", begin+moved+`"state":"new","reason":"timeout"`,
					`,"flow_id":1,"vlan":[3]`),
				recordLine(60, "192.168.1.10>198.51.100.80/IPv6",
					begin+`"pkts_toserver":2,"bytes_toserver":66,"state":"new","reason":"tcp_reuse"`, `,"flow_id":2`),
				recordLine(60, "192.168.1.10>198.51.100.80/ICMP", begin+moved+done,
					`,"flow_id":3,"icmp_type":8,"icmp_code":0`),
			},
			want: []string{
				`17 192.168.1.10:2 198.51.100.80:1 ended from=b a=1/496 b=2/992` + since + ` at=12:00:09.000000` +
					` vlan="3"`,
				`41 192.168.1.10:0 198.51.100.80:0 ended from=a a=2/66 b=0/0` + since + ` at=12:00:09.000000`,
				`1 192.168.1.10:0 198.51.100.80:2048 ended from=a a=2/1000 b=1/500` + since + ` at=12:00:09.000000`,
			},
		},
		{
			name: "a flow that is left open goes on under the next identifier, and ends when nothing follows",
			lines: []string{
				recordLine(60, web, begin+moved+stops, `,"flow_id":1`),
				recordLine(90, web, begin+moved+`"state":"bypassed","reason":"timeout"`, `,"flow_id":2`),
				line(91, "tls", web, `"flow_id":3,"tls":{}`),
				recordLine(99, web, begin+moved+stops, `,"flow_id":3`),
				line(900, "stats", "", ""),
			},
			want: []string{
				key + ` started from=a a=2/1000 b=1/500` + since + ` at=12:00:09.000000`,
				key + ` from=a a=4/2000 b=2/1000` + since + ` at=12:00:09.000000`,
				key + ` from=a` + since + ` at=12:01:31.000000 app="tls"`,
				key + ` from=a a=6/3000 b=3/1500` + since + ` at=12:00:09.000000`,
				key + ` ended from=a` + since + ` at=12:00:09.000000`,
			},
			unused: map[Reason]uint64{Ignored: 1},
		},
		{
			name: "ghosts do not count, but what a left open flow goes on with does; a SYN begins another one",
			lines: []string{
				recordLine(60, back, begin+moved+`"state":"new","reason":"timeout"`,
					`,"flow_id":1,"tcp":{"tcp_flags":"00"}`),
				recordLine(60, web, begin+moved+stops, `,"flow_id":2,"tcp":{"syn":true}`),
				recordLine(65, back, begin+`"pkts_toserver":1,"bytes_toserver":114,"state":"bypassed",
					"reason":"timeout"`, `,"flow_id":4,"tcp":{"syn":true}`),
				recordLine(70, back, begin+`"pkts_toserver":1,"bytes_toserver":114,"state":"new","reason":"timeout"`,
					`,"flow_id":3,"tcp":{}`),
			},
			want: []string{
				key + ` started from=a a=2/1000 b=1/500` + since + ` at=12:00:09.000000`,
				key + ` ended from=a` + since + ` at=12:00:09.000000`,
				key + ` started from=b a=0/0 b=1/100` + since + ` at=12:00:09.000000`,
				key + ` ended from=b a=0/0 b=2/200` + since + ` at=12:00:09.000000`,
			},
			unused: map[Reason]uint64{Ghost: 1},
		},
		{
			name: "the identifier and the key used again; two flows of one key, as of two interfaces",
			lines: []string{
				line(2, "flow_start", web, `"flow_id":1,"flow":{"start":"2026-11-22T12:00:01+0000"}`),
				line(5, "flow_start", web, `"flow_id":1,"flow":{"start":"2026-11-22T12:00:04+0000"}`),
				line(5, "flow_start", web, `"flow_id":2,"flow":{"start":"2026-11-22T12:00:05+0000"}`),
				recordLine(9, web, `"start":"2026-11-22T12:00:04+0000",`+moved+stops, `,"flow_id":1`),
				recordLine(9, web, `"start":"2026-11-22T12:00:05+0000",`+moved+stops, `,"flow_id":2`),
			},
			want: []string{
				key + ` started from=a` + since,
				key + ` ended from=a` + since + ` at=12:00:02.000000`,
				key + ` started from=a start=12:00:04.000000`,
				key + ` started from=a start=12:00:05.000000`,
				key + ` from=a a=2/1000 b=1/500 start=12:00:04.000000 at=12:00:04.000000`,
				key + ` ended from=a start=12:00:04.000000 at=12:00:04.000000`,
				key + ` from=a a=2/1000 b=1/500 start=12:00:05.000000 at=12:00:05.000000`,
			},
		},
		{
			name: "an event without an identifier brings tags alone; devices are flows too",
			lines: []string{
				line(2, "tls", web, `"tls":{}`),
				line(2, "dhcp", "192.168.1.1:67>192.168.1.10:68/UDP",
					`"flow_id":1,"dhcp":{"type":"reply","dhcp_type":"offer"}`),
				line(2, "alert", "192.168.1.10>198.51.100.80/ICMP",
					`"flow_id":2,"icmp_type":8,"alert":{"signature_id":1}`),
			},
			want: []string{
				key + ` at=12:00:02.000000 app="tls"`,
				`17 192.168.1.1:67 192.168.1.10:68 started from=b start=12:00:02.000000 app="dhcp"`,
			},
			unused: map[Reason]uint64{ICMP: 1},
		},
	})
}

// TestForget ends the flows of a connection that was closed, and no others.
func TestForget(t *testing.T) {
	tr, w := New(Options{Statistics: true}), &sink{}
	feed(t, tr, w, line(2, "tls", web, `"flow_id":1,"tls":{}`), recordLine(9, back, begin+stops, `,"flow_id":2`))
	w.take()
	if err := tr.Forget(t.Context(), 2, w); err != nil || len(w.lines) != 0 {
		t.Fatal(err, w.lines)
	}
	if kept := tr.Counts().FlowsKept; kept != 1 {
		t.Errorf("%d flows kept", kept)
	}
	if err := tr.Forget(t.Context(), 1, w); err != nil {
		t.Fatal(err)
	}
	want := key + " ended from=a start=12:00:02.000000 at=12:00:02.000000\n" +
		key + " ended from=b start=12:00:01.000000 at=12:00:09.000000"
	if got := w.take(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if kept := tr.Counts().FlowsKept; kept != 0 || tr.open.len() != 0 || tr.conns.len() != 0 {
		t.Errorf("%d flows kept", kept)
	}
}

// TestForgottenFlows ends flows that had to make room.
func TestForgottenFlows(t *testing.T) {
	tr, w := New(Options{Statistics: true, Flows: 1}), &sink{}
	feed(t, tr, w,
		line(2, "tls", web, `"flow_id":1,"tls":{}`), line(3, "tls", back, `"flow_id":2,"tls":{}`),
		recordLine(4, back, begin+stops, `,"flow_id":2`), recordLine(5, "10.0.0.1:1>10.0.0.2:2/TCP", begin+stops,
			`,"flow_id":3`),
	)
	want := key + ` started from=a start=12:00:02.000000 app="tls"` + "\n" +
		key + ` ended from=a start=12:00:02.000000 at=12:00:02.000000` + "\n" +
		key + ` started from=b start=12:00:03.000000 app="tls"` + "\n" +
		key + ` from=b a=0/0 b=0/0 start=12:00:03.000000 at=12:00:04.001000` + "\n" +
		key + ` ended from=b start=12:00:03.000000 at=12:00:04.001000` + "\n" +
		`6 10.0.0.1:1 10.0.0.2:2 started from=a a=0/0 b=0/0` + since + ` at=12:00:05.001000`
	if got := w.take(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if n := tr.Counts().FlowsForgotten; n != 2 {
		t.Errorf("%d flows forgotten", n)
	}
}

// TestClient orients flows that nobody else knows.
func TestClient(t *testing.T) {
	for _, c := range []struct {
		typ, ends, rest string
		client          byte
	}{
		{"quic", "198.51.100.80:443>192.168.1.10:5000/UDP", `"quic":{"ja3s":{"hash":"a"}}`, 'a'},
		{"quic", "198.51.100.80:5000>192.168.1.10:443/UDP", `"quic":{"sni":"a"}`, 'b'},
		{"sip", "198.51.100.80:5060>192.168.1.10:5060/UDP", `"sip":{"code":"200"}`, 'a'},
		{"sip", "198.51.100.80:5060>192.168.1.10:5060/UDP", `"sip":{"method":"BYE"}`, 'b'},
		{"dns", "198.51.100.80:53>192.168.1.10:5000/UDP", `"dns":{"type":"answer"}`, 'a'},
		{"dns", "192.168.1.10:5000>198.51.100.80:53/UDP", `"dns":{"type":"answer"}`, 'a'},
		{"dns", "198.51.100.80:54>192.168.1.10:5000/UDP", `"dns":{"type":"response"}`, 'a'},
		{"alert", back, `"alert":{"signature_id":1},"flow":{"src_ip":"192.168.1.10"},"direction":"to_server"`, 'a'},
		{"alert", back, `"alert":{"signature_id":1},"direction":"to_server"`, 'b'},
		{"alert", back, `"alert":{"signature_id":1},"direction":"to_client"`, 'a'},
		{"alert", back, `"alert":{"signature_id":1}`, 'a'},
		{"mqtt", "198.51.100.80:1883>192.168.1.10:1024/TCP", `"mqtt":{}`, 'a'},
		{"tftp", "198.51.100.80:1023>192.168.1.10:1024/UDP", ``, 'a'},
		{"tftp", "198.51.100.80:1024>192.168.1.10:1023/UDP", ``, 'b'},
		{"tftp", "198.51.100.80:1024>192.168.1.10:1025/UDP", ``, 'b'},
		{"ldap", "198.51.100.80:389>192.168.1.10:5000/TCP", ``, 'b'},
		{"dhcp", "198.51.100.80:67>192.168.1.10:67/UDP", `"dhcp":{"type":"reply"}`, 'a'},
	} {
		tr, w := New(Options{Statistics: true}), &sink{}
		rest := `"flow_id":1`
		if c.rest != "" {
			rest += "," + c.rest
		}
		feed(t, tr, w, line(0, c.typ, c.ends, rest))
		if len(w.updates) != 1 {
			t.Fatalf("%s %s: %v", c.typ, c.ends, w.lines)
		}
		if got := 'a' + byte(w.updates[0].Flags&1); got != c.client {
			t.Errorf("%s %s %s: client %c", c.typ, c.ends, c.rest, got)
		}
	}
}

// TestShifted keeps flows of a replayed capture apart and in order, whatever its times.
func TestShifted(t *testing.T) {
	tr, w := New(Options{Statistics: true}), &sink{}
	d := eve.NewDecoder()
	var e eve.Event
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, l := range []string{
		line(0, "tls", web, `"flow_id":1,"tls":{}`),
		recordLine(3600, web, `"start":"2026-11-22T12:00:00+0000","end":"2026-11-22T12:30:00+0000",`+moved+done,
			`,"flow_id":1`),
		recordLine(7200, web, `"start":"2026-11-22T12:59:00+0000","end":"2026-11-22T13:30:00+0000",`+moved+done,
			`,"flow_id":2`),
		recordLine(7200, web, `"start":"2026-11-22T12:59:10+0000","end":"2026-11-22T13:30:00+0000",`+moved+done,
			`,"flow_id":3`),
	} {
		if err := d.Decode([]byte(l), &e); err != nil {
			t.Fatal(err)
		}
		if err := tr.Event(t.Context(), 1, &e, now.Add(time.Duration(i)*time.Millisecond), w); err != nil {
			t.Fatal(err)
		}
	}
	starts := map[int64]bool{}
	for i, u := range w.updates {
		starts[u.Start] = true
		if u.Start < now.UnixNano() || u.Start > now.UnixNano()+4e6 || i > 0 && u.Start < w.updates[i-1].Start {
			t.Errorf("start %v", time.Unix(0, u.Start).UTC())
		}
	}
	if len(w.updates) != 4 || len(starts) != 3 {
		t.Errorf("%d updates, %d flows", len(w.updates), len(starts))
	}
}
