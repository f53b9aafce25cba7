package port_test

import (
	"slices"
	"testing"

	"weir/columns"
	"weir/columns/columnstest"
	"weir/columns/port"
)

func TestContract(t *testing.T) {
	columnstest.Run(t, port.Columns.Local)
	columnstest.Run(t, port.Columns.Remote)
}

func TestParse(t *testing.T) {
	if v, err := port.Columns.Local.Parse("258"); err != nil || v != "\x01\x02" {
		t.Errorf("258: %x, %v", v, err)
	}
	for _, text := range []string{"", "-1", "+1", "65536", "1e3", "http", " 1", "0x10"} {
		if v, err := port.Columns.Local.Parse(text); err == nil {
			t.Errorf("%q: parsed to %x", text, v)
		}
	}
}

func TestOnlySomeProtocolsHavePorts(t *testing.T) {
	with := []int{6, 17, 33, 132, 136}
	for proto := range 256 {
		f := columns.Flow{Proto: uint8(proto), Local: columns.End{Port: 443}, Remote: columns.End{Port: 8}}
		local, remote := port.Columns.Local.AppendDerived(nil, &f), port.Columns.Remote.AppendDerived(nil, &f)
		if !slices.Contains(with, proto) {
			if len(local)+len(remote) != 0 {
				t.Errorf("protocol %d has ports", proto)
			}
			continue
		}
		if string(local) != "\x01\xbb" || string(remote) != "\x00\x08" {
			t.Errorf("protocol %d: %x, %x", proto, local, remote)
		}
	}
}

func TestPattern(t *testing.T) {
	match, ok := port.Columns.Local.Pattern("1000-2000")
	if !ok {
		t.Fatal("a range is no pattern")
	}
	for p, want := range map[uint16]bool{999: false, 1000: true, 1500: true, 2000: true, 2001: false, 0: false} {
		if match(port.Columns.Value(p)) != want {
			t.Errorf("port %d: not %v", p, want)
		}
	}
	for _, operand := range []string{"", "-", "80", "1-", "-1", "2-1", "1-2-3", "1-65536"} {
		if _, ok := port.Columns.Local.Pattern(operand); ok {
			t.Errorf("%q is taken for a range", operand)
		}
	}
}
