package recording

import (
	"errors"
	"fmt"
	"math"
	"net/netip"

	"weir/columns"
	"weir/messages"
	"weir/messages/weirpb"
)

// Why the content of a frame is damage although its sum is right: a program that wrote it was wrong.
var (
	errKey     = errors.New("a key is out of range or not in canonical order")
	errTime    = errors.New("a time is out of range")
	errKind    = errors.New("unknown kind of counters")
	errStatus  = errors.New("unknown status")
	errUpdates = fmt.Errorf("more than %d updates", messages.BatchSize)
	errOffset  = errors.New("a batch lies before the start of the recording")
)

// decodeBatch fills an empty batch, and says how many tags it left out. The batch is only good if there
// is no error.
func decodeBatch(p *weirpb.RecordedBatch, b *messages.Batch) (leftOut int, err error) {
	if len(p.GetUpdates()) > messages.BatchSize {
		return 0, errUpdates
	}
	if p.GetOffsetNs() < 0 || p.GetOffsetNs() > MaxTime {
		return 0, errOffset
	}
	b.Source, b.Snapshot = p.GetSource(), p.GetSnapshot()
	for i, u := range p.GetUpdates() {
		n, err := addUpdate(b, u)
		if err != nil {
			return 0, fmt.Errorf("update %d: %w", i, err)
		}
		leftOut += n
	}
	return leftOut, nil
}

func addUpdate(b *messages.Batch, p *weirpb.RecordedUpdate) (leftOut int, err error) {
	u := messages.Update{
		Start: p.GetStartNs(),
		Stop:  p.GetStopNs(),
		Counters: [2]messages.Counter{
			{Packets: p.GetAPackets(), Bytes: p.GetABytes()},
			{Packets: p.GetBPackets(), Bytes: p.GetBBytes()},
		},
		ID:    p.GetId(),
		Flags: flagsOf(p),
	}
	if u.Key, err = keyOf(p.GetKey()); err != nil {
		return 0, err
	}
	if !inTime(u.Start) || !inTime(u.Stop) {
		return 0, errTime
	}
	if u.Kind, u.Status, err = enumsOf(p); err != nil {
		return 0, err
	}
	var alias *messages.Key
	if p.GetAlias() != nil {
		k, err := keyOf(p.GetAlias())
		if err != nil {
			return 0, err
		}
		alias = &k
	}
	tags := tagsOf(p.GetTags())
	b.Add(&u, alias, tags)
	return len(p.GetTags()) - len(tags), nil
}

func inTime(ns int64) bool { return 0 <= ns && ns <= MaxTime }

func enumsOf(p *weirpb.RecordedUpdate) (messages.CounterKind, messages.Status, error) {
	if k := p.GetKind(); k < 0 || k > weirpb.RecordedKind(messages.Delta) {
		return 0, 0, errKind
	}
	if s := p.GetStatus(); s < 0 || s > weirpb.RecordedStatus(messages.Ended) {
		return 0, 0, errStatus
	}
	//nolint:gosec // Both are in range.
	return messages.CounterKind(p.GetKind()), messages.Status(p.GetStatus()), nil
}

func flagsOf(p *weirpb.RecordedUpdate) (f messages.Flags) {
	if p.GetOriented() {
		f |= messages.Oriented
	}
	if p.GetInitiatorB() {
		f |= messages.InitiatorB
	}
	if p.GetResponderAliasB() {
		f |= messages.ResponderAliasB
	}
	if p.GetBaseline() {
		f |= messages.Baseline
	}
	return f
}

func keyOf(p *weirpb.RecordedKey) (messages.Key, error) {
	a, okA := netip.AddrFromSlice(p.GetAAddr())
	b, okB := netip.AddrFromSlice(p.GetBAddr())
	ports := max(p.GetAPort(), p.GetBPort(), p.GetZone())
	if !okA || !okB || ports > math.MaxUint16 || p.GetProto() > math.MaxUint8 {
		return messages.Key{}, errKey
	}
	first := messages.MakeEnd(a, uint16(p.GetAPort()))                                      //nolint:gosec // In range.
	second := messages.MakeEnd(b, uint16(p.GetBPort()))                                     //nolint:gosec // In range.
	k, swapped := messages.MakeKey(uint8(p.GetProto()), uint16(p.GetZone()), first, second) //nolint:gosec // In range.
	if swapped {
		return messages.Key{}, errKey
	}
	return k, nil
}

// tagsOf gives the tags that this build can hold.
func tagsOf(ps []*weirpb.RecordedTag) []columns.Tag {
	var tags []columns.Tag
	for _, p := range ps {
		if t, ok := tagOf(p); ok {
			tags = append(tags, t)
		}
	}
	return tags
}

// tagOf refuses what a source could not have sent: an unknown or derived column, a value that is none of
// the column, an end where there is none.
func tagOf(p *weirpb.RecordedTag) (columns.Tag, bool) {
	c, ok := columns.Lookup(p.GetColumn())
	if !ok || c.Derived {
		return columns.Tag{}, false
	}
	c = c.Sibling(columns.OfLocal)
	ofEnd := p.GetEnd() == weirpb.RecordedEnd_RECORDED_END_A || p.GetEnd() == weirpb.RecordedEnd_RECORDED_END_B
	if !ofEnd && p.GetEnd() != weirpb.RecordedEnd_RECORDED_END_NONE || ofEnd == (c.Side == columns.OfFlow) {
		return columns.Tag{}, false
	}
	v := columns.Value(p.GetValue())
	if v == "" || !c.Valid(v) {
		return columns.Tag{}, false
	}
	return columns.Tag{Column: c, End: columns.KeyEnd(p.GetEnd()), Value: v}, true //nolint:gosec // In range.
}
