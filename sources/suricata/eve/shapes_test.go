package eve

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

// decode decodes one line, or fails the test.
func decode(t testing.TB, d *Decoder, line string) Event {
	t.Helper()
	var e Event
	if err := d.Decode([]byte(line), &e); err != nil {
		t.Fatalf("%.200s: %v", line, err)
	}
	return e
}

// TestWrongTypes puts each kind of value where each field is: whatever it is, the line is decoded, and what
// is neither null nor of the right type is counted as odd.
func TestWrongTypes(t *testing.T) {
	values := []string{
		`null`, `true`, `-1`, `1.5`, `1e99`, `99999999999999999999`, `"text"`, `""`, `[]`, `{}`,
		`[null,{},[],7,"x",-1]`,
		`{"a":{"b":[1]},"hash":5,"host":null,"client_id":{},"A":[1,null,{}],"software_version":[]}`,
	}
	for _, path := range paths() {
		for _, v := range values {
			d := NewDecoder()
			e := decode(t, d, nest(path, v))
			if v == `null` && d.Odd != 0 {
				t.Errorf("%s = null counted as odd", path)
			}
			if v == `-1` && d.Odd == 0 {
				t.Errorf("%s = -1 not counted as odd", path)
			}
			if v == `null` || v == `-1` || v == `99999999999999999999` {
				e.Has = 0
				if e := normal(e); !reflect.DeepEqual(e, Event{}) {
					t.Errorf("%s = %s gave %+v", path, v, e)
				}
			}
		}
	}
}

// paths are all fields that are read.
func paths() []string {
	all := strings.Fields(`timestamp event_type flow_id parent_id in_iface vlan src_ip dest_ip src_port dest_port proto
		app_proto app_proto_orig pkt_src direction icmp_type icmp_code ether flow tcp dns mdns http http2 tls quic ssh
		smb rdp sip mqtt smtp dhcp arp alert`)
	inner := map[string]string{
		"ether": "src_mac dest_mac src_macs dest_macs",
		"flow":  "start end pkts_toserver pkts_toclient bytes_toserver bytes_toclient state reason src_ip",
		"tcp":   "syn state", "http": "hostname url http_method http_user_agent protocol version status",
		"dns": "version type id queries answers grouped query answer",
		"tls": "sni subject version from_proto subjectaltname client_alpns server_alpns ja3 ja3s ja4 " +
			"session_resumed",
		"quic": "sni version ua ja3 ja3s ja4", "ssh": "client server", "smb": "dialect share ntlmssp",
		"rdp": "client", "sip": "method uri code", "mqtt": "connect", "smtp": "helo",
		"dhcp": "type dhcp_type id client_mac assigned_ip client_ip lease_time hostname",
		"arp":  "opcode src_mac dest_mac src_ip dest_ip", "alert": "signature_id severity",
	}
	for object, names := range inner {
		for name := range strings.FieldsSeq(names) {
			all = append(all, object+" "+name)
		}
	}
	return all
}

// nest makes a line in which only the field at path is, with the value v.
func nest(path, v string) string {
	fields := strings.Fields(path)
	for i := len(fields) - 1; i >= 0; i-- {
		v = fmt.Sprintf(`{%q:%s}`, fields[i], v)
	}
	return v
}

