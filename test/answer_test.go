package test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"weir/test/netlab"
)

// answer is the JSON answer of weir query, as a script reads it.
type answer struct {
	Columns []struct{ Name, Type, Unit string }
	Rows    [][]any
	Range   *struct{ From, To time.Time }
	Exact   bool
	Why     []string
	Loss    []loss
	Other   []int

	SlicesRead uint64 `json:"slices_read"`
}

type loss struct {
	Source, Kind, Detail string
	Count, Bytes         uint64
	Range                *struct{ From, To time.Time }
}

func parseAnswer(text []byte) (a answer, err error) {
	if err := json.Unmarshal(text, &a); err != nil {
		return a, fmt.Errorf("read answer %q: %w", text, err)
	}
	return a, nil
}

// lost lists the losses that take something away from the sum of all slices: what is late lands in the
// next slice, and what was folded still counts.
func (a *answer) lost() (all []loss) {
	for _, l := range a.Loss {
		switch l.Kind {
		case "late", "folded", "untagged", "clock": // Of a busy machine; no byte is missing.
		default:
			all = append(all, l)
		}
	}
	return all
}

// column finds a column by its name.
func (a *answer) column(name string) (int, error) {
	for i, c := range a.Columns {
		if c.Name == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("the answer has no column %s: %+v", name, a.Columns)
}

var protocolNumbers = map[string]uint8{"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58}

// totals reads rows that are grouped by local.ip and proto. Steps are summed.
func (a *answer) totals() (netlab.Totals, error) {
	at := map[string]int{}
	for _, name := range []string{"local.ip", "proto", "bytes.up", "packets.up", "bytes.down", "packets.down"} {
		i, err := a.column(name)
		if err != nil {
			return nil, err
		}
		at[name] = i
	}
	t := netlab.Totals{}
	for _, row := range a.Rows {
		number := func(name string) uint64 {
			v, _ := row[at[name]].(float64) // Exact up to 2⁵³.
			return uint64(v)
		}
		text, _ := row[at["local.ip"]].(string)
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("row %v: %w", row, err)
		}
		name, _ := row[at["proto"]].(string)
		proto, ok := protocolNumbers[name]
		if !ok {
			return nil, fmt.Errorf("row %v: unknown protocol", row)
		}
		t.Book(netlab.Who{Client: addr, Proto: proto}, netlab.Sum{
			UpBytes: number("bytes.up"), UpPackets: number("packets.up"),
			DownBytes: number("bytes.down"), DownPackets: number("packets.down"),
		})
	}
	return t, nil
}

// asker is somebody who can be asked what was counted: a daemon, or a system in this process.
type asker interface {
	// ask groups all that was counted by local.ip and proto, with a timeline if step is not 0.
	ask(step time.Duration) (answer, error)
	// complain adds what is known about the inside to a test that fails.
	complain(t *testing.T)
}

// holds asks once, and says where more was measured than there was: that can never be mended.
func holds(l *netlab.Lab, from asker, base netlab.Totals) (measured, truth netlab.Totals, a answer, err error) {
	if a, err = from.ask(0); err != nil {
		return nil, nil, a, err
	}
	if measured, err = a.totals(); err != nil {
		return nil, nil, a, err
	}
	// Traffic may go on; hence the truth is read last.
	now, err := l.Truth()
	if err != nil {
		return nil, nil, a, err
	}
	truth = now.Sub(base)
	if more := truth.Exceeded(measured); more != "" {
		return measured, truth, a, &excess{more}
	}
	return measured, truth, a, nil
}

// excess says that something was counted that there was not, or twice.
type excess struct{ text string }

func (e *excess) Error() string { return "more than the truth:\n" + e.text }
