package eve

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"time"
)

// plain is an event as one would decode it with encoding/json: the same fields, addresses and times left as
// texts, which is less work than the decoder does.
type plain struct {
	Timestamp string          `json:"timestamp"`
	Type      string          `json:"event_type"`
	FlowID    uint64          `json:"flow_id"`
	ParentID  uint64          `json:"parent_id"`
	Iface     string          `json:"in_iface"`
	VLAN      json.RawMessage `json:"vlan"`
	Src       string          `json:"src_ip"`
	Dest      string          `json:"dest_ip"`
	SrcPort   int             `json:"src_port"`
	DestPort  int             `json:"dest_port"`
	Proto     string          `json:"proto"`
	App       string          `json:"app_proto"`
	AppOrig   string          `json:"app_proto_orig"`
	PktSrc    string          `json:"pkt_src"`
	Direction string          `json:"direction"`
	ICMPType  int             `json:"icmp_type"`
	ICMPCode  int             `json:"icmp_code"`
	Ether     *plainEther     `json:"ether"`
	Flow      *plainFlow      `json:"flow"`
	TCP       *plainTCP       `json:"tcp"`
	DNS       *plainDNS       `json:"dns"`
	MDNS      *plainDNS       `json:"mdns"`
	HTTP      *plainHTTP      `json:"http"`
	HTTP2     *plainHTTP      `json:"http2"`
	TLS       *plainTLS       `json:"tls"`
	QUIC      *plainQUIC      `json:"quic"`
	SSH       *plainSSH       `json:"ssh"`
	SMB       *plainSMB       `json:"smb"`
	RDP       *plainRDP       `json:"rdp"`
	SIP       *plainSIP       `json:"sip"`
	MQTT      *plainMQTT      `json:"mqtt"`
	SMTP      *plainSMTP      `json:"smtp"`
	DHCP      *plainDHCP      `json:"dhcp"`
	ARP       *plainARP       `json:"arp"`
	Alert     *plainAlert     `json:"alert"`
}

