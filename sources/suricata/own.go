package suricata

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"

	"weir/sources"
)

// daemonUser is whom packages let weir run as, where it does not run as root.
const daemonUser = "weir"

// own is as whom weir runs or would run: whoever asks, unless that is root; then a user who is called weir, if there
// is one. Nothing if root it is.
func own() *client {
	if uid := os.Geteuid(); uid != 0 {
		c := &client{name: "this user", uid: uid, gids: []int{os.Getegid()}, runs: true}
		if more, err := os.Getgroups(); err == nil {
			c.gids = append(c.gids, more...)
		}
		return c
	}
	u, err := user.Lookup(daemonUser)
	if err != nil || u.Uid == "0" {
		return nil
	}
	c := &client{name: "the user " + daemonUser, uid: atoi(u.Uid), gids: []int{atoi(u.Gid)}}
	if groups, err := u.GroupIds(); err == nil {
		for _, g := range groups {
			c.gids = append(c.gids, atoi(g))
		}
	}
	return c
}

// doubt is how bad it is if weir may not do something: of a user who is only guessed it may not be true.
func (c client) doubt() sources.Level {
	if c.runs {
		return sources.Broken
	}
	return sources.Notice
}

// makes says whether weir may make a socket in a directory and hand it over to the group.
func (k *checker) makes(key, dir string) {
	c := k.own
	if c == nil {
		return
	}
	if bar := c.barred(dir); bar != "" {
		k.add(c.doubt(), key, fmt.Sprintf("%s may not enter %s and so cannot make the socket", c.name, bar),
			fmt.Sprintf("chmod o+x %s, or choose another path, such as one under /run/weir", bar))
	} else if info, err := os.Stat(dir); err == nil && !c.may(permissionsOf(info), 0o2) {
		k.add(c.doubt(), key, fmt.Sprintf("%s may not make a socket in %s", c.name, dir),
			"let weir's user own the directory, or choose another path, such as one under /run/weir")
	}
	gid, err := groupID(k.cfg.Group)
	if k.cfg.Group == "" || err != nil || c.uid == 0 || slices.Contains(c.gids, gid) {
		return
	}
	k.add(c.doubt(), "group",
		fmt.Sprintf("%s is no member of the group %s and so may not hand the socket over to it", c.name, k.cfg.Group),
		fmt.Sprintf("usermod -aG %s weir, or with systemd SupplementaryGroups=%[1]s in weir's unit", k.cfg.Group))
}

// members are all who are in the group of the sockets, of whom nothing else is known.
func (k *checker) members() []client {
	gid, err := groupID(k.cfg.Group)
	if k.cfg.Group == "" || err != nil {
		return nil
	}
	const nobody = -2 // Neither any user nor an owner who is not known.
	return []client{{name: "who is in the group " + k.cfg.Group + " only", uid: nobody, gids: []int{gid}, runs: true}}
}

// readable says whether weir may read a file. Whoever asks was able to open it.
func (k *checker) readable(key, path string) {
	c := k.own
	if c == nil {
		return
	}
	if bar := c.barred(filepath.Dir(path)); bar != "" {
		k.add(c.doubt(), key, fmt.Sprintf("%s may not enter %s and so cannot read %s", c.name, bar, path), enter(bar))
	} else if info, err := os.Stat(path); err == nil && !c.may(permissionsOf(info), 0o4) {
		k.add(c.doubt(), key, fmt.Sprintf("%s may not read %s", c.name, path), readCure)
	}
}

// unreadable says why this user could not open a file.
func (k *checker) unreadable(key, path string) {
	if k.own != nil {
		if bar := k.own.barred(filepath.Dir(path)); bar != "" {
			k.add(sources.Broken, key, fmt.Sprintf("this user may not enter %s and so cannot read %s", bar, path),
				enter(bar))
			return
		}
	}
	k.add(sources.Broken, key, "this user may not read "+path, readCure)
}

const readCure = "put weir's user into the group that owns the file, and let the group read it (eve-log's filemode)"

// enter is the cure for a directory that weir may not enter.
func enter(dir string) string {
	return fmt.Sprintf("put weir's user into the group that owns %s, and chmod g+x %[1]s", dir)
}
