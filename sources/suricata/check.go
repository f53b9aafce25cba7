package suricata

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"weir/sources"
)

// checker looks at one configuration.
type checker struct {
	cfg *Config
	// clients are whoever has to reach the sockets.
	clients []client
	// own is as whom weir runs; nothing if that is root.
	own   *client
	found []sources.Finding
}

// Check looks at the sockets and the file, and at whether Suricata may write to them. It changes nothing.
func (c *Config) Check(context.Context) []sources.Finding {
	if !c.Enabled() {
		return nil
	}
	k := &checker{cfg: c, clients: clients(procDir), own: own()}
	if c.Stream != "" {
		k.socket("stream", c.Stream, "unix_stream")
	}
	if c.Datagram != "" {
		k.socket("datagram", c.Datagram, "unix_dgram")
		k.queue(datagramQueue())
	}
	if c.File != "" {
		k.file(c.File)
	}
	return k.found
}

func (k *checker) add(l sources.Level, key, text, cure string) {
	k.found = append(k.found, sources.Finding{Level: l, Subject: "sources.suricata." + key, Text: text, Cure: cure})
}

// broken adds what keeps the source from running.
func (k *checker) broken(key string, err error) {
	text, cure := err.Error(), ""
	if t := (*trouble)(nil); errors.As(err, &t) {
		text, cure = t.text, t.cure
	}
	k.add(sources.Broken, key, text, cure)
}

// socket checks what would stand in the way of making a socket, or of connecting to the one that is there.
func (k *checker) socket(key, path, filetype string) {
	if k.cfg.Group != "" {
		if _, err := groupID(k.cfg.Group); err != nil {
			k.broken("group", err)
			return
		}
	}
	if err := checkDirectory(filepath.Dir(path)); err != nil {
		k.broken(key, err)
		return
	}
	switch info, err := checkName(path); {
	case errors.Is(err, fs.ErrNotExist):
		k.add(sources.Good, key, fmt.Sprintf("weir run makes the socket %s; Suricata connects to it with "+
			"filetype: %s (weir suricata-config prints it)", path, filetype), "")
		k.makes(key, filepath.Dir(path))
		k.access(key, path, k.planned())
	case err != nil:
		k.broken(key, err)
	default:
		k.existing(key, path, info)
	}
}

// planned is who may write to the socket that the daemon will make. Its owner is not known here: the daemon may
// run as another user.
func (k *checker) planned() permissions {
	p := permissions{mode: uint32(k.cfg.Mode), uid: -1, gid: -1}
	if id, err := groupID(k.cfg.Group); err == nil {
		p.gid = id
	}
	return p
}

// existing compares a socket with what the configuration says.
func (k *checker) existing(key, path string, info fs.FileInfo) {
	p := permissionsOf(info)
	want := k.planned()
	if p.mode != want.mode || want.gid >= 0 && p.gid != want.gid {
		k.add(sources.Warning, key, fmt.Sprintf("%s has the mode %04o and the group %d, which is not as configured",
			path, p.mode, p.gid), "restart weir")
	} else {
		k.add(sources.Good, key, path+" is there, with the mode and the group that are configured", "")
	}
	k.access(key, path, p)
}

// access says whether Suricata may write to a socket.
func (k *checker) access(key, path string, p permissions) {
	who := k.clients
	if !slices.ContainsFunc(who, func(c client) bool { return c.runs }) {
		who = append(k.members(), who...) // Nobody runs yet to whom it matters more.
	}
	for _, c := range who {
		if dir := c.barred(filepath.Dir(path)); dir != "" {
			k.add(c.level(), key, fmt.Sprintf("%s may not enter %s and so cannot connect to %s", c.name, dir, path),
				"chmod o+x "+dir+", or choose another path, such as one under /run/weir")
			continue
		}
		// Of a socket that is not made yet, the owner is taken to be whoever checks.
		if c.may(p, 0o2) || p.uid < 0 && c.uid == os.Geteuid() {
			continue
		}
		k.add(c.level(), key, fmt.Sprintf("%s may not write to %s (mode %04o)", c.name, path, p.mode),
			fmt.Sprintf("set sources.suricata.group = %q and mode = \"0660\", and let weir's user be a member of it",
				c.group()))
	}
}

// queue says whether the kernel keeps enough datagrams.
func (k *checker) queue(n int) {
	const subject = "net.unix.max_dgram_qlen"
	f := sources.Finding{
		Level: sources.Good, Subject: subject, Text: fmt.Sprintf("the kernel keeps up to %d datagrams for weir", n),
	}
	switch {
	case n <= 0:
		f.Level, f.Text = sources.Notice, "could not be read"
	case n < fewDatagrams:
		f.Level = sources.Warning
		f.Text = fmt.Sprintf("the kernel keeps only %d datagrams for weir, so that events are lost in each burst", n)
		f.Cure = fmt.Sprintf("sysctl -w %s=%d, then restart weir; or use stream in place of datagram",
			subject, manyDatagrams)
		f.Changes = queueChanges(subject, n)
	}
	k.found = append(k.found, f)
}

// keepFile sets the number at each boot.
const keepFile = "/etc/sysctl.d/90-weir-suricata.conf"

// queueChanges raise the number now and at each boot.
func queueChanges(name string, n int) []sources.Change {
	old, err := os.ReadFile(keepFile)
	return []sources.Change{
		{
			Kind: "write", Path: qlenFile, Old: strconv.Itoa(n) + "\n", New: strconv.Itoa(manyDatagrams) + "\n",
			Text: fmt.Sprintf("set %s from %d to %d, for sockets that are made from now on", name, n, manyDatagrams),
		},
		{
			Kind: "write", Path: keepFile, Old: string(old), Created: errors.Is(err, fs.ErrNotExist),
			New: fmt.Sprintf("# Written by weir setup; weir setup --undo removes it.\n%s = %d\n",
				name, manyDatagrams),
			Text: fmt.Sprintf("set %s at each boot", name),
		},
	}
}

// file says whether the file can be followed.
func (k *checker) file(path string) {
	const key = "file"
	// Opening a fifo would wait for somebody to write to it.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		k.add(sources.Notice, key, path+" does not exist; weir waits for it",
			"start Suricata with an eve-log of filetype: regular and this filename (weir suricata-config prints it)")
		return
	case errors.Is(err, fs.ErrPermission):
		k.unreadable(key, path)
		return
	case err != nil:
		k.broken(key, err)
		return
	}
	defer file.Close()
	switch info, err := file.Stat(); {
	case err != nil:
		k.broken(key, err)
	case !info.Mode().IsRegular():
		k.add(sources.Broken, key, fmt.Sprintf("%s is no file but %s", path, kindOf(info.Mode())),
			"name the file that Suricata writes, or use stream")
	default:
		k.add(sources.Good, key, path+" can be read", "")
		k.readable(key, path)
	}
}
