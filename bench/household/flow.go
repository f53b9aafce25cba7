package household

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"weir/columns"
	"weir/columns/mark"
	"weir/messages"
)

// flow is one conversation. Its times are since the start of the recording.
type flow struct {
	update messages.Update
	alias  *messages.Key
	tags   []columns.Tag

	begin, end time.Duration
	// talks is how long it talks after begin.
	talks time.Duration
	front bool
	// total is what the initiator and the responder send in all.
	total [2]messages.Counter

	// first and last are the first and the last counters that were recorded.
	first, last [2]messages.Counter
	recorded    bool
}

// lengthMTU is a full packet, lengthSmall a small one.
const (
	lengthMTU   = 1400
	lengthSmall = 76
)

// newFlow makes up a flow that begins at begin.
func (w *world) newFlow(r *rand.Rand, k *kind, begin time.Duration) *flow {
	f := &flow{begin: begin, front: k.front}
	f.talks = time.Duration(float64(k.lasts) * math.Exp(r.NormFloat64()*min(k.spread, 1)))
	f.end = f.begin + f.talks + k.linger
	// Both directions vary together: who downloads more, asks more.
	luck := math.Exp(r.NormFloat64() * k.spread)
	f.total[0] = volume(k.up * luck)
	f.total[1] = volume(k.down * luck)
	w.connect(r, k, f)
	return f
}

// volume is a number of bytes and the packets that carry them.
func volume(bytes float64) messages.Counter {
	if bytes < 1 {
		return messages.Counter{}
	}
	n := uint64(max(bytes, lengthSmall))
	return messages.Counter{Bytes: n, Packets: 1 + n/lengthMTU}
}

// connect chooses who talks with whom, and translates addresses as the router would.
func (w *world) connect(r *rand.Rand, k *kind, f *flow) {
	d := w.devices[w.talk.choose(r)]
	to := w.servers[w.fame.choose(r)]
	if d.guest {
		f.tags = []columns.Tag{mark.Column.Tag(guestMark)}
	}
	own := uint16(32768 + r.UintN(28232)) //nolint:gosec // Below 65536.
	if k.proto == icmp {
		own = uint16(r.UintN(1 << 16)) //nolint:gosec // Below 65536.
	}
	switch k.to {
	case toRouter:
		f.between(k.proto, d.v4, own, router4, k.port)
	case toNAS:
		f.between(k.proto, d.v4, own, nas4, k.port)
	case toGroup:
		f.between(k.proto, d.v4, k.port, mdns4, k.port)
	case ofRouter:
		f.between(k.proto, wan4, own, to.v4, k.port)
	case fromWorld:
		f.between(k.proto, to.v4, own, wan4, k.port)
		f.translate(k.proto, nas4, 443, to.v4, own)
	default:
		if d.v6.IsValid() && to.v6.IsValid() && k.proto != icmp {
			f.between(k.proto, d.v6, own, to.v6, k.port)
			return
		}
		f.between(k.proto, d.v4, own, to.v4, k.port)
		f.translate(k.proto, to.v4, k.port, wan4, own)
	}
}

// between sets the key, from who opens the flow to who answers.
func (f *flow) between(proto uint8, from netip.Addr, fromPort uint16, to netip.Addr, toPort uint16) {
	var swapped bool
	f.update.Key, swapped = messages.MakeKey(proto, 0, messages.MakeEnd(from, fromPort), messages.MakeEnd(to, toPort))
	f.update.Flags |= messages.Oriented
	if swapped {
		f.update.Flags |= messages.InitiatorB
	}
}

// translate sets the alias, from who really answers to whom he thinks he answers.
func (f *flow) translate(proto uint8, from netip.Addr, fromPort uint16, to netip.Addr, toPort uint16) {
	alias, swapped := messages.MakeKey(proto, 0, messages.MakeEnd(from, fromPort), messages.MakeEnd(to, toPort))
	f.alias = &alias
	if swapped {
		f.update.Flags |= messages.ResponderAliasB
	}
}

// at gives the news of the flow at some time.
func (f *flow) at(now time.Duration, created time.Time, status messages.Status) messages.Update {
	u := f.update
	u.Start = created.Add(f.begin).UnixNano()
	u.Status = status
	if status == messages.Started {
		return u
	}
	if status == messages.Ended {
		u.Stop = created.Add(f.end).UnixNano()
	}
	u.Kind = messages.Absolute
	u.Counters = f.counters(now)
	return u
}

// counters are what the ends A and B of the key have sent by now.
func (f *flow) counters(now time.Duration) [2]messages.Counter {
	share := 1.0
	if now < f.begin+f.talks {
		share = float64(now-f.begin) / float64(f.talks)
		if f.front {
			share = 1 - (1-share)*(1-share)*(1-share)
		}
	}
	c := [2]messages.Counter{part(f.total[0], share), part(f.total[1], share)}
	if f.update.Flags&messages.InitiatorB != 0 {
		c[0], c[1] = c[1], c[0]
	}
	return c
}

// part is what has come of a volume; the first packet always has.
func part(c messages.Counter, share float64) messages.Counter {
	if c.Packets == 0 {
		return c
	}
	n := 1 + uint64(float64(c.Packets-1)*share)
	if n == c.Packets {
		return c
	}
	return messages.Counter{Packets: n, Bytes: c.Bytes * n / (c.Packets + 1)}
}

// record keeps the counters of what is being recorded.
func (f *flow) record(u *messages.Update) {
	if u.Kind != messages.Absolute {
		return
	}
	if !f.recorded && f.begin < 0 {
		f.first = u.Counters
	}
	f.last, f.recorded = u.Counters, true
}

// moved is what was recorded of it.
func (f *flow) moved() messages.Counter {
	return messages.Counter{
		Packets: f.last[0].Packets - f.first[0].Packets + f.last[1].Packets - f.first[1].Packets,
		Bytes:   f.last[0].Bytes - f.first[0].Bytes + f.last[1].Bytes - f.first[1].Bytes,
	}
}
