package ip_test

import (
	"net/netip"
	"testing"

	"weir/columns"
	"weir/columns/columnstest"
	"weir/columns/ip"
)

func TestContract(t *testing.T) {
	columnstest.Run(t, ip.Columns.Local)
	columnstest.Run(t, ip.Columns.Remote)
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1":         "10.0.0.1",
		"::ffff:10.0.0.1":  "10.0.0.1",
		"2001:DB8:0:0::1":  "2001:db8::1",
		"::":               "::",
		"fe80::1":          "fe80::1",
		"255.255.255.255":  "255.255.255.255",
		"::ffff:0:0:0:0:1": "0:0:ffff::1",
	} {
		v, err := ip.Columns.Local.Parse(text)
		if err != nil || ip.Columns.Local.Format(v) != want {
			t.Errorf("%q: got %q, %v", text, ip.Columns.Local.Format(v), err)
		}
	}
	for _, text := range []string{"", "10.0.0", "10.0.0.256", "fe80::1%eth0", "example.org", "10.0.0.0/8"} {
		if v, err := ip.Columns.Local.Parse(text); err == nil {
			t.Errorf("%q: parsed to %x", text, v)
		}
	}
}

func TestDecode(t *testing.T) {
	mapped := netip.MustParseAddr("::ffff:10.0.0.1").As16()
	for _, enc := range []columns.Value{"", "abc", "abcde", columns.Value(mapped[:])} {
		if ip.Columns.Local.Valid(enc) {
			t.Errorf("%x is taken for an address", enc)
		}
	}
	if got := ip.Columns.Value(netip.MustParseAddr("::ffff:10.0.0.1%7")); got != "\x0a\x00\x00\x01" {
		t.Errorf("a mapped address with a scope encodes to %x", got)
	}
}

func TestOrder(t *testing.T) {
	sorted := []string{"9.0.0.0", "10.0.0.1", "10.0.0.2", "::1", "2001:db8::"}
	for i := range sorted[1:] {
		a, _ := ip.Columns.Local.Parse(sorted[i])
		b, _ := ip.Columns.Local.Parse(sorted[i+1])
		if ip.Columns.Local.Compare(a, b) >= 0 {
			t.Errorf("%s is not before %s", sorted[i], sorted[i+1])
		}
	}
}

func TestPattern(t *testing.T) {
	type list []string
	for operand, addrs := range map[string]struct{ in, out list }{
		"10.0.0.0/8":               {list{"10.0.0.0", "10.255.255.255"}, list{"9.255.255.255", "11.0.0.0", "::a00:1"}},
		"192.168.1.77/24":          {list{"192.168.1.1"}, list{"192.168.2.77"}},
		"10.0.0.1/32":              {list{"10.0.0.1"}, list{"10.0.0.2"}},
		"0.0.0.0/0":                {list{"1.2.3.4"}, list{"::1"}},
		"::/0":                     {list{"::1"}, list{"1.2.3.4"}},
		"::ffff:10.0.0.0/104":      {list{"10.1.2.3"}, list{"11.0.0.0", "::a01:203"}},
		"2001:db8::/32":            {list{"2001:db8:ffff::"}, list{"2001:db9::"}},
		"10.0.0.5-10.0.0.7":        {list{"10.0.0.5", "10.0.0.6", "10.0.0.7"}, list{"10.0.0.4", "10.0.0.8", "::a00:6"}},
		"2001:db8::1-2001:db8::ff": {list{"2001:db8::80"}, list{"2001:db8::100", "::"}},
	} {
		match, ok := ip.Columns.Remote.Pattern(operand)
		if !ok {
			t.Errorf("%q is no pattern", operand)
			continue
		}
		for _, text := range addrs.in {
			if v, _ := ip.Columns.Remote.Parse(text); !match(v) {
				t.Errorf("%q does not match %s", operand, text)
			}
		}
		for _, text := range addrs.out {
			if v, _ := ip.Columns.Remote.Parse(text); match(v) {
				t.Errorf("%q matches %s", operand, text)
			}
		}
	}
	for _, operand := range []string{
		"", "-", "/", "10.0.0.1", "10.0.0.0/33", "10.0.0.9-10.0.0.1", "10.0.0.1-::1", "a-b", "private",
		"fe80::1%e-fe80::2",
	} {
		if _, ok := ip.Columns.Remote.Pattern(operand); ok {
			t.Errorf("%q is taken for a pattern", operand)
		}
	}
}

func TestDerive(t *testing.T) {
	f := columns.Flow{Local: columns.End{Addr: netip.MustParseAddr("10.0.0.1")}}
	if got := ip.Columns.Local.AppendDerived(nil, &f); string(got) != "\x0a\x00\x00\x01" {
		t.Errorf("local: %x", got)
	}
	if got := ip.Columns.Remote.AppendDerived(nil, &f); len(got) != 0 {
		t.Errorf("an end without address: %x", got)
	}
}
