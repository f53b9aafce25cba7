package conntrack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"weir/sources"
)

// ruleset is what the firewall's rules mean for tracking. A rule that looks at the state of connections or
// rewrites addresses is what makes the kernel track; without any it does not.
type ruleset struct {
	track4, track6 bool
	flowtables     []flowtable
	// known says that at least one kind of rules could be read; err says why another could not.
	known bool
	err   error
}

type flowtable struct {
	name    string
	counter bool
}

func (r *ruleset) bareFlowtables() (names []string) {
	for _, f := range r.flowtables {
		if !f.counter {
			names = append(names, f.name)
		}
	}
	return names
}

// Bounds of reading rules: programs are asked that may have much to say.
const (
	rulesLimit   = 16 << 20 // bytes
	rulesTimeout = 10 * time.Second
)

// readRules reads the rules of nftables and of iptables as its old kernel part keeps them; what the new one does
// is among those of nftables.
func readRules(ctx context.Context) (r ruleset) {
	out, err := ask(ctx, "nft", "--terse", "list", "ruleset")
	if err == nil {
		r.known = true
		r.readNFT(out)
	} else {
		r.err = err
	}
	for _, name := range []string{"iptables-save", "iptables-legacy-save"} {
		if out, err := ask(ctx, name); err == nil {
			r.known = true
			r.track4 = r.track4 || iptablesTracks.MatchString(out)
		}
	}
	for _, name := range []string{"ip6tables-save", "ip6tables-legacy-save"} {
		if out, err := ask(ctx, name); err == nil {
			r.known = true
			r.track6 = r.track6 || iptablesTracks.MatchString(out)
		}
	}
	return r
}

// ask runs a program in the namespace of the calling thread and gives what it prints.
func ask(ctx context.Context, name string, args ...string) (string, error) {
	path, err := findProgram(name)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, rulesTimeout)
	defer cancel()
	var out, errs bounded
	c := exec.CommandContext(ctx, path, args...)
	c.Env = append(os.Environ(), "LC_ALL=C")
	c.Stdout, c.Stderr = &out, &errs
	c.WaitDelay = time.Second
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("run %s: %w: %s", name, err, firstLine(errs.String()))
	}
	return out.String(), nil
}

// findProgram looks where programs of the administrator are, too: they are often not on a user's path.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if p, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("find %s: %w", name, err)
}

// bounded keeps the beginning of what is written.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	keep := p[:min(len(p), max(0, rulesLimit-b.Len()))]
	if _, err := b.Buffer.Write(keep); err != nil {
		return 0, err
	}
	return len(p), nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

var (
	// A text between quotes is a comment, a name or a prefix for the log.
	quoted = regexp.MustCompile(`"[^"]*"`)
	// What makes the kernel track, as nft lists it.
	nftTracks = regexp.MustCompile(`\bct (original |reply )?(state|direction|status|mark|secmark|expiration|helper|` +
		`label|l3proto|protocol|zone|id|count|event|timeout|bytes|packets|avgpkt|saddr|daddr|ip|ip6|proto-src|` +
		`proto-dst|expectation)\b` +
		`|\b(masquerade|snat|dnat|redirect|synproxy)\b|\bflow add\b`)
	// Rules of iptables that nft cannot translate.
	xtTracks = regexp.MustCompile(`\bxt (match|target) "(conntrack|state|connmark|connbytes|connlimit|connlabel|` +
		`helper|MASQUERADE|SNAT|DNAT|REDIRECT|NETMAP|CT|CONNMARK|SYNPROXY)"`)
	// The same as iptables-save prints it.
	iptablesTracks = regexp.MustCompile(`(?m)^-A .*(-m (conntrack|state|connmark|connbytes|connlimit|connlabel|` +
		`helper)|-j (MASQUERADE|SNAT|DNAT|REDIRECT|NETMAP|CT|CONNMARK|SYNPROXY))\b`)
	tableLine     = regexp.MustCompile(`^table (\w+) (\S+) \{`)
	flowtableLine = regexp.MustCompile(`^\s+flowtable (\S+) \{`)
)

