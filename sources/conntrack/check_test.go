package conntrack

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	timo "github.com/ti-mo/conntrack"
	"golang.org/x/sys/unix"

	"weir/internal/units"
	"weir/sources"
)

// A machine as it comes: nothing is on and nothing is tracked. Setup mends all of it, and undoing puts all of it
// back.
func TestCheckBareMachine(t *testing.T) {
	inFreshNamespace(t, func() error {
		if err := setKnob(eventsName, "0"); err != nil {
			return err
		}
		bare := config().Check(t.Context())
		if err := errors.Join(
			expect(bare, "CAP_NET_ADMIN", sources.Good, ""),
			expect(bare, acctName, sources.Broken, "accounting is off"),
			expect(bare, timestampName, sources.Warning, "timestamps are off"),
			expect(bare, eventsName, sources.Warning, "events are off"),
			expect(bare, trackSubject, sources.Broken, "does not track"),
			expect(bare, "events_buffer", sources.Good, ""),
		); err != nil {
			return err
		}
		if f := finding(bare, acctName); f.Cure != "sysctl -w net.netfilter.nf_conntrack_acct=1" {
			return fmt.Errorf("cure of accounting: %q", f.Cure)
		}
		changes := changesOf(bare)
		if err := apply(changes); err != nil {
			return err
		}
		if err := clean(config().Check(t.Context())); err != nil {
			return fmt.Errorf("after the changes: %w", err)
		}
		if err := undo(changes); err != nil {
			return err
		}
		return same(bare, config().Check(t.Context()))
	})
}

func same(a, b []sources.Finding) error {
	if x, y := fmt.Sprintf("%+v", a), fmt.Sprintf("%+v", b); x != y {
		return fmt.Errorf("found %s\nfirst %s", y, x)
	}
	return nil
}

// The rule that setup loads really makes the kernel track, for both families.
func TestTrackRuleTracks(t *testing.T) {
	inFreshNamespace(t, func() error {
		if err := talkToSelf("127.0.0.1"); err != nil {
			return err
		}
		before := config().Check(t.Context())
		if f := finding(before, "flows without counters"); f.Subject != "" {
			return fmt.Errorf("something was tracked without any rule: %+v", f)
		}
		if err := apply(changesOf(before)); err != nil {
			return err
		}
		if err := errors.Join(talkToSelf("127.0.0.1"), talkToSelf("::1")); err != nil {
			return err
		}
		s := (&checker{cfg: config()}).census(t.Context())
		if s.err != nil || s.v4 == 0 || s.v6 == 0 || s.uncounted != 0 {
			return fmt.Errorf("tracked %d IPv4 and %d IPv6 flows, %d of them without counters: %w",
				s.v4, s.v6, s.uncounted, s.err)
		}
		return clean(config().Check(t.Context()))
	})
}

// talkToSelf sends a datagram over the loopback.
func talkToSelf(ip string) error {
	c, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.ParseIP(ip), Port: 9})
	if err != nil {
		return err
	}
	_, err = c.Write([]byte("hello"))
	return errors.Join(err, c.Close())
}

// A router whose ruleset tracks already gets switches alone.
func TestSetupOfTrackingRouter(t *testing.T) {
	for _, rules := range []string{
		"table inet fw {\n chain in {\n type filter hook input priority 0\n ct state established,related accept\n }\n}",
		"table ip nat {\n chain post {\n type nat hook postrouting priority 100\n oifname \"wan\" masquerade\n }\n}",
	} {
		inFreshNamespace(t, func() error {
			if err := loadRules(rules); err != nil {
				return err
			}
			found := config().Check(t.Context())
			for _, c := range changesOf(found) {
				if c.Kind != "write" {
					return fmt.Errorf("setup would also %+v", c)
				}
			}
			if err := expect(found, trackSubject, sources.Good, ""); err != nil {
				return err
			}
			if err := apply(changesOf(found)); err != nil {
				return err
			}
			return clean(config().Check(t.Context()))
		})
	}
}

func loadRules(text string) error {
	file, err := os.CreateTemp("", "weir-rules")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if _, err := file.WriteString(text + "\n"); err != nil {
		return err
	}
	return errors.Join(file.Close(), command("nft", "-f", file.Name()))
}

