package names_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
)

// flowLines are an event that names a flow, and the record that counts it, of a Suricata that is the only source.
func flowLines(id int, object string) string {
	ends := fmt.Sprintf(`"flow_id":%d,"in_iface":"lan0","src_ip":"192.168.1.10","src_port":%d,`+
		`"dest_ip":"198.51.100.80","dest_port":443,"proto":"TCP"`, id, 40000+id)
	stamp := time.Now().UTC().Format("2006-01-02T15:04:05.000000-0700")
	record := fmt.Sprintf(`"flow":{"pkts_toserver":3,"pkts_toclient":4,"bytes_toserver":1042,"bytes_toclient":2056,`+
		`"start":%q,"end":%q,"state":"closed","reason":"timeout"},"tcp":{"syn":true,"state":"closed"}`, stamp, stamp)
	return fmt.Sprintf(`{"timestamp":%q,%s,%s}`+"\n", stamp, ends, object) +
		fmt.Sprintf(`{"timestamp":%q,"event_type":"flow",%s,%s}`+"\n", stamp, ends, record)
}

// hostile are lines that a peer could make Suricata write, or that whoever writes to the socket makes up.
func hostile() (lines []string) {
	long := strings.Repeat("A", 64<<10)
	for i, object := range []string{
		`"event_type":"tls","tls":{"sni":"\u001b[31mred\u001b]0;title\u0007.example.org","version":"TLS 1.3"}`,
		`"event_type":"tls","tls":{"sni":"<script>alert(1)</script>.example.org"}`,
		`"event_type":"tls","tls":{"sni":"nul\u0000.and\nline\r\u2028.example.org"}`,
		`"event_type":"tls","tls":{"sni":"\u202egro.elpmaxe\u202c.example.org"}`,
		`"event_type":"tls","tls":{"sni":"bad` + "\xff\xfe\xc0" + `.example.org"}`,
		`"event_type":"http","http":{"hostname":"=cmd|'/c calc'!A0.example.org","url":"/` + long +
			`","http_user_agent":"` + long + `","http_method":"\u009b2J"}`,
		`"event_type":"http","http":{"hostname":"` + long + `.example.org","url":"/\u0085\u0007"}`,
		`"event_type":"dns","dns":{"version":3,"type":"request","id":1,"queries":[{"rrname":"\u0001\u007f` +
			`\"quotes\" and 'more', \\x1b.example.org","rrtype":"A\u001b[2J"}]}`,
		`"event_type":"\u001b[31mtype","tls":{"sni":"x"}`,
	} {
		lines = append(lines, flowLines(i+1, object))
	}
	return append(lines, "\x00\x1b[2J{]}\xff\n"+long+"\n")
}

// acting says whether a character does something in a terminal or to the text around it.
func acting(r rune) bool {
	return r != '\n' && unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// TestHostileNames: what the network says acts nowhere, and can be found.
func TestHostileNames(t *testing.T) {
	p := run(t, "statistics = true\n")
	c := p.connect(t)
	for _, line := range hostile() {
		if _, err := c.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	p.await(t, "lines", func(st *status) error {
		if st.metric("suricata", "events_flow_total") < 9 || st.metric("suricata", "bad_events_total") < 1 {
			return errNotYet
		}
		return nil
	})
	p.slices(t, 2)
	by := []string{
		"query", "--last", "1h", "--top", "all",
		"--by", "remote.name,tls.sni,http.host,http.url,http.agent,dns.query,dns.type,local.port",
	}
	for _, output := range []string{"table", "json", "csv"} {
		out, err := p.weir(t, append(by, "--output", output)...)
		if err != nil {
			t.Fatal(err)
		}
		if output == "csv" {
			out = strings.ReplaceAll(out, "\r\n", "\n") // As its lines end.
		}
		if at := strings.IndexFunc(out, acting); at >= 0 {
			t.Errorf("%s: %q", output, out[at:min(len(out), at+60)])
		}
		for what, bad := range map[string]bool{
			"a tag of HTML in JSON":     output == "json" && strings.Contains(out, "<script"),
			"JSON that cannot be read":  output == "json" && !json.Valid([]byte(out)),
			"a formula in CSV":          output == "csv" && regexp.MustCompile(`(?m)(^|,)"?=`).MatchString(out),
			"a long text":               len(out) > 64<<10,
			"no name of example.org":    !strings.Contains(out, "example.org"),
			"a flow that is not there":  !strings.Contains(out, "40001"),
			"an unknown type as a name": strings.Contains(out, "31mtype"),
		} {
			if bad {
				t.Errorf("%s: %s", output, what)
			}
		}
		if output == "csv" {
			if _, err := csv.NewReader(strings.NewReader(out)).ReadAll(); err != nil {
				t.Error(err)
			}
		}
	}
	if at := strings.IndexFunc(p.log.String(), acting); at >= 0 {
		t.Errorf("log: %q", p.log.String()[at:])
	}
	p.findAgain(t)
}

// findAgain asks for each name as it was printed.
func (p *program) findAgain(t *testing.T) {
	t.Helper()
	for _, column := range []string{"tls.sni", "dns.query", "http.host"} {
		for _, row := range p.rows(t, "--by", column) {
			text := strings.Trim(row[0], "[]")
			if text == "" {
				continue
			}
			filter := column + ` = "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
			if found := p.rows(t, "--by", "local.port", filter); len(found) != 1 {
				t.Errorf("%s: %d flows", filter, len(found))
			}
		}
	}
}
