package translate

// kind is what is done with events of a type.
type kind uint8

const (
	kindUnknown kind = iota
	// kindIgnored: nothing.
	kindIgnored
	// kindRecord, kindStart: the flow records.
	kindRecord
	kindStart
	kindDNS
	kindHTTP
	kindTLS
	kindQUIC
	kindSSH
	kindSMB
	kindRDP
	kindSIP
	kindMQTT
	kindFTP
	kindSMTP
	kindFileinfo
	kindAlert
	// kindNamed: the type names the application and that is all that is used.
	kindNamed
	// kindDHCP, kindMDNS, kindARP: they tell of devices, not of flows.
	kindDHCP
	kindMDNS
	kindARP
)

// device says whether events of the kind give facts alone.
func (k kind) device() bool { return k == kindDHCP || k == kindMDNS || k == kindARP }

// kindOf reads event_type.
func kindOf(typ string) kind {
	switch typ {
	case "flow":
		return kindRecord
	case "flow_start":
		return kindStart
	case "dns":
		return kindDNS
	case "http":
		return kindHTTP
	case "tls":
		return kindTLS
	case "quic":
		return kindQUIC
	case "ssh":
		return kindSSH
	case "smb":
		return kindSMB
	case "rdp":
		return kindRDP
	case "sip":
		return kindSIP
	case "mqtt":
		return kindMQTT
	case "ftp":
		return kindFTP
	case "smtp":
		return kindSMTP
	case "fileinfo":
		return kindFileinfo
	case "alert":
		return kindAlert
	case "dhcp":
		return kindDHCP
	case "mdns":
		return kindMDNS
	case "arp":
		return kindARP
	case "dcerpc", "krb5", "ldap", "nfs", "snmp", "ike", "ikev2", "pgsql", "pop3", "tftp", "rfb", "dnp3", "modbus",
		"enip", "bittorrent_dht", "websocket", "ftp_data":
		return kindNamed
	case "netflow", "stats", "anomaly", "drop", "packet", "frame", "metadata", "stream_tcp", "stream", "engine",
		"verdict", "llmnr", "igmp", "sctp":
		return kindIgnored
	}
	return kindUnknown
}
