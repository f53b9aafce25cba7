package translate

import "weir/sources/suricata/eve"

// wellKnown is below the ports that clients take.
const wellKnown = 1024

// sourceIsClient says whether the source of an event opened its flow, as far as the event tells: by what its type is
// measured to mean, else by its content, else by the ports. It is asked only where nobody knows better.
func (x *work) sourceIsClient(k kind) bool {
	switch k {
	case kindRecord, kindStart, kindHTTP, kindTLS, kindSSH, kindSMB, kindFTP, kindSMTP:
		return true
	case kindDNS:
		return x.dnsClient(portDNS) == x.Src
	case kindQUIC:
		return x.QUIC.SNI != "" || x.QUIC.JA3 != "" || x.QUIC.JA3S == ""
	case kindSIP:
		return x.SIP.Method != "" || x.SIP.Code == ""
	case kindDHCP:
		return x.DHCP.Type != "reply"
	case kindAlert:
		if x.Flow.Src.IsValid() && x.Src != x.Dest {
			return x.Flow.Src == x.Src
		}
		if x.Direction != "" {
			return x.Direction == "to_server"
		}
	case kindNamed:
		switch x.Type {
		case "ftp_data", "dcerpc", "pgsql", "ldap", "pop3", "dnp3", "modbus":
			return true
		}
	default:
	}
	return x.toServer()
}

// toServer says whether the ports look as if the event's packet went to the server.
func (x *work) toServer() bool {
	if !x.has(eve.HasPorts) || x.SrcPort == x.DestPort {
		return true
	}
	if src, dest := serves(x.SrcPort), serves(x.DestPort); src != dest {
		return dest
	}
	if src, dest := x.SrcPort < wellKnown, x.DestPort < wellKnown; src != dest {
		return dest
	}
	return true
}

// serves says whether servers of the protocols that Suricata reads from single packets listen on a port.
func serves(port uint16) bool {
	switch port {
	case portDNS, 67, 69, 80, 88, 123, 161, 443, 500, 1883, 2049, portRDP, 4500, 5060, 5061, portMDNS, 5900, 6881, 8883:
		return true
	}
	return false
}
