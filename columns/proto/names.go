package proto

import "slices"

// names are the protocols that a router may see, with the name that is shown first. Other spellings
// are understood as well. A protocol that is not here shows as its number.
var names = [...]struct {
	number uint8
	names  []string
}{
	{1, []string{"icmp", "icmpv4"}},
	{2, []string{"igmp"}},
	{4, []string{"ipip", "ipencap"}},
	{6, []string{"tcp"}},
	{17, []string{"udp"}},
	{33, []string{"dccp"}},
	{41, []string{"ipv6", "6in4", "sit"}},
	{46, []string{"rsvp"}},
	{47, []string{"gre"}},
	{50, []string{"esp"}},
	{51, []string{"ah"}},
	{58, []string{"ipv6-icmp", "icmp6", "icmpv6"}},
	{88, []string{"eigrp"}},
	{89, []string{"ospf"}},
	{97, []string{"etherip"}},
	{103, []string{"pim"}},
	{108, []string{"ipcomp"}},
	{112, []string{"vrrp", "carp"}},
	{115, []string{"l2tp"}},
	{132, []string{"sctp"}},
	{136, []string{"udplite", "udp-lite"}},
	{137, []string{"mpls-in-ip"}},
	{139, []string{"hip"}},
}

// name gives the name that is shown, or nothing.
func name(p uint8) string {
	for _, n := range &names {
		if n.number == p {
			return n.names[0]
		}
	}
	return ""
}

// number finds a protocol by any of its names.
func number(text string) (uint8, bool) {
	for _, n := range &names {
		if slices.Contains(n.names, text) {
			return n.number, true
		}
	}
	return 0, false
}
