package translate

import (
	"net/netip"
	"slices"

	"weir/columns"
	"weir/messages"
	"weir/sources/suricata/eve"
)

// The protocols of the IP header that are treated in their own ways.
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
	protoSCTP   = 132
)

func isICMP(proto uint8) bool { return proto == protoICMP || proto == protoICMPv6 }

// hasPorts says whether flows of the protocol are known by ports.
func hasPorts(proto uint8) bool { return proto == protoTCP || proto == protoUDP || proto == protoSCTP }

// connected says whether flows of the protocol begin and end by what their ends send. Of others, such as UDP,
// one flow of Suricata may be several of the kernel, which waits for less long.
func connected(proto uint8) bool { return proto == protoTCP || proto == protoSCTP }

// has says whether the event has all of some objects.
func (x *work) has(o eve.Object) bool { return x.Has&o == o }

// address finds the key of the event's flow.
func (t *Translator) address(k kind, x *work) Reason {
	switch {
	case !x.Src.IsValid() || !x.Dest.IsValid() || x.Src.Is4() != x.Dest.Is4():
		return NoAddress
	case !x.has(eve.HasProto):
		return NoProtocol
	}
	src, dest := messages.MakeEnd(x.Src, 0), messages.MakeEnd(x.Dest, 0)
	switch {
	case hasPorts(x.Proto):
		if !x.has(eve.HasPorts) {
			return NoPorts
		}
		src.Port, dest.Port = x.SrcPort, x.DestPort
	case isICMP(x.Proto):
		if !t.opt.Statistics || k != kindRecord && k != kindStart {
			return ICMP
		}
		dest.Port = uint16(x.ICMPType)<<8 | uint16(x.ICMPCode)
	}
	var swapped bool
	x.key, swapped = messages.MakeKey(x.Proto, 0, src, dest)
	x.srcIsA = !swapped
	return used
}

// ends gives the places of the source and of the destination in the key.
func (x *work) ends() (src, dest columns.KeyEnd) {
	if x.srcIsA {
		return columns.EndA, columns.EndB
	}
	return columns.EndB, columns.EndA
}

// mac says whether a hardware address is that of the end with an address: a frame has it only for ends in the
// networks of the router, and for all others the router's own.
func (t *Translator) mac(addr netip.Addr, mac [6]byte) bool {
	return (addr.IsPrivate() || addr.IsLinkLocalUnicast()) && t.device(mac)
}

// device says whether a hardware address is that of a device other than the router.
func (t *Translator) device(mac [6]byte) bool {
	const group = 1 // Set in multicast addresses and that of broadcast.
	return mac != [6]byte{} && mac[0]&group == 0 && !slices.Contains(t.opt.OwnMACs, mac)
}

// framed says whether in events of the kind the hardware addresses are those of the addresses beside them.
// In others the addresses stand in the order of the flow and the hardware addresses in that of some packet:
// measured, in half of 6's ftp and sip, in nearly all of 7's ike, and in a fifth of 8's fileinfo.
func (x *work) framed(k kind) bool {
	return k == kindRecord || k == kindHTTP || k == kindTLS || k == kindDNS && !x.answers()
}
