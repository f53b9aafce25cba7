package proto_test

import (
	"testing"

	"weir/columns"
	"weir/columns/columnstest"
	"weir/columns/proto"
)

func TestContract(t *testing.T) { columnstest.Run(t, proto.Column.Column) }

func TestNames(t *testing.T) {
	for text, want := range map[string]struct {
		number byte
		format string
	}{
		"tcp":       {6, "tcp"},
		"UDP":       {17, "udp"},
		"icmp":      {1, "icmp"},
		"icmp6":     {58, "ipv6-icmp"},
		"icmpv6":    {58, "ipv6-icmp"},
		"ipv6-icmp": {58, "ipv6-icmp"},
		"58":        {58, "ipv6-icmp"},
		"sctp":      {132, "sctp"},
		"gre":       {47, "gre"},
		"esp":       {50, "esp"},
		"253":       {253, "253"},
		"0":         {0, "0"},
	} {
		v, err := proto.Column.Column.Parse(text)
		if err != nil || v != columns.Value([]byte{want.number}) {
			t.Errorf("%q: %x, %v", text, v, err)
		}
		if got := proto.Column.Column.Format(v); got != want.format {
			t.Errorf("%q: formats to %q", text, got)
		}
	}
	for _, text := range []string{"", "256", "-1", "tcpip", "6.0"} {
		if v, err := proto.Column.Column.Parse(text); err == nil {
			t.Errorf("%q: parsed to %x", text, v)
		}
	}
}

func TestDerive(t *testing.T) {
	if got := proto.Column.Column.AppendDerived(nil, &columns.Flow{Proto: 17}); string(got) != "\x11" {
		t.Errorf("got %x", got)
	}
}