// TestShapes has the forms that differ between versions.
func TestShapes(t *testing.T) {
	mac := [6]byte{1, 2, 3, 4, 5, 6}
	for _, test := range []struct {
		line string
		want Event
		odd  uint64
	}{
		{`{}`, Event{}, 0},
		{" {\t} \r\n", Event{}, 0},
		{`{"vlan":7}`, Event{VLANs: []uint16{7}}, 0},
		{`{"vlan":[7,4095,4096,-1,2,3,4]}`, Event{VLANs: []uint16{7, 4095, 2, 3}}, 2},
		{`{"src_port":0,"dest_port":65535}`, Event{DestPort: 65535, Has: HasPorts}, 0},
		{`{"src_port":80,"dest_port":65536}`, Event{SrcPort: 80}, 1},
		{`{"src_port":80,"dest_port":53.0}`, Event{SrcPort: 80}, 1},
		{`{"src_port":"80","dest_port":53}`, Event{DestPort: 53}, 1},
		{`{"src_port":80,"dest_port":53,"src_port":null}`, Event{DestPort: 53}, 0},
		{`{"proto":"tcp"}`, Event{Proto: 6, Has: HasProto}, 0},
		{`{"proto":"IPv6-ICMP"}`, Event{Proto: 58, Has: HasProto}, 0},
		{`{"proto":"170"}`, Event{Proto: 170, Has: HasProto}, 0},
		{`{"proto":"0"}`, Event{Has: HasProto}, 0},
		{`{"proto":"256"}`, Event{}, 1},
		{`{"proto":"no-such"}`, Event{}, 1},
		{`{"proto":6}`, Event{}, 1},
		{`{"flow_id":18446744073709551615}`, Event{FlowID: 1<<64 - 1}, 0},
		{`{"flow_id":18446744073709551616}`, Event{}, 1},
		{`{"icmp_type":8,"icmp_code":0}`, Event{ICMPType: 8, Has: HasICMP}, 0},
		{`{"icmp_type":256,"icmp_code":1}`, Event{ICMPCode: 1}, 1},
		{`{"src_ip":"::ffff:1.2.3.4"}`, Event{Src: netip.MustParseAddr("1.2.3.4")}, 0},
		{
			`{"src_ip":"0000:0000:0000:0000:0000:ffff:0102:0304","dest_ip":"fe80::1%lan0"}`,
			Event{Src: netip.MustParseAddr("1.2.3.4"), Dest: netip.MustParseAddr("fe80::1")},
			0,
		},
		{`{"src_ip":"1.2.3","dest_ip":""}`, Event{}, 2},
		{`{"ether":{"src_mac":"01:02:03:04:05:06","dest_mac":"01:02:03"}}`, Event{SrcMAC: mac}, 1},
		{`{"ether":{"src_macs":["01:02:03:04:05:06","00:00:00:00:00:01"],"dest_macs":[]}}`, Event{SrcMAC: mac}, 0},
		{`{"ether":{"src_mac":"01:02:03:04:05:06"},"ether":{}}`, Event{}, 0},
		{`{"smb":{"share":"a"},"smb":{"dialect":"b"}}`, Event{Has: HasSMB, SMB: SMB{Dialect: "b"}}, 0},
		{`{"smb":{"share":"a"},"smb":null}`, Event{}, 0},
		{`{"timestamp":"ts-error"}`, Event{}, 1},
		{`{"tls":{"ja3":{},"ja3s":null}}`, Event{Has: HasTLS}, 0},
		{`{"tls":{"sn\u0069":"a\u0000\ud83d\ude00\ud800"}}`, Event{Has: HasTLS, TLS: TLS{SNI: "a\x00😀\ufffd"}}, 0},
		{
			`{"dns":{"type":"answer","id":9,"rcode":"NOERROR","rrname":"a.b","rrtype":"65","ttl":5}}`,
			Event{Has: HasDNS, DNS: DNS{
				Type: "answer", ID: 9, Rcode: "NOERROR", Answers: []Answer{{Owner: "a.b", Type: "HTTPS", TTL: 5}},
			}},
			0,
		},
		{
			`{"dns":{"rcode":"NXDOMAIN","rrname":"a.b"}}`,
			Event{Has: HasDNS, DNS: DNS{Rcode: "NXDOMAIN", Queries: []Query{{Name: "a.b"}}}},
			0,
		},
		{
			`{"dns":{"queries":[],"answers":[{"rrname":"a","rrtype":"SRV","ttl":1,"rdata":{"name":"b"}}]}}`,
			Event{Has: HasDNS, DNS: DNS{Answers: []Answer{{Owner: "a", Type: "SRV", TTL: 1, Data: "b"}}}},
			0,
		},
		{
			`{"mdns":{"rcode":3,"answers":[{"rrname":"a","srv":{"name":"b"}}],
				"additionals":[{"rrname":"b","a":"1.2.3.4"}]}}`,
			Event{Has: HasDNS, DNS: DNS{Rcode: "NXDOMAIN", Answers: []Answer{
				{Owner: "a", Type: "SRV", Data: "b"}, {Owner: "b", Type: "A", Data: "1.2.3.4"},
			}}},
			0,
		},
	} {
		d := NewDecoder()
		got := normal(decode(t, d, test.line))
		if !reflect.DeepEqual(got, test.want) || d.Odd != test.odd {
			t.Errorf("%s\n got %+v, %d odd\nwant %+v, %d odd", test.line, got, d.Odd, test.want, test.odd)
		}
	}
}

// TestReset checks that nothing of a line stays for the next one.
func TestReset(t *testing.T) {
	d := NewDecoder()
	var e Event
	for _, line := range samples(t) {
		if err := d.Decode(line, &e); err != nil {
			t.Fatal(err)
		}
		if err := d.Decode([]byte(`{}`), &e); err != nil {
			t.Fatal(err)
		}
		if got := normal(e); !reflect.DeepEqual(got, Event{}) {
			t.Fatalf("%s\nleft %+v", line, got)
		}
	}
}

