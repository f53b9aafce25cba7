package suricata

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"weir/sources"
)

const (
	procDir = "/proc"
	// suricataUser is whom packages let Suricata run as, where it does not run as root.
	suricataUser = "suricata"
)

// client is a user who has to write to our sockets.
type client struct {
	// name says who it is.
	name string
	uid  int
	gids []int // the first one is its main group
	// runs says that it was found running; otherwise it may be that Suricata runs as somebody else.
	runs bool
}

// permissions say who may use a file. An owner or group below 0 is not known.
type permissions struct {
	mode     uint32
	uid, gid int
}

func permissionsOf(info fs.FileInfo) permissions {
	p := permissions{mode: uint32(info.Mode().Perm()), uid: -1, gid: -1}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		p.uid, p.gid = int(st.Uid), int(st.Gid)
	}
	return p
}

// may says whether the client has a right: 1 to enter, 2 to write, 4 to read.
func (c client) may(p permissions, right uint32) bool {
	switch {
	case c.uid == 0:
		return true
	case c.uid == p.uid:
		return p.mode>>6&right != 0
	case slices.Contains(c.gids, p.gid):
		return p.mode>>3&right != 0
	default:
		return p.mode&right != 0
	}
}

// barred gives the first directory on the way to dir that the client may not enter, or nothing.
func (c client) barred(dir string) string {
	if parent := filepath.Dir(dir); parent != dir {
		if bar := c.barred(parent); bar != "" {
			return bar
		}
	}
	info, err := os.Stat(dir)
	if err == nil && !c.may(permissionsOf(info), 0o1) {
		return dir
	}
	return ""
}

// level is how sure a trouble of the client is.
func (c client) level() sources.Level {
	if c.runs {
		return sources.Warning
	}
	return sources.Notice
}

// group names the client's main group.
func (c client) group() string {
	if len(c.gids) == 0 {
		return suricataUser
	}
	id := strconv.Itoa(c.gids[0])
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}

// clients are the Suricatas that run, or else the user as whom it would run.
func clients(proc string) []client {
	var list []client
	dirs, err := filepath.Glob(filepath.Join(proc, "[0-9]*"))
	if err != nil {
		return nil
	}
	for _, dir := range dirs {
		comm, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil || !strings.HasPrefix(strings.ToLower(string(comm)), suricataUser) {
			continue
		}
		if c, ok := process(dir); ok {
			list = append(list, c)
		}
	}
	if len(list) > 0 {
		return list
	}
	u, err := user.Lookup(suricataUser)
	if err != nil {
		return nil
	}
	groups, err := u.GroupIds()
	if err != nil {
		groups = nil
	}
	uid, gids := atoi(u.Uid), []int{atoi(u.Gid)}
	for _, g := range groups {
		gids = append(gids, atoi(g))
	}
	return []client{{name: "the user " + suricataUser, uid: uid, gids: gids}}
}

// process reads as whom a process acts on files.
func process(dir string) (c client, ok bool) {
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return c, false
	}
	c = client{name: fmt.Sprintf("Suricata (process %s)", filepath.Base(dir)), uid: -1, runs: true}
	for line := range strings.Lines(string(status)) {
		key, rest, _ := strings.Cut(line, ":")
		ids := strings.Fields(rest)
		switch {
		case key == "Uid" && len(ids) == 4: // Real, effective, saved, and that for files.
			c.uid = atoi(ids[3])
		case key == "Gid" && len(ids) == 4:
			c.gids = append([]int{atoi(ids[3])}, c.gids...)
		case key == "Groups":
			for _, id := range ids {
				c.gids = append(c.gids, atoi(id))
			}
		}
	}
	return c, c.uid >= 0
}

// atoi reads an id; what is none is nobody's.
func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}
