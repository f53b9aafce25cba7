package conntrack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"weir/sources"
)

// checker looks at one network namespace; all of it runs on a thread that is inside.
type checker struct {
	cfg *Config
	// keeps says that files under /etc/sysctl.d are applied to this namespace when the machine boots.
	keeps bool
	found []sources.Finding
}

// Check looks at what the kernel would tell the source in the network namespace that it watches, and says for
// each thing that is missing what follows and how to mend it. It changes nothing.
func (c *Config) Check(ctx context.Context) []sources.Finding {
	k := &checker{cfg: c}
	if err := inNetNS(c.netnsPath(), func() error {
		k.keeps = c.Netns == "" && firstNamespace()
		k.look(ctx)
		return nil
	}); err != nil {
		k.found = append(k.found, namespaceFinding(c.Netns, err))
	}
	return k.found
}

// look runs the checks in the order in which to mend what they find.
func (k *checker) look(ctx context.Context) {
	stats, err := openKernelStats()
	if err != nil {
		k.add(accessFinding(err))
		k.checkSysctls() // Everybody may read them.
		return
	}
	defer stats.close()
	k.add(sources.Finding{
		Level: sources.Good, Subject: "CAP_NET_ADMIN",
		Text: "the kernel answers questions about its connections",
	})
	seen := k.census(ctx)
	k.checkSysctls()
	k.checkUncounted(seen)
	rules := readRules(ctx)
	k.checkTracking(rules, seen)
	k.checkKept()
	k.checkBuffer()
	k.checkTable(stats)
	k.checkOffload(rules, seen)
}

func (k *checker) add(f ...sources.Finding) { k.found = append(k.found, f...) }

// unknown adds that something could not be looked at.
func (k *checker) unknown(subject string, err error) {
	k.add(sources.Finding{
		Level: sources.Notice, Subject: subject,
		Text: fmt.Sprintf("could not be looked at: %v", err),
	})
}

// accessFinding says why the kernel does not answer.
func accessFinding(err error) sources.Finding {
	f := sources.Finding{Level: sources.Broken, Subject: "conntrack"}
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		f.Subject = "CAP_NET_ADMIN"
		f.Text = "this user may not ask the kernel for its connections, so there can be no data"
		f.Cure = "run weir as root (sudo weir …), or give the service AmbientCapabilities=CAP_NET_ADMIN"
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EPROTONOSUPPORT),
		errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP):
		f.Subject = "nf_conntrack_netlink"
		f.Text = "the kernel does not offer its connection table to programs, so there can be no data"
		f.Cure = "modprobe nf_conntrack_netlink (the kernel needs CONFIG_NF_CT_NETLINK)"
	default:
		f.Text = fmt.Sprintf("the kernel does not tell its connections, so there can be no data: %v", err)
	}
	return f
}

func namespaceFinding(name string, err error) sources.Finding {
	f := sources.Finding{
		Level: sources.Broken, Subject: "netns",
		Text: fmt.Sprintf("the network namespace of sources.conntrack.netns cannot be watched: %v", err),
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && !strings.Contains(name, "/"):
		f.Cure = "ip netns add " + name + ", or correct netns in the configuration (ip netns lists the names)"
	case errors.Is(err, fs.ErrPermission):
		f.Cure = "run weir as root (sudo weir …): entering a namespace needs CAP_SYS_ADMIN"
	}
	return f
}

// within gives the command that does the same inside the watched namespace.
func (k *checker) within(command ...string) []string {
	switch name := k.cfg.Netns; {
	case name == "":
		return command
	case strings.Contains(name, "/"):
		return append([]string{"nsenter", "--net=" + name}, command...)
	default:
		return append([]string{"ip", "netns", "exec", name}, command...)
	}
}

