package name_test

import (
	"slices"
	"strings"
	"testing"

	"weir/columns"
	"weir/columns/name"
)

// The words and numbers are part of the stored format and of what users type.
func TestWordsAreFixed(t *testing.T) {
	words := strings.Fields("sni quic http dns cn ptr dhcp mdns host")
	for i, e := range []name.Evidence{
		name.SNI, name.QUIC, name.HTTP, name.DNS, name.CN, name.PTR, name.DHCP, name.MDNS, name.Host,
	} {
		want := columns.Value([]byte{byte(i + 1)})
		if v, err := name.Source.Remote.Parse(words[i]); err != nil || v != want || name.Source.Value(e) != want {
			t.Errorf("%s: %x, %v", words[i], v, err)
		}
		if e.String() != words[i] {
			t.Errorf("%s: prints as %s", words[i], e)
		}
	}
	if n := len(name.Source.Remote.Examples); n != len(words) {
		t.Errorf("%d kinds of evidence", n)
	}
}

func TestCertaintyIsRanked(t *testing.T) {
	c := name.Sure.Remote
	var values []columns.Value
	for i, word := range []string{"guess", "likely", "certain"} {
		v, err := c.Parse(word)
		if err != nil || v != columns.Value([]byte{byte(i + 1)}) {
			t.Errorf("%s: %x, %v", word, v, err)
		}
		values = append(values, v)
	}
	if !slices.IsSortedFunc(values, c.Compare) || name.Certain.String() != "certain" || name.Guess.String() != "guess" {
		t.Errorf("%x, %s, %s", values, name.Certain, name.Guess)
	}
}
