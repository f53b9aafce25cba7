package eve

// Each reader below takes one object of an event. It says whether there was one: of 6.0.1 it can come twice,
// and then the last counts.

func (d *Decoder) ether(e *Event) {
	e.SrcMAC, e.DestMAC = [6]byte{}, [6]byte{}
	ok := d.object()
	for ok && d.field() {
		switch string(d.key) {
		case "src_mac":
			e.SrcMAC = d.mac()
		case "dest_mac":
			e.DestMAC = d.mac()
		case "src_macs":
			e.SrcMAC = d.firstMAC()
		case "dest_macs":
			e.DestMAC = d.firstMAC()
		default:
			d.skip()
		}
	}
}

func (d *Decoder) flow(f *Flow) bool {
	*f = Flow{}
	ok := d.object()
	for ok && d.field() {
		switch string(d.key) {
		case "start":
			f.Start = d.time()
		case "end":
			f.End = d.time()
		case "pkts_toserver":
			f.PktsToServer, _ = d.uint(maxUint64)
		case "pkts_toclient":
			f.PktsToClient, _ = d.uint(maxUint64)
		case "bytes_toserver":
			f.BytesToServer, _ = d.uint(maxUint64)
		case "bytes_toclient":
			f.BytesToClient, _ = d.uint(maxUint64)
		case "state":
			f.State = d.text(maxWord)
		case "reason":
			f.Reason = d.text(maxWord)
		case "src_ip":
			f.Src = d.addr()
		default:
			d.skip()
		}
	}
	return ok
}

func (d *Decoder) tcp(t *TCP) bool {
	*t = TCP{}
	ok := d.object()
	for ok && d.field() {
		switch string(d.key) {
		case "syn":
			t.SYN = d.bool()
		case "state":
			t.State = d.text(maxWord)
		default:
			d.skip()
		}
	}
	return ok
}

func (d *Decoder) http(h *HTTP) bool {
	*h = HTTP{}
	ok := d.object()
	for ok && d.field() {
		switch string(d.key) {
		case "hostname":
			h.Host = d.text(maxName)
		case "url":
			h.URL = d.fresh(maxURL)
		case "http_method":
			h.Method = d.text(maxWord)
		case "http_user_agent":
			h.Agent = d.text(maxName)
		case "protocol":
			h.Protocol = d.text(maxWord)
		case "version":
			h.Version = d.text(maxWord)
		case "status":
			h.Status = d.small()
		default:
			d.skip()
		}
	}
	return ok
}

func (d *Decoder) tls(t *TLS) bool {
	*t = TLS{SANs: t.SANs[:0], ALPNs: t.ALPNs[:0]}
	ok := d.object()
	for ok && d.field() {
		switch string(d.key) {
		case "sni":
			t.SNI = d.text(maxName)
		case "subject":
			t.Subject = d.text(maxSubject)
		case "version":
			t.Version = d.text(maxWord)
		case "from_proto":
			t.FromProto = d.text(maxWord)
		case "subjectaltname":
			t.SANs = d.texts(t.SANs[:0], maxRecords)
		case "client_alpns":
			t.ALPNs = d.texts(t.ALPNs[:0], maxALPNs)
		case "server_alpns":
			t.ServerALPN = d.firstText()
		case "ja3":
			t.JA3 = d.inner("hash", maxWord)
		case "ja3s":
			t.JA3S = d.inner("hash", maxWord)
		case "ja4":
			t.JA4 = d.text(maxWord)
		case "session_resumed":
			t.Resumed = d.bool()
		default:
			d.skip()
		}
	}
	return ok
}

// firstText reads the first of a list of texts.
func (d *Decoder) firstText() string {
	var first string
	ok := d.array()
	for n := 0; ok && d.element(); n++ {
		if n == 0 {
			first = d.text(maxWord)
		} else {
			d.skip()
		}
	}
	return first
}

// inner reads one text of an object.
func (d *Decoder) inner(key string, limit int) string {
	var v string
	ok := d.object()
	for ok && d.field() {
		if string(d.key) == key {
			v = d.text(limit)
		} else {
			d.skip()
		}
	}
	return v
}