// readNFT reads what `nft list ruleset` prints.
func (r *ruleset) readNFT(text string) {
	family, inside := "", false
	for line := range strings.Lines(text) {
		if m := tableLine.FindStringSubmatch(line); m != nil {
			family, inside = m[1], false
			continue
		}
		if m := flowtableLine.FindStringSubmatch(line); m != nil {
			r.flowtables = append(r.flowtables, flowtable{name: m[1]})
			inside = true
			continue
		}
		bare := quoted.ReplaceAllString(line, `""`)
		word := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(bare), ";"))
		switch {
		case inside && word == "}":
			inside = false
		case inside && word == "counter":
			r.flowtables[len(r.flowtables)-1].counter = true
		case nftTracks.MatchString(bare) || xtTracks.MatchString(line):
			r.track4 = r.track4 || family == "ip" || family == "inet"
			r.track6 = r.track6 || family == "ip6" || family == "inet"
		}
	}
}

// The smallest ruleset that makes the kernel track: one rule that looks at the state of connections, in a
// table of its own. It lets everything pass.
const (
	trackRules = "add table inet weir; " +
		"add chain inet weir track { type filter hook prerouting priority -150; policy accept; }; " +
		"add rule inet weir track ct state invalid"
	trackSubject = "tracking rule"
)

// checkTracking says whether a rule makes the kernel track, for each family that is in use.
func (k *checker) checkTracking(r ruleset, s sample) {
	switch {
	case r.track4 && (r.track6 || s.v6 > 0 || !hasIPv6()):
		k.add(sources.Finding{
			Level: sources.Good, Subject: trackSubject, Text: "the rules make the kernel track connections",
		})
	case !r.known && s.records > 0:
		k.add(sources.Finding{
			Level: sources.Good, Subject: trackSubject,
			Text: fmt.Sprintf("the rules could not be read (%v), but connections are tracked", r.err),
		})
	case !r.known:
		k.add(sources.Finding{
			Level: sources.Warning, Subject: trackSubject,
			Text: fmt.Sprintf("no connection is tracked, and the rules could not be read (%v): if no rule looks at "+
				"the state of connections, the kernel does not track them", r.err),
			Cure: "install nftables and run weir check again",
		})
	case r.track4:
		k.add(k.trackFinding(sources.Warning,
			"no rule makes the kernel track IPv6, so that no IPv6 connection is counted"))
	case r.track6:
		k.add(k.trackFinding(sources.Warning,
			"no rule makes the kernel track IPv4, so that no IPv4 connection is counted"))
	case s.records > 0:
		k.add(k.trackFinding(sources.Warning, fmt.Sprintf(
			"no rule that makes the kernel track is to be seen: the %s in the table may be left over from an earlier "+
				"one, and their counters stand still then", s.size())))
	default:
		k.add(k.trackFinding(sources.Broken,
			"no rule looks at the state of connections, so the kernel does not track them and there can be no data"))
	}
}

func (k *checker) trackFinding(l sources.Level, text string) sources.Finding {
	f := sources.Finding{
		Level: l, Subject: trackSubject, Text: text,
		Cure: strings.Join(k.within("nft", "'"+trackRules+"'"), " "),
	}
	if _, err := findProgram("nft"); errors.Is(err, exec.ErrNotFound) {
		f.Cure = "install nftables, then " + f.Cure +
			"; or, with iptables: iptables -A INPUT -m conntrack --ctstate INVALID"
		return f
	}
	f.Changes = []sources.Change{{
		Kind: "run",
		Do:   k.within("nft", trackRules),
		Undo: k.within("nft", "delete table inet weir"),
		Text: "add the table inet weir, whose one rule makes the kernel track connections and lets everything pass, " +
			"until the next boot",
	}}
	return f
}

// hasIPv6 says whether an interface other than the loopback has an address that reaches beyond its link.
func hasIPv6() bool {
	b, err := os.ReadFile("/proc/thread-self/net/if_inet6")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		// Address, number of the interface, length of the prefix, scope, flags, name.
		f := strings.Fields(line)
		if len(f) == 6 && f[3] == "00" && f[5] != "lo" {
			return true
		}
	}
	return false
}
