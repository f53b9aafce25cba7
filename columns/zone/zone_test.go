package zone_test

import (
	"testing"

	"weir/columns"
	"weir/columns/columnstest"
	"weir/columns/zone"
)

func TestContract(t *testing.T) { columnstest.Run(t, zone.Column.Column) }

func TestParse(t *testing.T) {
	if v, err := zone.Column.Column.Parse("258"); err != nil || v != "\x01\x02" {
		t.Errorf("258: %x, %v", v, err)
	}
	for _, text := range []string{"", "0", "00", "65536", "-1", "lan"} {
		if v, err := zone.Column.Column.Parse(text); err == nil {
			t.Errorf("%q: parsed to %x", text, v)
		}
	}
}

func TestDerive(t *testing.T) {
	if got := zone.Column.Column.AppendDerived(nil, &columns.Flow{Zone: 7}); string(got) != "\x00\x07" {
		t.Errorf("zone 7: %x", got)
	}
	if got := zone.Column.Column.AppendDerived(nil, &columns.Flow{}); len(got) != 0 {
		t.Errorf("the default zone has the value %x", got)
	}
}
