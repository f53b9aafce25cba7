package conntrack

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"weir/sources"
)

// rules are what nft lists, and what they mean.
var rules = map[string]struct {
	text           string
	track4, track6 bool
	bare           []string
}{
	"empty": {},
	"plain filter": {text: `table inet fw {
	chain in {
		tcp dport 22 accept
		ip saddr 10.0.0.1 drop
	}
}`},
	"state": {track4: true, track6: true, text: `table inet fw {
	chain in {
		ct state established,related accept
	}
}`},
	"comment": {text: `table inet fw {
	chain in {
		drop comment "ct state new"
	}
}`},
	"log prefix": {text: `table ip fw {
	chain in {
		log prefix "masquerade"
	}
}`},
	"masquerade": {track4: true, text: `table ip nat {
	chain post {
		oifname "wan" masquerade
	}
}`},
	"original address": {track6: true, text: `table ip6 mangle {
	chain pre {
		ct original ip6 daddr ::1 drop
	}
}`},
	"not translated": {track4: true, text: `table ip nat {
	chain post {
		counter packets 1 bytes 2 xt target "MASQUERADE"
	}
}`},
	"bridge": {text: `table bridge b {
	chain pre {
		ct state new
	}
}`},
	"notrack": {text: `table inet raw {
	chain pre {
		notrack
	}
}`},
	"flowtables": {track4: true, track6: true, bare: []string{"slow"}, text: `table inet fw {
	flowtable fast {
		hook ingress priority filter
		devices = { lan, wan }
		counter
	}

	flowtable slow {
		hook ingress priority filter
		devices = { lan, wan }
	}

	chain forward {
		counter
		flow add @fast
	}
}`},
}

func TestReadNFT(t *testing.T) {
	for name, c := range rules {
		t.Run(name, func(t *testing.T) {
			var r ruleset
			r.readNFT(c.text + "\n")
			if r.track4 != c.track4 || r.track6 != c.track6 || !slices.Equal(r.bareFlowtables(), c.bare) {
				t.Errorf("%+v, want IPv4 %t IPv6 %t and %v bare", r, c.track4, c.track6, c.bare)
			}
		})
	}
}

func TestIptablesTracks(t *testing.T) {
	for text, want := range map[string]bool{
		"*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -j ACCEPT\nCOMMIT\n":                  false,
		"*nat\n-A POSTROUTING -o wan -j MASQUERADE\nCOMMIT\n":                                true,
		"*filter\n-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\nCOMMIT\n": true,
		"*filter\n-A INPUT -m comment --comment state -j ACCEPT\nCOMMIT\n":                   false,
	} {
		if got := iptablesTracks.MatchString(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

func TestOffloadFindings(t *testing.T) {
	look := func(r ruleset, s sample) []sources.Finding {
		k := checker{cfg: config()}
		k.checkOffload(r, s)
		return k.found
	}
	const subject = "flow offload"
	seen := sample{census: census{records: 9, offloaded: 4}}
	if err := errors.Join(
		expect(look(ruleset{flowtables: []flowtable{{"ft", false}}}, sample{}), subject, sources.Warning, "no counter"),
		expect(look(ruleset{flowtables: []flowtable{{"ft", true}}}, seen), subject, sources.Good, ""),
		expect(look(ruleset{}, seen), subject, sources.Warning, "4 of 9 flows"),
	); err != nil {
		t.Error(err)
	}
	if found := look(ruleset{}, sample{}); found != nil {
		t.Errorf("nothing is offloaded, but %+v", found)
	}
}

func TestRulesUnreadable(t *testing.T) {
	k := checker{cfg: config()}
	r := ruleset{err: errors.New("find nft: not there")}
	k.checkTracking(r, sample{})
	k.checkTracking(r, sample{census: census{records: 3}})
	if len(k.found) != 2 || k.found[0].Level != sources.Warning || k.found[1].Level != sources.Good {
		t.Errorf("%+v", k.found)
	}
}

// A program that never ends or says too much does not hold the check up.
func TestAskIsBounded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := ask(ctx, "yes"); err == nil {
		t.Error("endless output, but no error")
	}
	var b bounded
	big := make([]byte, rulesLimit+1)
	if n, err := b.Write(big); n != len(big) || err != nil || b.Len() != rulesLimit {
		t.Errorf("wrote %d (%v), kept %d", n, err, b.Len())
	}
}
