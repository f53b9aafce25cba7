package recording

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"weir/messages"
	"weir/messages/weirpb"
)

var (
	errFacts   = fmt.Errorf("more than %d facts", messages.BatchSize)
	errAddress = errors.New("an address is of no family")
	errMAC     = errors.New("a hardware address has not 6 bytes")
)

// maxText is how long the texts of a fact may be.
const maxText = 253

// decodeFacts adds the facts to the batch, and says how many it left out. The batch is only good if there is
// no error.
func decodeFacts(p *weirpb.RecordedBatch, b *messages.Batch) (leftOut int, err error) {
	if len(p.GetFacts()) > messages.BatchSize {
		return 0, errFacts
	}
	for i, r := range p.GetFacts() {
		f, err := factOf(r)
		if err != nil {
			return 0, fmt.Errorf("fact %d: %w", i, err)
		}
		if !usable(r) {
			leftOut++
			continue
		}
		b.Facts = append(b.Facts, f)
	}
	return leftOut, nil
}

// factOf gives a fact whose kind and texts are not checked.
func factOf(p *weirpb.RecordedFact) (f messages.Fact, err error) {
	f = messages.Fact{
		Kind:   messages.FactKind(p.GetKind()), //nolint:gosec // Out of range it is not usable.
		Time:   p.GetTimeNs(),
		Name:   p.GetName(),
		TTL:    time.Duration(p.GetTtlNs()),
		Source: p.GetSource(),
	}
	if !inTime(f.Time) || !inTime(p.GetTtlNs()) {
		return f, errTime
	}
	if f.Client, err = addressOf(p.GetClient()); err != nil {
		return f, err
	}
	if f.Addr, err = addressOf(p.GetAddr()); err != nil {
		return f, err
	}
	if n := len(p.GetMac()); n != 0 && n != len(f.MAC) {
		return f, errMAC
	}
	copy(f.MAC[:], p.GetMac())
	return f, nil
}

func addressOf(b []byte) (netip.Addr, error) {
	if len(b) == 0 {
		return netip.Addr{}, nil
	}
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return a, errAddress
	}
	return a.Unmap(), nil
}

// usable refuses kinds that this build does not know, and texts that no source would have sent: a recording
// may come from anybody.
func usable(p *weirpb.RecordedFact) bool {
	known := 0 < p.GetKind() && p.GetKind() <= weirpb.RecordedFactKind(messages.FactHost)
	return known && clean(p.GetName()) && clean(p.GetSource())
}

func clean(text string) bool {
	return len(text) <= maxText && utf8.ValidString(text) && strings.IndexFunc(text, hidden) < 0
}

// hidden says of control characters and of those that end a line.
func hidden(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }
