package translate

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/sources/suricata/eve"
)

// TestSecrets checks that what belongs to people is in nothing that their events give: in the lines of the
// tests, and in much of the real output if it is there.
func TestSecrets(t *testing.T) {
	files, err := filepath.Glob(realLines)
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	s := &secrets{tr: New(Options{Statistics: true})}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for l := range bytes.Lines(b) {
			s.line(t, l)
		}
	}
	if s.found < 10 {
		t.Errorf("only %d secrets in the lines of the tests", s.found)
	}
	t.Run("shared", func(t *testing.T) {
		dir := sharedDir(t)
		for _, file := range []string{"gen-8.0.8-sv", "gen-6.0.1-noprotocolsfile", "live-8.0.8/eve"} {
			eachLine(t, filepath.Join(dir, file+".json.gz"), func(line []byte) { s.line(t, line) })
		}
		t.Logf("%d secrets, of which %d are public in the same event", s.found, s.public)
	})
}

type secrets struct {
	tr            *Translator
	found, public int
}

func (s *secrets) line(t *testing.T, line []byte) {
	t.Helper()
	var whole map[string]any
	if bytes.Contains(line, []byte(`"event_type":"netflow"`)) || bytes.Contains(line, []byte(`"event_type":"flow"`)) {
		return // Half of all, and nothing in them.
	}
	if json.Unmarshal(line, &whole) != nil {
		return
	}
	hidden := map[string]bool{}
	hide(whole, hidden)
	if len(hidden) == 0 {
		return
	}
	var e eve.Event
	w := &sink{}
	eve.NewLines().Line(line, func(x *eve.Event) {
		e = *x
		s.tr = New(Options{Statistics: true}) // Says everything again.
		if err := s.tr.Event(t.Context(), 1, x, time.Unix(0, max(1, x.Time)), w); err != nil {
			t.Fatal(err)
		}
	})
	// What the event may say and does: a user may be called as his computer.
	said := strings.ToLower(strings.Join([]string{
		e.SMTP.Helo, e.SMB.Host, e.SMB.Share, e.SMB.Dialect, e.RDP.ClientName, e.MQTT.ClientID, host(e.SIP.URI),
		e.SIP.Method,
		e.HTTP.Host, e.HTTP.URL, e.HTTP.Agent, e.TLS.SNI, e.AppProto, e.Type, e.DHCP.Hostname, e.Iface,
		e.Src.String(), e.Dest.String(),
	}, " "))
	got := strings.ToLower(w.take())
	for h := range hidden {
		s.found++
		h = strings.ToLower(h)
		if strings.Contains(said, h) || strings.Contains(e.Type, h) {
			s.public++
		} else if strings.Contains(got, h) {
			t.Errorf("%q is told:\n%s\nof %s", h, got, line)
		}
	}
}

// hide gathers what no event may give away.
func hide(o map[string]any, hidden map[string]bool) {
	for _, path := range []string{
		"smtp.mail_from", "smtp.rcpt_to", "email.from", "email.to", "email.subject", "mqtt.connect.username",
		"mqtt.connect.password", "mqtt.publish.message", "mqtt.publish.topic", "smb.ntlmssp.user", "smb.ntlmssp.domain",
		"rdp.cookie", "pgsql.request.password", "pgsql.request.simple_query", "krb5.cname", "snmp.community",
		"ftp.reply",
		"sip.request_line", "ftp_data.filename", "fileinfo.filename", "ldap.request.bind_request.name", "smb.filename",
		"pop3.request.args", "alert.signature", "http.http_refer", "tls.serial", "tls.fingerprint", "tls.issuerdn",
		"dhcp.client_id",
	} {
		gather(o, strings.Split(path, "."), hidden)
	}
	if ftp, ok := o["ftp"].(map[string]any); ok && (ftp["command"] == "USER" || ftp["command"] == "PASS") {
		gather(ftp, []string{"command_data"}, hidden)
	}
}

func gather(v any, path []string, hidden map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		if len(path) > 0 {
			gather(v[path[0]], path[1:], hidden)
		}
	case []any:
		for _, e := range v {
			gather(e, path, hidden)
		}
	case string:
		// What is shorter is in some other word by chance; DHCP clients are known by their hardware address.
		const least = 4
		if v = strings.Trim(v, "<> "); len(v) >= least {
			hidden[v] = true
		}
	}
}
