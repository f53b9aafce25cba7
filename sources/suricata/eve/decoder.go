package eve

import (
	"errors"
	"fmt"
)

// What an event may hold at most. Longer texts are cut, further elements left out; both are counted.
const (
	maxWord    = 128
	maxName    = 1024
	maxURL     = 4096
	maxSubject = 4096
	maxVLANs   = 4
	maxALPNs   = 16
	maxRecords = 64
)

// ErrTrailing is told if something follows the object of a line.
var ErrTrailing = errors.New("more than one object")

// ErrDeep is told of a line whose objects and lists are nested deeper than any event is.
var ErrDeep = errors.New("nested too deep")

// Decoder decodes events one after the other. It is not safe for use by several goroutines.
type Decoder struct {
	// Odd counts values of another type than expected or out of range, which are as if absent; a null is
	// just absent.
	Odd uint64
	// Clipped counts texts that were cut and elements of lists that were left out because of their number.
	Clipped uint64

	cursor
	words  words
	protos map[string]uint8
	// srcPort and destPort are whether the line had them.
	srcPort, destPort bool
}

// NewDecoder returns a decoder.
func NewDecoder() *Decoder {
	return &Decoder{words: newWords(), protos: protocols()}
}

// Decode sets e to the one event of line, which is a JSON object with nothing but space around it. What is
// not used of it is checked to be JSON and left out. An object of the wrong shape is no error: e has what
// could be read, in the worst case nothing. After an error e is undefined.
func (d *Decoder) Decode(line []byte, e *Event) error {
	defer d.release()
	if err := d.first(line, e); err != nil {
		return err
	}
	if d.peek() != 0 || d.at < len(line) {
		return ErrTrailing
	}
	return nil
}

// first decodes the first object of line; what follows it begins at d.at.
func (d *Decoder) first(line []byte, e *Event) error {
	d.begin(line)
	d.srcPort, d.destPort = false, false
	e.reset()
	d.event(e)
	if d.err != nil {
		return fmt.Errorf("decode event: %w", d.err)
	}
	return nil
}

// reset makes e that of a line in which nothing is said, and keeps the room of its slices.
func (e *Event) reset() {
	vlans, queries, answers, grouped := e.VLANs[:0], e.DNS.Queries[:0], e.DNS.Answers[:0], e.DNS.Grouped[:0]
	sans, alpns := e.TLS.SANs[:0], e.TLS.ALPNs[:0]
	*e = Event{VLANs: vlans}
	e.DNS.Queries, e.DNS.Answers, e.DNS.Grouped = queries, answers, grouped
	e.TLS.SANs, e.TLS.ALPNs = sans, alpns
}

// event reads the whole object.
func (d *Decoder) event(e *Event) {
	if d.peek() != '{' {
		d.fail(errSyntax)
		return
	}
	for d.open(); d.field(); {
		if key := d.key; !d.envelope(e, key) && !d.parts(e, key) {
			d.skip()
		}
	}
	e.set(HasPorts, d.srcPort && d.destPort)
}

// set notes whether e has what.
func (e *Event) set(what Object, has bool) {
	if has {
		e.Has |= what
	} else {
		e.Has &^= what
	}
}

// envelope reads the value of a field that events of all types have; it says whether key is one.
func (d *Decoder) envelope(e *Event, key []byte) bool {
	switch string(key) {
	case "timestamp":
		e.Time = d.time()
	case "event_type":
		e.Type = d.text(maxWord)
	case "flow_id":
		e.FlowID, _ = d.uint(maxUint64)
	case "parent_id":
		e.ParentID, _ = d.uint(maxUint64)
	case "in_iface":
		e.Iface = d.text(maxWord)
	case "vlan":
		e.VLANs = d.vlans(e.VLANs[:0])
	case "src_ip":
		e.Src = d.addr()
	case "dest_ip":
		e.Dest = d.addr()
	case "src_port":
		e.SrcPort, d.srcPort = d.uint16()
	case "dest_port":
		e.DestPort, d.destPort = d.uint16()
	case "proto":
		d.proto(e)
	case "app_proto":
		e.AppProto = d.text(maxWord)
	case "app_proto_orig":
		e.AppProtoOrig = d.text(maxWord)
	case "pkt_src":
		e.PktSrc = d.text(maxWord)
	case "direction":
		e.Direction = d.text(maxWord)
	case "icmp_type":
		var ok bool
		e.ICMPType, ok = d.uint8()
		e.set(HasICMP, ok)
	case "icmp_code":
		e.ICMPCode, _ = d.uint8()
	case "ether":
		d.ether(e)
	default:
		return false
	}
	return true
}

// parts reads an object that only events of some types have; it says whether key is one.
func (d *Decoder) parts(e *Event, key []byte) bool {
	switch string(key) {
	case "flow":
		e.set(HasFlow, d.flow(&e.Flow))
	case "tcp":
		e.set(HasTCP, d.tcp(&e.TCP))
	case "dns", "mdns":
		e.set(HasDNS, d.dns(&e.DNS, len(key) == len("mdns")))
	case "http", "http2":
		e.set(HasHTTP, d.http(&e.HTTP))
	case "tls":
		e.set(HasTLS, d.tls(&e.TLS))
	case "quic":
		e.set(HasQUIC, d.quic(&e.QUIC))
	case "ssh":
		e.set(HasSSH, d.ssh(&e.SSH))
	case "smb":
		e.set(HasSMB, d.smb(&e.SMB))
	case "rdp":
		e.set(HasRDP, d.rdp(&e.RDP))
	case "sip":
		e.set(HasSIP, d.sip(&e.SIP))
	case "mqtt":
		e.set(HasMQTT, d.mqtt(&e.MQTT))
	case "smtp":
		e.set(HasSMTP, d.smtp(&e.SMTP))
	case "dhcp":
		e.set(HasDHCP, d.dhcp(&e.DHCP))
	case "arp":
		e.set(HasARP, d.arp(&e.ARP))
	case "alert":
		e.set(HasAlert, d.alert(&e.Alert))
	default:
		return false
	}
	return true
}