func TestCheckOneFamilyUntracked(t *testing.T) {
	inFreshNamespace(t, func() error {
		err := errors.Join(
			loadRules("table ip nat {\n chain post {\n type nat hook postrouting priority 100\n masquerade\n }\n}"),
			command("ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1"),
			command("ip", "addr", "add", "2001:db8::1/64", "dev", "veth0", "nodad"),
			command("ip", "link", "set", "veth0", "up"))
		if err != nil {
			return err
		}
		found := config().Check(t.Context())
		if err := expect(found, trackSubject, sources.Warning, "IPv6"); err != nil {
			return err
		}
		if err := apply(changesOf(found)); err != nil {
			return err
		}
		return clean(config().Check(t.Context()))
	})
}

// Flows older than accounting are told even when accounting is on, and flows without any rule that tracks are
// called leftovers.
func TestCheckOldFlows(t *testing.T) {
	inFreshNamespace(t, func() error {
		if err := command("nft", trackRules); err != nil {
			return err
		}
		if err := talkToSelf("127.0.0.1"); err != nil {
			return err
		}
		for _, name := range []string{acctName, timestampName, eventsName} {
			if err := setKnob(name, "1"); err != nil {
				return err
			}
		}
		found := config().Check(t.Context())
		const subject = "flows without counters"
		if err := expect(found, subject, sources.Warning, "can never be counted"); err != nil {
			return err
		}
		if err := clean(found, subject); err != nil {
			return err
		}
		if err := command("nft", "flush", "ruleset"); err != nil {
			return err
		}
		if err := expect(config().Check(t.Context()), trackSubject, sources.Warning, "left over"); err != nil {
			return err
		}
		// They are gone after a while, or by force.
		conn, err := timo.Dial(nil)
		if err != nil {
			return err
		}
		if err := errors.Join(conn.Flush(), conn.Close()); err != nil {
			return err
		}
		return expect(config().Check(t.Context()), trackSubject, sources.Broken, "no data")
	})
}

func TestCheckAutomaticEvents(t *testing.T) {
	inFreshNamespace(t, func() error {
		if err := setKnob(eventsName, "2"); err != nil {
			return err
		}
		found := config().Check(t.Context())
		f := finding(found, eventsName)
		if err := expect(found, eventsName, sources.Notice, "automatic"); err != nil {
			return err
		}
		if len(f.Changes) != 1 || f.Changes[0].Old != "2\n" || f.Changes[0].New != "1\n" {
			return fmt.Errorf("changes: %+v", f.Changes)
		}
		return nil
	})
}

// Files under /etc are written in a folder of this thread alone.
func TestCheckKeepsSwitches(t *testing.T) {
	dir := t.TempDir()
	for _, need := range []string{"/etc/sysctl.d", "/usr/lib/sysctl.d"} {
		if _, err := os.Stat(need); err != nil {
			t.Skip("needs a folder ", need)
		}
	}
	inFreshNamespace(t, func() error {
		for _, over := range []string{"/etc/sysctl.d", "/usr/lib/sysctl.d"} {
			own := filepath.Join(dir, filepath.Base(filepath.Dir(over)))
			if err := errors.Join(os.Mkdir(own, 0o755), unix.Mount(own, over, "", unix.MS_BIND, "")); err != nil {
				return err
			}
		}
		mine := []byte("-net/netfilter/nf_conntrack_acct=1\n")
		if err := os.WriteFile("/etc/sysctl.d/10-mine.conf", mine, 0o644); err != nil {
			return err
		}
		if firstNamespace() {
			return errors.New("a new namespace passes for the first one")
		}
		kept := func() []sources.Finding {
			k := checker{cfg: config(), keeps: true}
			k.checkKept()
			return k.found
		}
		before := kept()
		if err := expect(before, "sysctl.d", sources.Notice, "next boot"); err != nil {
			return err
		}
		changes := changesOf(before)
		if len(changes) == 0 || changes[0].Path != keepFile || !changes[0].Created {
			return fmt.Errorf("changes: %+v", changes)
		}
		if err := apply(changes[:1]); err != nil {
			return err
		}
		if err := clean(kept()); err != nil {
			return err
		}
		if err := undo(changes[:1]); err != nil {
			return err
		}
		return same(before, kept())
	})
}

