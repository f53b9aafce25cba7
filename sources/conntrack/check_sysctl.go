package conntrack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"weir/sources"
)

// The files by which the switches outlive a boot.
const (
	keepFile    = "/etc/sysctl.d/90-weir.conf"
	modulesFile = "/etc/modules-load.d/weir.conf"
	keepNote    = "# Written by weir setup; weir setup --undo removes it.\n"
)

// knob is a switch of the kernel that must be 1.
type knob struct {
	name string
	// good, off and absent say what follows from the value 1, the value 0 and no such switch.
	good, off, absent string
	// lacking is how bad it is if the switch is off.
	lacking sources.Level
}

func (n *knob) subject() string { return "net.netfilter." + n.name }

// knobs are the switches, the most important first.
func knobs() []knob {
	return []knob{
		{
			name: sysctlAcct, lacking: sources.Broken,
			good:   "flows have counters",
			off:    "accounting is off: a flow that begins now has no counters, so there is nothing to count",
			absent: "the kernel cannot count what flows move",
		},
		{
			name: sysctlTimestamp, lacking: sources.Warning,
			good: "flows carry the time when they began",
			off:  "timestamps are off: connections that use the same ports again cannot always be told apart",
			absent: "the kernel is built without timestamps: connections that use the same ports again cannot always " +
				"be told apart",
		},
		{
			name: sysctlEvents, lacking: sources.Warning,
			good: "the ends of flows are told",
			off: "events are off: the end of a flow is not told, and what it moved after the last look " +
				"at the table is lost",
			absent: "the kernel is built without events: the end of a flow is not told, and what it moved after the " +
				"last look at the table is lost",
		},
	}
}

// automatic is what the switch for events is by default in newer kernels.
const automatic = "2"

func (k *checker) checkSysctls() {
	for _, n := range knobs() {
		v, err := readSysctl(sysctlDir, n.name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			k.add(sources.Finding{Level: n.lacking, Subject: n.subject(), Text: n.absent})
		case err != nil:
			k.unknown(n.subject(), err)
		case v == "1":
			k.add(sources.Finding{Level: sources.Good, Subject: n.subject(), Text: n.good})
		case n.name == sysctlEvents && v == automatic:
			k.add(k.turnOnFinding(sources.Notice, &n, v, "events are automatic: a flow that began while no program "+
				"listened never tells its end, and what it moved after the last look at the table is lost"))
		default:
			k.add(k.turnOnFinding(n.lacking, &n, v, n.off))
		}
	}
}

func (k *checker) turnOnFinding(l sources.Level, n *knob, old, text string) sources.Finding {
	if k.cfg.ManageSysctl {
		text += "; weir run switches it on when it starts"
	}
	return sources.Finding{
		Level: l, Subject: n.subject(), Text: text,
		Cure:    strings.Join(k.within("sysctl", "-w", n.subject()+"=1"), " "),
		Changes: []sources.Change{k.turnOnChange(n, old)},
	}
}

// turnOnChange writes the switch; in another namespace than the one of whoever makes the change, a command
// must do it.
func (k *checker) turnOnChange(n *knob, old string) sources.Change {
	c := sources.Change{Text: fmt.Sprintf("set %s from %s to 1", n.subject(), old)}
	if k.cfg.Netns == "" {
		c.Kind, c.Path, c.Old, c.New = "write", filepath.Join(sysctlDir, n.name), old+"\n", "1\n"
		return c
	}
	c.Kind = "run"
	c.Do = k.within("sysctl", "-w", n.subject()+"=1")
	c.Undo = k.within("sysctl", "-w", n.subject()+"="+old)
	return c
}

// firstNamespace says whether the calling thread is in the network namespace that the machine began with, to which
// alone the files under /etc/sysctl.d are applied. Only there the kernel lets the size of the table be set.
func firstNamespace() bool {
	info, err := os.Stat(filepath.Join(sysctlDir, "nf_conntrack_max"))
	return err == nil && info.Mode().Perm()&0o200 != 0
}

// checkKept says whether the switches will be on after the next boot before the first flow begins.
func (k *checker) checkKept() {
	if !k.keeps {
		return
	}
	missing := slices.DeleteFunc(knobs(), func(n knob) bool {
		_, err := readSysctl(sysctlDir, n.name)
		return err != nil || keptOn(n.subject()) // What this kernel lacks need not be kept.
	})
	if len(missing) == 0 {
		k.add(sources.Finding{
			Level: sources.Good, Subject: "sysctl.d", Text: "accounting, timestamps and events are on after each boot",
		})
		return
	}
	k.add(sources.Finding{
		Level: sources.Notice, Subject: "sysctl.d",
		Text: "accounting, timestamps and events are not all on from the start after the next boot: flows that begin " +
			"before weir does would never be counted",
		Cure:    "weir setup, which writes " + keepFile,
		Changes: keepChanges(),
	})
}

func keepChanges() []sources.Change {
	var content strings.Builder
	content.WriteString(keepNote)
	for _, n := range knobs() {
		fmt.Fprintf(&content, "%s = 1\n", n.subject())
	}
	changes := []sources.Change{writeChange(keepFile, content.String(),
		"turn accounting, timestamps and events on at each boot")}
	// A module that is loaded later than the files are applied would come up with its own defaults.
	if _, err := os.Stat("/sys/module/nf_conntrack/initstate"); err == nil {
		changes = append(changes, writeChange(modulesFile, keepNote+"nf_conntrack\n",
			"load nf_conntrack before the switches are set at boot"))
	}
	return changes
}

func writeChange(path, content, text string) sources.Change {
	old, err := os.ReadFile(path)
	return sources.Change{
		Kind: "write", Path: path, Old: string(old), New: content,
		Created: errors.Is(err, fs.ErrNotExist), Text: text,
	}
}

// sysctlFiles are where systemd and procps look for switches, the last word last within each folder.
func sysctlFiles() []string {
	var files []string
	for _, dir := range []string{"/usr/lib/sysctl.d", "/run/sysctl.d", "/etc/sysctl.d"} {
		in, err := filepath.Glob(filepath.Join(dir, "*.conf"))
		if err != nil {
			continue
		}
		files = append(files, in...)
	}
	return append(files, "/etc/sysctl.conf")
}

// keptOn says whether the last file that sets a switch sets it to 1.
func keptOn(name string) bool {
	on := false
	for _, file := range sysctlFiles() {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if v, ok := setting(line, name); ok {
				on = v == "1"
			}
		}
	}
	return on
}

// setting reads a line of sysctl.conf; names may be written with slashes, and a leading - excuses errors.
func setting(line, name string) (value string, ok bool) {
	key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
	key = strings.TrimPrefix(strings.TrimSpace(key), "-")
	return strings.TrimSpace(value), ok && strings.ReplaceAll(key, "/", ".") == name
}