type (
	plainEther struct {
		Src   string   `json:"src_mac"`
		Dest  string   `json:"dest_mac"`
		Srcs  []string `json:"src_macs"`
		Dests []string `json:"dest_macs"`
	}
	plainFlow struct {
		Start   string `json:"start"`
		End     string `json:"end"`
		PktsTS  uint64 `json:"pkts_toserver"`
		PktsTC  uint64 `json:"pkts_toclient"`
		BytesTS uint64 `json:"bytes_toserver"`
		BytesTC uint64 `json:"bytes_toclient"`
		State   string `json:"state"`
		Reason  string `json:"reason"`
		Src     string `json:"src_ip"`
	}
	plainTCP struct {
		SYN   bool   `json:"syn"`
		State string `json:"state"`
	}
	plainRecord struct {
		Name  string          `json:"rrname"`
		Type  string          `json:"rrtype"`
		TTL   uint32          `json:"ttl"`
		Rdata json.RawMessage `json:"rdata"`
		A     string          `json:"a"`
		AAAA  string          `json:"aaaa"`
		PTR   string          `json:"ptr"`
	}
	plainDNS struct {
		plainRecord
		Version int                 `json:"version"`
		Kind    string              `json:"type"`
		ID      uint64              `json:"id"`
		Rcode   any                 `json:"rcode"`
		Queries []plainRecord       `json:"queries"`
		Query   []plainRecord       `json:"query"`
		Answer  *plainRecord        `json:"answer"`
		Answers []plainRecord       `json:"answers"`
		Groups  map[string][]string `json:"grouped"`
	}
	plainHTTP struct {
		Host     string `json:"hostname"`
		URL      string `json:"url"`
		Method   string `json:"http_method"`
		Agent    string `json:"http_user_agent"`
		Protocol string `json:"protocol"`
		Version  string `json:"version"`
		Status   int    `json:"status"`
	}
	plainHash struct {
		Hash string `json:"hash"`
	}
	plainTLS struct {
		SNI        string    `json:"sni"`
		Subject    string    `json:"subject"`
		Version    string    `json:"version"`
		FromProto  string    `json:"from_proto"`
		SANs       []string  `json:"subjectaltname"`
		ALPNs      []string  `json:"client_alpns"`
		ServerALPN []string  `json:"server_alpns"`
		JA3        plainHash `json:"ja3"`
		JA3S       plainHash `json:"ja3s"`
		JA4        string    `json:"ja4"`
		Resumed    bool      `json:"session_resumed"`
	}
	plainQUIC struct {
		SNI       string    `json:"sni"`
		Version   string    `json:"version"`
		UserAgent string    `json:"ua"`
		JA3       plainHash `json:"ja3"`
		JA3S      plainHash `json:"ja3s"`
		JA4       string    `json:"ja4"`
	}
	plainPeer struct {
		Software string `json:"software_version"`
	}
	plainSSH struct {
		Client plainPeer `json:"client"`
		Server plainPeer `json:"server"`
	}
	plainSMB struct {
		Dialect string `json:"dialect"`
		Share   string `json:"share"`
		NTLMSSP struct {
			Host string `json:"host"`
		} `json:"ntlmssp"`
	}
	plainRDP struct {
		Client struct {
			Name string `json:"client_name"`
		} `json:"client"`
	}
	plainSIP struct {
		Method string `json:"method"`
		URI    string `json:"uri"`
		Code   string `json:"code"`
	}
	plainMQTT struct {
		Connect struct {
			ClientID string `json:"client_id"`
		} `json:"connect"`
	}
	plainSMTP struct {
		Helo string `json:"helo"`
	}
	plainDHCP struct {
		Type     string `json:"type"`
		Message  string `json:"dhcp_type"`
		ID       uint64 `json:"id"`
		MAC      string `json:"client_mac"`
		Assigned string `json:"assigned_ip"`
		Client   string `json:"client_ip"`
		Lease    uint32 `json:"lease_time"`
		Hostname string `json:"hostname"`
	}
	plainARP struct {
		Opcode  string `json:"opcode"`
		SrcMAC  string `json:"src_mac"`
		DestMAC string `json:"dest_mac"`
		SrcIP   string `json:"src_ip"`
		DestIP  string `json:"dest_ip"`
	}
	plainAlert struct {
		SID      uint32 `json:"signature_id"`
		Severity int    `json:"severity"`
	}
)

// workload is some lines and how many bytes they have.
type workload struct {
	name  string
	lines [][]byte
	bytes int
}

// workloads returns a slice of each recorded file, and one of all; without them, the lines of testdata.
func workloads(b *testing.B) []workload {
	b.Helper()
	all := workload{name: "all"}
	var each []workload
	for _, name := range benchFiles(b) {
		w := workload{name: shortName(name)}
		lines := corpusLines(b, name)
		step := max(1, len(lines)/2000)
		for i := 0; i < len(lines); i += step {
			if json.Valid(lines[i]) {
				w.lines = append(w.lines, lines[i])
				w.bytes += len(lines[i])
			}
		}
		all.lines, all.bytes = append(all.lines, w.lines...), all.bytes+w.bytes
		each = append(each, w)
	}
	if len(each) > 0 {
		return append(each, all)
	}
	all.name = "testdata"
	all.lines = samples(b)
	for _, line := range all.lines {
		all.bytes += len(line)
	}
	return []workload{all}
}

// benchFiles returns the recorded files that are not copies of each other.
func benchFiles(b *testing.B) []string {
	b.Helper()
	var names []string
	for _, name := range recordings(b) {
		if strings.HasSuffix(name, ".json.gz") && !strings.Contains(name, "glued") {
			names = append(names, name)
		}
	}
	return names
}

// chunk is how many lines are measured together. They take a millisecond or so, which a machine that has other
// things to do leaves undisturbed now and then.
const chunk = 500

