package eve

import (
	"fmt"
	"strings"
	"testing"
)

// TestPrivacy checks that nothing of what belongs to people is in an event, wherever in a line it stands.
func TestPrivacy(t *testing.T) {
	line := `{"event_type":"alert","username":"SECRET","payload":"SECRET","packet":"SECRET",
		"payload_printable":"SECRET",
		"alert":{"signature":"SECRET","metadata":{"x":["SECRET"]}},
		"http":{"hostname":"a","http_refer":"SECRET","request_headers":[{"name":"cookie","value":"SECRET"}],
			"http_request_body_printable":"SECRET","http_response_body":"SECRET","xff":"SECRET"},
		"ftp":{"command":"PASS","command_data":"SECRET","reply":["SECRET"]},"ftp_data":{"filename":"SECRET"},
		"smtp":{"helo":"a","mail_from":"SECRET","rcpt_to":["SECRET"]},
		"email":{"from":"SECRET","to":["SECRET"],"subject":"SECRET","attachment":["SECRET"]},
		"mqtt":{"connect":{"client_id":"a","username":"SECRET","password":"SECRET","will":{"message":"SECRET"}},
			"publish":{"topic":"SECRET","message":"SECRET"}},
		"smb":{"share":"a","filename":"SECRET","directory":"SECRET",
			"ntlmssp":{"host":"a","user":"SECRET","domain":"SECRET"},
			"kerberos":{"realm":"SECRET"}},
		"rdp":{"cookie":"SECRET","client":{"client_name":"a","id":"SECRET"}},
		"sip":{"uri":"a","request_line":"SECRET",
			"sdp":{"email":"SECRET","phone_number":"SECRET","encryption_key":"SECRET"}},
		"pgsql":{"request":{"password":"SECRET","simple_query":"SECRET"}},"pop3":{"request":{"args":["SECRET"]}},
		"ldap":{"request":{"bind_request":{"name":"SECRET"}}},"krb5":{"cname":"SECRET"},"snmp":{"community":"SECRET"},
		"fileinfo":{"filename":"SECRET"},"tls":{"client":{"subject":"SECRET"},"certificate":"SECRET"},
		"dhcp":{"client_id":"SECRET"},"host":"SECRET","metadata":{"flowvars":[{"a":"SECRET"}]}}`
	d := NewDecoder()
	e := decode(t, d, line)
	if text := fmt.Sprintf("%+v", e); strings.Contains(text, "SECRET") {
		t.Errorf("a secret is in %s", text)
	}
	if e.SMB.Share != "a" || e.MQTT.ClientID != "a" || e.SMTP.Helo != "a" || e.RDP.ClientName != "a" {
		t.Errorf("what may be read is not: %+v", e)
	}
	for _, word := range d.words.slots {
		if strings.Contains(word, "SECRET") {
			t.Error("a secret is remembered")
		}
	}
}