// checkBuffer asks for the buffer that the source would ask for.
func (k *checker) checkBuffer() {
	const subject = "events_buffer"
	sock, err := dial(eventRead, new(atomic.Uint64))
	if err != nil {
		k.unknown(subject, err)
		return
	}
	defer sock.close()
	want := int(k.cfg.EventsBuffer)
	got, err := sock.setBuffer(want)
	switch {
	case err != nil:
		k.unknown(subject, err)
	case got < want:
		k.add(k.bufferFinding(subject, want, got))
	default:
		k.add(sources.Finding{
			Level: sources.Good, Subject: subject,
			Text: fmt.Sprintf("the kernel gives the socket for ends the %s that it should have", k.cfg.EventsBuffer),
		})
	}
}

func (k *checker) bufferFinding(subject string, want, got int) sources.Finding {
	const knob = "net.core.rmem_max"
	return sources.Finding{
		Level: sources.Warning, Subject: subject,
		Text: fmt.Sprintf("the kernel gives the socket for ends %d of %d bytes, so that %d ends at once are already "+
			"too many and bytes of short flows are lost", got, want, got/bytesPerEvent),
		Cure: fmt.Sprintf("sysctl -w %s=%d in the first network namespace, or give weir CAP_NET_ADMIN "+
			"in the first user namespace", knob, want),
	}
}

// bytesPerEvent is what the kernel charges a socket for one event.
const bytesPerEvent = 1280

// checkTable says whether there is room for new flows, and whether there was.
func (k *checker) checkTable(stats *kernelStats) {
	const subject = "net.netfilter.nf_conntrack_max"
	if size, err := askTableSize(stats.sock); err != nil {
		k.unknown(subject, err)
	} else {
		k.add(tableFinding(subject, uint64(size.entries), uint64(size.limit)))
	}
	cpus, err := stats.conn.Stats()
	if err != nil {
		k.unknown(statisticsSubject, err)
		return
	}
	var drop, early, failed uint64
	for _, c := range cpus {
		drop += uint64(c.Drop)
		early += uint64(c.EarlyDrop)
		failed += uint64(c.InsertFailed)
	}
	k.add(refusals(drop, early, failed)...)
}

const statisticsSubject = "conntrack statistics"

// nearlyFull is the part of the table, in hundredths, from which on the user should act.
const nearlyFull = 80

func tableFinding(subject string, count, limit uint64) sources.Finding {
	f := sources.Finding{
		Level: sources.Good, Subject: subject,
		Text: fmt.Sprintf("the connection table holds %d of at most %d flows", count, limit),
	}
	switch {
	case limit == 0 || count*100 < limit*nearlyFull: // 0 means no limit.
		return f
	case count >= limit:
		f.Text += ", it is full: the router refuses new connections, which therefore are not counted"
	default:
		f.Text += "; when it is full, the router refuses new connections"
	}
	f.Level = sources.Warning
	// This costs memory of the kernel, about half a KiB for each flow, hence it is for the user to decide.
	f.Cure = fmt.Sprintf("sysctl -w %s=%d", subject, 2*limit)
	return f
}

// refusals tells what the kernel counted since it started; nothing takes that back.
func refusals(drop, early, failed uint64) (found []sources.Finding) {
	tell := func(n uint64, text string) {
		if n > 0 {
			found = append(found, sources.Finding{
				Level: sources.Notice, Subject: statisticsSubject, Text: fmt.Sprintf(text, n),
			})
		}
	}
	tell(drop, "since the machine started %d packets were dropped because their flow could not be entered into the "+
		"connection table (drop)")
	tell(early, "since the machine started %d flows were given up early to make room for others (early_drop); "+
		"what they moved afterwards counts as new flows")
	tell(failed, "since the machine started %d flows clashed with another one and could not be entered into the "+
		"connection table (insert_failed)")
	if found == nil {
		found = append(found, sources.Finding{
			Level: sources.Good, Subject: statisticsSubject, Text: "the kernel never refused a flow",
		})
	}
	return found
}
