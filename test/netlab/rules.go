package netlab

import (
	"fmt"
	"net/netip"
	"strings"
)

// table is the name of the lab's own ruleset in the router.
const table = "weirlab"

// Protocols that the truth tells apart.
var protocols = []struct { //nolint:gochecknoglobals // A constant table.
	name   string
	number uint8
	family int
}{
	{"tcp", 6, 0}, {"udp", 17, 0}, {"icmp", 1, 4}, {"ipv6-icmp", 58, 6},
}

// LoadRules gives the router its ruleset: NAT, port forwarding and the counters of the truth.
func (l *Lab) LoadRules() {
	l.t.Helper()
	l.must(l.Router.NFT(l.Ruleset()))
}

// DropRules takes the ruleset away again, and with it all tracking and the truth.
func (l *Lab) DropRules() {
	l.t.Helper()
	l.must(l.Router.NFT("flush ruleset"))
}

// Ruleset is the text of the router's ruleset.
//
// Conntrack books a packet when it enters, at priority -200. The truth counts in chains of priority -150, thus
// right after it and before any address is rewritten; in output too, because a router sends resets and
// replies of its own. What conntrack lets pass without booking is left out: packets that are related
// (ICMP errors) or invalid, and handshakes sent twice.
func (l *Lab) Ruleset() string {
	var b strings.Builder
	fmt.Fprintf(&b, "table inet %s {\n", table)
	l.writeCounters(&b)
	b.WriteString(countChain)
	fmt.Fprintf(&b, natChains, l.forwards())
	b.WriteString("}\n")
	return b.String()
}

// The bit 0x40000000 of the conntrack mark says that the connection was answered before.
const countChain = `
	chain count {
		ct state != { new, established } return
		ct direction original ct state established tcp flags & (syn | ack | rst) == syn counter name repeated return
		ct direction reply tcp flags & (syn | ack) == syn | ack ct mark and 0x40000000 != 0 counter name repeated return
		ct direction reply tcp flags & (syn | ack) == syn | ack ct mark set ct mark or 0x40000000
		counter name ct original ip saddr . meta l4proto . ct direction map @opened4 return
		counter name ct original ip6 saddr . meta l4proto . ct direction map @opened6 return
		ct direction original counter name ip daddr . meta l4proto . th dport map @forwarded return
		counter name ct reply ip saddr . meta l4proto . ct direction map @answered4 return
		counter name ct reply ip6 saddr . meta l4proto . ct direction map @answered6 return
		counter name foreign
	}
	chain truth_in {
		type filter hook prerouting priority -150; policy accept;
		jump count
	}
	chain truth_out {
		type filter hook output priority -150; policy accept;
		jump count
	}
`

const natChains = `
	chain forward_ports {
		type nat hook prerouting priority -100; policy accept;
%s
	}
	chain masquerade_lan {
		type nat hook postrouting priority 100; policy accept;
		oifname "wan0" ip saddr 192.168.10.0/24 masquerade
	}
`

func (l *Lab) forwards() string {
	parts := make([]string, len(l.Clients4))
	for i, a := range l.Clients4 {
		parts[i] = fmt.Sprintf(
			"\t\tiifname \"wan0\" meta nfproto ipv4 meta l4proto { tcp, udp } th dport %d dnat ip to %s:%d",
			ForwardPort+i, a, EchoPort)
	}
	return strings.Join(parts, "\n")
}

// writeCounters writes the named counters, one for each client address, protocol and direction, and the maps
// that lead to them: what a client opened counts up in the original direction, what it answered
// counts up in the reply direction.
func (l *Lab) writeCounters(b *strings.Builder) {
	b.WriteString("\tcounter repeated { }\n\tcounter foreign { }\n")
	l.writeFamily(b, 4, "ipv4_addr", l.Clients4)
	l.writeFamily(b, 6, "ipv6_addr", l.Clients6)
	l.writeForwarded(b)
}

// writeForwarded writes the map for what comes in through the DNAT: of a first packet conntrack does not know
// yet who will answer.
func (l *Lab) writeForwarded(b *strings.Builder) {
	elements := make([]string, 0, 2*len(l.Clients4))
	for i := range l.Clients4 {
		for _, p := range protocols[:2] {
			elements = append(elements, fmt.Sprintf("%s . %s . %d : %q",
				routerWAN4, p.name, ForwardPort+i, counterName(4, i, p.number, "down")))
		}
	}
	writeMap(b, "forwarded", "ipv4_addr . inet_proto . inet_service", elements)
}

func writeMap(b *strings.Builder, name, key string, elements []string) {
	fmt.Fprintf(b, "\tmap %s {\n\t\ttype %s : counter\n\t\telements = { %s }\n\t}\n",
		name, key, strings.Join(elements, ",\n\t\t\t"))
}

func (l *Lab) writeFamily(b *strings.Builder, family int, kind string, clients []netip.Addr) {
	var opened, answered []string
	for i, a := range clients {
		for _, p := range protocols {
			if p.family != 0 && p.family != family {
				continue
			}
			up, down := counterName(family, i, p.number, "up"), counterName(family, i, p.number, "down")
			fmt.Fprintf(b, "\tcounter %s { }\n\tcounter %s { }\n", up, down)
			opened = append(opened, element(a, p.name, "original", up), element(a, p.name, "reply", down))
			answered = append(answered, element(a, p.name, "reply", up), element(a, p.name, "original", down))
		}
	}
	key := kind + " . inet_proto . ct_dir"
	writeMap(b, fmt.Sprintf("opened%d", family), key, opened)
	writeMap(b, fmt.Sprintf("answered%d", family), key, answered)
}

func element(a netip.Addr, proto, direction, counter string) string {
	return fmt.Sprintf("%s . %s . %s : %q", a, proto, direction, counter)
}

func counterName(family, client int, proto uint8, way string) string {
	return fmt.Sprintf("v%d_c%d_p%d_%s", family, client, proto, way)
}