// The namespace of the configuration is looked at, not our own, and the cures and changes say so.
func TestCheckOtherNamespace(t *testing.T) {
	name := fmt.Sprintf("weir-%d-0-k", os.Getpid())
	inFreshNamespace(t, func() error {
		if err := command("ip", "netns", "add", name); err != nil {
			return err
		}
		defer command("ip", "netns", "del", name)
		for _, netns := range []string{name, netnsDir + "/" + name} {
			c := config()
			c.Netns = netns
			bare := c.Check(t.Context())
			f := finding(bare, acctName)
			if len(f.Changes) != 1 || f.Changes[0].Kind != "run" || !strings.Contains(f.Cure, name) {
				return fmt.Errorf("accounting of %s: %+v", netns, f)
			}
			changes := changesOf(bare)
			if err := apply(changes); err != nil {
				return err
			}
			if err := clean(c.Check(t.Context())); err != nil {
				return err
			}
			if err := expect(config().Check(t.Context()), acctName, sources.Broken, "off"); err != nil {
				return fmt.Errorf("our own namespace: %w", err)
			}
			if err := undo(changes); err != nil {
				return err
			}
			if err := same(bare, c.Check(t.Context())); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestCheckNoSuchNamespace(t *testing.T) {
	c := config()
	c.Netns = "weir-there-is-none"
	found := c.Check(t.Context())
	if err := expect(found, "netns", sources.Broken, "cannot be watched"); err != nil {
		t.Error(err)
	}
}

// A thread without CAP_NET_ADMIN is told so, and still told what everybody may read.
func TestCheckWithoutCapability(t *testing.T) {
	inFreshNamespace(t, func() error {
		if err := dropCapabilities(); err != nil {
			return err
		}
		found := config().Check(t.Context())
		return errors.Join(
			expect(found, "CAP_NET_ADMIN", sources.Broken, "no data"),
			expect(found, acctName, sources.Broken, "accounting is off"))
	})
}

// dropCapabilities takes all capabilities from the calling thread.
func dropCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&header, &none[0])
}

// Without the capability that forces it the kernel caps a buffer: it is looked for in the first user namespace,
// where a process in another one never has it.
func TestCheckCappedBuffer(t *testing.T) {
	inFreshNamespace(t, func() error {
		if err := dropCapabilities(); err != nil {
			return err
		}
		c := config()
		c.EventsBuffer = 64 * units.MiB
		k := checker{cfg: c}
		k.checkBuffer()
		return expect(k.found, "events_buffer", sources.Warning, "of 67108864 bytes")
	})
}

func TestAccessFinding(t *testing.T) {
	for err, subject := range map[error]string{
		unix.EPERM: "CAP_NET_ADMIN", unix.EPROTONOSUPPORT: "nf_conntrack_netlink",
		unix.EINVAL: "nf_conntrack_netlink", unix.EIO: "conntrack",
	} {
		if f := accessFinding(fmt.Errorf("ask: %w", err)); f.Subject != subject || f.Level != sources.Broken {
			t.Errorf("%v: %+v", err, f)
		}
	}
}

func TestTableFinding(t *testing.T) {
	for _, c := range []struct {
		count, limit uint64
		level        sources.Level
		text         string
	}{
		{0, 262144, sources.Good, "0 of at most 262144"},
		{209714, 262144, sources.Good, ""},
		{209716, 262144, sources.Warning, "when it is full"},
		{262144, 262144, sources.Warning, "it is full"},
		{5, 0, sources.Good, ""},
	} {
		f := tableFinding("net.netfilter.nf_conntrack_max", c.count, c.limit)
		if f.Level != c.level || !strings.Contains(f.Text, c.text) {
			t.Errorf("%d of %d: %+v", c.count, c.limit, f)
		}
		if c.level == sources.Warning && f.Cure != "sysctl -w net.netfilter.nf_conntrack_max=524288" {
			t.Errorf("%d of %d: cure %q", c.count, c.limit, f.Cure)
		}
	}
}

func TestRefusals(t *testing.T) {
	if err := clean(refusals(0, 0, 0)); err != nil {
		t.Error(err)
	}
	found := refusals(3, 4, 5)
	if len(found) != 3 || found[0].Level != sources.Notice || !strings.Contains(found[2].Text, "5 flows clashed") {
		t.Errorf("%+v", found)
	}
}

// Two flows that NAT squeezes into one tuple clash for real, and the kernel counts that.
func TestCheckClash(t *testing.T) {
	inFreshNamespace(t, func() error {
		if err := errors.Join(loadRules(`table ip nat {
	chain post {
		type nat hook postrouting priority 100
		udp dport 9 snat to 127.0.0.7:4000
	}
}`), talkToSelf("127.0.0.1")); err != nil {
			return err
		}
		if err := talkToSelf("127.0.0.1"); !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("the second flow went through: %w", err)
		}
		found := config().Check(t.Context())
		if !slices.ContainsFunc(found, func(f sources.Finding) bool {
			return strings.Contains(f.Text, "1 flows clashed") && f.Level == sources.Notice
		}) {
			return fmt.Errorf("no word of the clash: %+v", found)
		}
		return nil
	})
}
