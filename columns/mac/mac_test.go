package mac_test

import (
	"strings"
	"testing"

	"weir/columns/columnstest"
	"weir/columns/mac"
)

func TestContract(t *testing.T) {
	columnstest.Run(t, mac.Columns.Local)
	columnstest.Run(t, mac.Columns.Remote)
}

var address = [6]byte{0x00, 0x11, 0x22, 0xaa, 0xbb, 0xcc}

func TestParse(t *testing.T) {
	c := mac.Columns.Local
	for _, text := range []string{
		"00:11:22:aa:bb:cc", "00:11:22:AA:BB:CC", "00-11-22-aa-bb-cc", "0011.22aa.bbcc", "0011.22AA.BBCC",
	} {
		v, err := c.Parse(text)
		if err != nil || v != mac.Columns.Value(address) || c.Format(v) != "00:11:22:aa:bb:cc" {
			t.Errorf("%q: %x, %v", text, v, err)
		}
	}
	for _, text := range []string{
		"", ":", "00:11:22:aa:bb", "00:11:22:aa:bb:cc:dd", "00:11:22-aa-bb-cc", "0:11:22:aa:bb:cc", "001122aabbcc",
		"00:11:22:aa:bb:gg", "0011.22aa.bb", "0011.22aa.bbcc.", "00.11.22.aa.bb.cc", "0011.22aa.bbcc.dd",
		" 00:11:22:aa:bb:cc",
		"00:11:22:aa:bb:cc:", "0011:22aa:bbcc", strings.Repeat("00:", 10000),
	} {
		if v, err := c.Parse(text); err == nil {
			t.Errorf("%q: parsed to %x", text, v)
		}
	}
}

func TestPattern(t *testing.T) {
	for operand, want := range map[string]bool{
		"00:11:22:*": true, "00:11:22*": true, "00-11-22-*": true, "0011.22*": true, "0011.*": true, "00:*": true,
		"00:11:22:AA:BB:*": true, "*": true, "00:11:23:*": false, "11:*": false, "0011.23*": false,
	} {
		match, ok := mac.Columns.Remote.Pattern(operand)
		if !ok {
			t.Errorf("%q is no pattern", operand)
		} else if match(mac.Columns.Value(address)) != want {
			t.Errorf("%q: not %v", operand, want)
		}
	}
	for _, operand := range []string{
		"", ":*", "-*", "00:11", "00:1*", "00:11:22:aa:bb:cc:*", "00:11:22:aa:bb:cc*", "00:*:22", "*:cc", "00::*",
		"zz:*",
	} {
		if _, ok := mac.Columns.Remote.Pattern(operand); ok {
			t.Errorf("%q is taken for the beginning of an address", operand)
		}
	}
}