func (d *Decoder) quic(q *QUIC) bool {
	*q = QUIC{}
	ok := d.object()
	for ok && d.field() {
		switch string(d.key) {
		case "sni":
			q.SNI = d.text(maxName)
		case "version":
			q.Version = d.text(maxWord)
		case "ua":
			q.UserAgent = d.text(maxName)
		case "ja3":
			q.JA3 = d.inner("hash", maxWord)
		case "ja3s":
			q.JA3S = d.inner("hash", maxWord)
		case "ja4":
			q.JA4 = d.text(maxWord)
		default:
			d.skip()
		}
	}
	return ok
}

func (d *Decoder) ssh(s *SSH) bool {
	*s = SSH{}
	ok := d.object()
	for ok && d.field() {
		switch string(d.key) {
		case "client":
			s.ClientSoftware = d.inner("software_version", maxName)
		case "server":
			s.ServerSoftware = d.inner("software_version", maxName)
		default:
			d.skip()
		}
	}
	return ok
}

func (d *Decoder) smb(s *SMB) bool {
	*s = SMB{}
	ok := d.object()
	for ok && d.field() {
		switch string(d.key) {
		case "dialect":
			s.Dialect = d.text(maxWord)
		case "share":
			s.Share = d.text(maxName)
		case "ntlmssp":
			s.Host = d.inner("host", maxName)
		default:
			d.skip()
		}
	}
	return ok
}

func (d *Decoder) rdp(r *RDP) bool {
	*r = RDP{}
	ok := d.object()
	for ok && d.field() {
		if string(d.key) == "client" {
			r.ClientName = d.inner("client_name", maxName)
		} else {
			d.skip()
		}
	}
	return ok
}

func (d *Decoder) sip(s *SIP) bool {
	*s = SIP{}
	ok := d.object()
	for ok && d.field() {
		switch string(d.key) {
		case "method":
			s.Method = d.text(maxWord)
		case "uri":
			s.URI = d.text(maxName)
		case "code":
			s.Code = d.text(maxWord)
		default:
			d.skip()
		}
	}
	return ok
}

func (d *Decoder) mqtt(m *MQTT) bool {
	*m = MQTT{}
	ok := d.object()
	for ok && d.field() {
		if string(d.key) == "connect" {
			m.ClientID = d.inner("client_id", maxName)
		} else {
			d.skip()
		}
	}
	return ok
}

func (d *Decoder) smtp(s *SMTP) bool {
	*s = SMTP{}
	ok := d.object()
	for ok && d.field() {
		if string(d.key) == "helo" {
			s.Helo = d.text(maxName)
		} else {
			d.skip()
		}
	}
	return ok
}

func (d *Decoder) dhcp(h *DHCP) bool {
	*h = DHCP{}
	ok := d.object()
	for ok && d.field() {
		switch string(d.key) {
		case "type":
			h.Type = d.text(maxWord)
		case "dhcp_type":
			h.Message = d.text(maxWord)
		case "id":
			h.ID, _ = d.uint(maxUint64)
		case "client_mac":
			h.ClientMAC = d.mac()
		case "assigned_ip":
			h.Assigned = d.addr()
		case "client_ip":
			h.Client = d.addr()
		case "lease_time":
			h.Lease = d.uint32()
		case "hostname":
			h.Hostname = d.text(maxName)
		default:
			d.skip()
		}
	}
	return ok
}

func (d *Decoder) arp(a *ARP) bool {
	*a = ARP{}
	ok := d.object()
	for ok && d.field() {
		switch string(d.key) {
		case "opcode":
			a.Opcode = d.text(maxWord)
		case "src_mac":
			a.SrcMAC = d.mac()
		case "dest_mac":
			a.DestMAC = d.mac()
		case "src_ip":
			a.SrcIP = d.addr()
		case "dest_ip":
			a.DestIP = d.addr()
		default:
			d.skip()
		}
	}
	return ok
}

func (d *Decoder) alert(a *Alert) bool {
	*a = Alert{}
	ok := d.object()
	for ok && d.field() {
		switch string(d.key) {
		case "signature_id":
			a.SID = d.uint32()
		case "severity":
			a.Severity = d.small()
		default:
			d.skip()
		}
	}
	return ok
}