// meter keeps the shortest time of each chunk, and adds up the allocations.
type meter struct {
	times  []time.Duration
	allocs uint64
}

// run measures one pass over the lines.
func (m *meter) run(lines [][]byte, decode func(line []byte)) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := 0; i*chunk < len(lines); i++ {
		part := lines[i*chunk : min(len(lines), (i+1)*chunk)]
		start := time.Now()
		for _, line := range part {
			decode(line)
		}
		took := time.Since(start)
		if i == len(m.times) {
			m.times = append(m.times, took)
		}
		m.times[i] = min(m.times[i], took)
	}
	runtime.ReadMemStats(&after)
	m.allocs += after.Mallocs - before.Mallocs
}

// seconds returns how long one undisturbed pass takes.
func (m *meter) seconds() float64 {
	var sum time.Duration
	for _, took := range m.times {
		sum += took
	}
	return sum.Seconds()
}

// BenchmarkDecode decodes real lines, and the same lines with encoding/json in the same run, one pass of each
// in turn. It fails if the decoder is not four times as fast or needs six allocations a line.
func BenchmarkDecode(b *testing.B) {
	for _, w := range workloads(b) {
		b.Run(w.name, func(b *testing.B) {
			var ours, theirs, cold meter
			var e Event
			// Nothing is remembered yet: each line comes for the first time.
			d := NewDecoder()
			cold.run(w.lines, func(line []byte) { _ = d.Decode(line, &e) })
			for b.Loop() {
				ours.run(w.lines, func(line []byte) {
					if err := d.Decode(line, &e); err != nil {
						b.Fatal(err)
					}
				})
				theirs.run(w.lines, func(line []byte) {
					var p plain
					// A field of another type than expected is an error, after which it goes on.
					_ = json.Unmarshal(line, &p)
				})
			}
			lines, bytes := float64(len(w.lines)), float64(w.bytes)
			ratio := theirs.seconds() / ours.seconds()
			allocs := float64(ours.allocs) / lines / float64(b.N)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(bytes/ours.seconds()/1e6, "MB/s")
			b.ReportMetric(lines/ours.seconds(), "lines/s")
			b.ReportMetric(allocs, "allocs/line")
			b.ReportMetric(float64(cold.allocs)/lines, "cold-allocs/line")
			b.ReportMetric(bytes/theirs.seconds()/1e6, "json-MB/s")
			b.ReportMetric(float64(theirs.allocs)/lines/float64(b.N), "json-allocs/line")
			b.ReportMetric(ratio, "times-json")
			if ratio < 4 || allocs >= 6 {
				b.Errorf("%.1f times the speed of encoding/json, %.1f allocations a line", ratio, allocs)
			}
		})
	}
}

// BenchmarkLines measures the recovery around the decoder, on the same lines.
func BenchmarkLines(b *testing.B) {
	loads := workloads(b)
	w := loads[len(loads)-1]
	var m meter
	l := NewLines()
	for b.Loop() {
		m.run(w.lines, func(line []byte) { l.Line(line, func(*Event) {}) })
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(w.bytes)/m.seconds()/1e6, "MB/s")
	b.ReportMetric(float64(len(w.lines))/m.seconds(), "lines/s")
	b.ReportMetric(float64(m.allocs)/float64(len(w.lines)*b.N), "allocs/line")
}

// TestAllocations checks that a line that is like one before it needs no memory, but for its URL.
func TestAllocations(t *testing.T) {
	d := NewDecoder()
	var e Event
	for i, line := range samples(t) {
		if err := d.Decode(line, &e); err != nil {
			t.Fatal(err)
		}
		// Two of the words of a line may share a place, or be too long to be remembered.
		if n := testing.AllocsPerRun(10, func() { _ = d.Decode(line, &e) }); n > 5 {
			t.Errorf("line %d: %v allocations", i+1, n)
		}
	}
}
