package journal

import (
	"math/rand/v2"

	"weir/columns"
	"weir/columns/ip"
	"weir/columns/port"
	"weir/columns/proto"
	"weir/messages"
)

// booked makes five slices of three flows with accounts.
func booked() (all []*messages.Slice) {
	r := rand.New(rand.NewPCG(1, 9))
	for seq := range 5 {
		s := &messages.Slice{Seq: uint64(seq), Span: spanAt(seq), Parts: []*messages.Rows{{}}}
		p := s.Parts[0]
		for _, c := range []*columns.Column{
			ip.Columns.Local, ip.Columns.Remote, port.Columns.Local, port.Columns.Remote, proto.Column.Column,
		} {
			cells := messages.Cells{Column: c, Dict: []columns.Value{""}}
			for flow := range 3 {
				cells.Dict = append(cells.Dict, c.Random(rand.New(rand.NewPCG(uint64(flow), uint64(c.Index())))))
				cells.IDs = append(cells.IDs, uint32(flow+1))
			}
			p.Cells = append(p.Cells, cells)
		}
		for flow := range uint64(3) {
			n := r.Uint64N(1e6)
			p.UpBytes, p.UpPackets = append(p.UpBytes, n), append(p.UpPackets, n/99)
			p.DownBytes, p.DownPackets = append(p.DownBytes, flow), append(p.DownPackets, 0)
			p.Started, p.Ended = append(p.Started, uint32(seq)), append(p.Ended, uint32(flow))
			p.Flow = append(p.Flow, 1+flow)
			s.Accounts = append(s.Accounts, messages.Account{
				Flow: 1 + flow, Start: s.Span.Start.UnixNano(), ID: uint32(flow), LocalIsA: flow == 1,
				Last: [2]messages.Counter{{Bytes: n, Packets: n / 99}, {Bytes: flow}},
			})
		}
		all = append(all, s)
	}
	return all
}

func spanAt(seq int) messages.Span {
	start := int64(1_780_000_000+10*seq) * 1e9
	f := frame{start: start, end: start + 10e9}
	return f.span()
}

// encodeAll writes slices in epochs of so many.
func encodeAll(all []*messages.Slice, epoch int) (payloads [][]byte) {
	n := newNumbers()
	var e *encoder
	for i, s := range all {
		if i%epoch == 0 {
			e = newEncoder(salt{1}, n)
			n.age()
		}
		h := headOf(s)
		payloads = append(payloads, e.encode(nil, s, &h))
	}
	return payloads
}
