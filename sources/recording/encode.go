package recording

import (
	"strings"

	"weir/columns"
	"weir/messages"
	"weir/messages/weirpb"
)

// batchToProto gives some updates and facts of a batch.
func batchToProto(b *messages.Batch, updates []messages.Update, facts []messages.Fact) *weirpb.RecordedBatch {
	p := &weirpb.RecordedBatch{
		Source:   strings.ToValidUTF8(b.Source, "?"),
		Snapshot: b.Snapshot,
		Updates:  make([]*weirpb.RecordedUpdate, len(updates)),
	}
	for i := range updates {
		u := &updates[i]
		p.Updates[i] = updateToProto(u, b.AliasOf(u), b.TagsOf(u))
	}
	for i := range facts {
		p.Facts = append(p.Facts, factToProto(&facts[i]))
	}
	return p
}

func factToProto(f *messages.Fact) *weirpb.RecordedFact {
	p := &weirpb.RecordedFact{
		Kind:   weirpb.RecordedFactKind(f.Kind),
		TimeNs: f.Time,
		Client: f.Client.AsSlice(),
		Addr:   f.Addr.AsSlice(),
		Name:   strings.ToValidUTF8(f.Name, "?"),
		TtlNs:  int64(f.TTL),
		Source: strings.ToValidUTF8(f.Source, "?"),
	}
	if f.MAC != [6]byte{} {
		p.Mac = f.MAC[:]
	}
	return p
}

func updateToProto(u *messages.Update, alias *messages.Key, tags []columns.Tag) *weirpb.RecordedUpdate {
	p := &weirpb.RecordedUpdate{
		Key:             keyToProto(&u.Key),
		StartNs:         u.Start,
		StopNs:          u.Stop,
		Id:              u.ID,
		Kind:            weirpb.RecordedKind(u.Kind),
		Status:          weirpb.RecordedStatus(u.Status),
		APackets:        u.Counters[0].Packets,
		ABytes:          u.Counters[0].Bytes,
		BPackets:        u.Counters[1].Packets,
		BBytes:          u.Counters[1].Bytes,
		Oriented:        u.Flags&messages.Oriented != 0,
		InitiatorB:      u.Flags&messages.InitiatorB != 0,
		ResponderAliasB: u.Flags&messages.ResponderAliasB != 0,
		Baseline:        u.Flags&messages.Baseline != 0,
	}
	if alias != nil {
		p.Alias = keyToProto(alias)
	}
	for _, t := range tags {
		p.Tags = append(p.Tags, &weirpb.RecordedTag{
			Column: t.Column.Name, End: weirpb.RecordedEnd(t.End), Value: []byte(t.Value),
		})
	}
	return p
}

func keyToProto(k *messages.Key) *weirpb.RecordedKey {
	return &weirpb.RecordedKey{
		AAddr: k.A.IP().AsSlice(), APort: uint32(k.A.Port),
		BAddr: k.B.IP().AsSlice(), BPort: uint32(k.B.Port),
		Zone: uint32(k.Zone), Proto: uint32(k.Proto),
	}
}
