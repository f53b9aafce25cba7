package direction_test

import (
	"testing"

	"weir/columns"
	"weir/columns/columnstest"
	"weir/columns/direction"
)

func TestContract(t *testing.T) { columnstest.Run(t, direction.Column.Column) }

// The numbers are stored in files and must stay.
func TestStoredNumbers(t *testing.T) {
	for text, want := range map[string]columns.Value{
		"out": "\x01", "in": "\x02", "lan": "\x03", "transit": "\x04", "self": "\x05", "LAN": "\x03",
	} {
		if got, err := direction.Column.Column.Parse(text); err != nil || got != want {
			t.Errorf("%s: %x, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "unknown", "1", "outside"} {
		if v, err := direction.Column.Column.Parse(text); err == nil {
			t.Errorf("%q: parsed to %x", text, v)
		}
	}
}

func TestDerive(t *testing.T) {
	for d := range columns.Direction(8) {
		got := direction.Column.Column.AppendDerived(nil, &columns.Flow{Direction: d})
		known := columns.DirectionOut <= d && d <= columns.DirectionSelf
		if (len(got) == 1) != known || known && got[0] != byte(d) {
			t.Errorf("direction %d: %x", d, got)
		}
	}
}