// TestKept checks that texts stay what they are when the line and the event are used again.
func TestKept(t *testing.T) {
	d := NewDecoder()
	line := []byte(`{"event_type":"tls","tls":{"sni":"one.example"},"http":{"url":"/one"}}`)
	var e Event
	if err := d.Decode(line, &e); err != nil {
		t.Fatal(err)
	}
	sni, url := e.TLS.SNI, e.HTTP.URL
	clear(line)
	decode(t, d, `{"event_type":"tls","tls":{"sni":"two.example"},"http":{"url":"/two"}}`)
	if sni != "one.example" || url != "/one" {
		t.Errorf("texts became %q and %q", sni, url)
	}
}

// TestBounds checks that long texts, long lists and deep nesting are cut off.
func TestBounds(t *testing.T) {
	d := NewDecoder()
	long := strings.Repeat("ž", 345000)
	e := decode(t, d, `{"dns":{"answers":[{"rrname":"`+long+`","rrtype":"TXT","rdata":"x`+long+`"}]},
		"event_type":"`+long+`","http":{"url":"`+long+`"},"tls":{"subject":"`+long+`"}}`)
	if a := e.DNS.Answers[0]; len(a.Owner) != 1024 || a.Data != "x"+long[:1022] || d.Clipped != 5 {
		t.Errorf("texts of %d and %d bytes, %d cut", len(a.Owner), len(a.Data), d.Clipped)
	}
	if len(e.Type) != 128 || len(e.HTTP.URL) != 4096 || len(e.TLS.Subject) != 4096 {
		t.Errorf("texts of %d, %d and %d bytes", len(e.Type), len(e.HTTP.URL), len(e.TLS.Subject))
	}
	decode(t, d, `{"tls":{"sni":"\n`+long+`"}}`)
	if cap(d.scratch) > maxScratch || d.cursor.text != nil || d.key != nil {
		t.Errorf("a buffer of %d bytes and a line of %d are kept", cap(d.scratch), len(d.cursor.text))
	}
	list := func(element string) string { return strings.Repeat(element+",", 99) + element }
	d = NewDecoder()
	e = decode(t, d, `{"dns":{"answers":[`+list(`{"rrname":"a"}`)+`],"queries":[`+list(`{"rrname":"a"}`)+
		`],"grouped":{"A":[`+list(`"a"`)+`]},"query":[`+list(`{"rrname":"a"}`)+`]},
		"tls":{"subjectaltname":[`+list(`"a"`)+`],"client_alpns":[`+list(`"a"`)+`]},"vlan":[`+list(`1`)+`]}`)
	for what, n := range map[string][2]int{
		"answers": {len(e.DNS.Answers), 64}, "queries": {len(e.DNS.Queries), 64}, "groups": {len(e.DNS.Grouped), 64},
		"names": {len(e.TLS.SANs), 64}, "protocols": {len(e.TLS.ALPNs), 16}, "VLANs": {len(e.VLANs), 4},
	} {
		if n[0] != n[1] {
			t.Errorf("%d %s, want %d", n[0], what, n[1])
		}
	}
	if want := uint64(36 + 36 + 36 + 100 + 36 + 84 + 96); d.Clipped != want {
		t.Errorf("%d elements left out, want %d", d.Clipped, want)
	}
}

// TestDepth checks the limit of nesting to the level, wherever it is.
func TestDepth(t *testing.T) {
	d := NewDecoder()
	for _, pair := range [][2]string{{`[`, `]`}, {`{"dns":`, `}`}, {`{"a":`, `}`}} {
		for depth, want := range map[int]error{31: nil, 32: ErrDeep, 100000: ErrDeep} {
			var e Event
			inner := strings.Repeat(pair[0], depth) + "1" + strings.Repeat(pair[1], depth)
			line := `{"s":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"{","dns":` + inner + `}`
			if err := d.Decode([]byte(line), &e); !errors.Is(err, want) {
				t.Errorf("%d levels of %s: %v", depth+1, pair[0], err)
			}
		}
	}
}

// TestNoJSON has what is not one object.
func TestNoJSON(t *testing.T) {
	d := NewDecoder()
	for _, line := range []string{
		``, ` `, `null`, `[]`, `"x"`, `1`, `{`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{a:1}`,
		`{"tls":{"sni":"a}}`, `{"tls":{"sni":"a"}`, `{"vlan":[1,]}`, `{"vlan":[1`, `{"src_port":01}`, `{"src_port":-}`,
		`{"tcp":{"syn":trux}}`, `{"tls":{"sni":"\x"}}`, `{"tls":{"sni":"\u12"}}`, "{\"tls\":{\"sni\":\"a\nb\"}}",
		`{"tls":nul}`, `{}}`, `{}{}`, `{} x`, `{},`,
	} {
		var e Event
		if err := d.Decode([]byte(line), &e); err == nil {
			t.Errorf("%q was decoded", line)
		}
	}
}
