// Package evelog writes the part of Suricata's configuration that makes it tell Weir what it sees. It knows what
// each version can write, since a type that a version does not know is an error at its start. It links nothing
// of the source.
package evelog

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Transport is how events come to Weir; the values are those of the key that names its path in
// [sources.suricata].
type Transport string

// The transports.
const (
	Stream   Transport = "stream"
	Datagram Transport = "datagram"
	File     Transport = "file"
)

// Transports lists all, the recommended one first.
func Transports() []Transport { return []Transport{Stream, Datagram, File} }

// DefaultPath is the path that the manual recommends.
func (t Transport) DefaultPath() string {
	switch t {
	case Datagram:
		return "/run/weir/eve.dgram"
	case File:
		return "/var/log/suricata/weir.json"
	default:
		return "/run/weir/eve.sock"
	}
}

// filetype is what Suricata calls it.
func (t Transport) filetype() string {
	switch t {
	case Datagram:
		return "unix_dgram"
	case File:
		return "regular"
	default:
		return "unix_stream"
	}
}

// Versions lists the major versions of Suricata that can be written for.
func Versions() []int { return []int{6, 7, 8} }

// maxSocketPath is what fits into the kernel's address of a unix socket.
const maxSocketPath = 107

// ErrVersion says that the version is none of Versions.
var ErrVersion = errors.New("unknown version of Suricata")

// Options say what to write.
type Options struct {
	// Version is the major version of Suricata.
	Version int
	// Transport is Stream if empty, and Path its default.
	Transport Transport
	Path      string
	// Fingerprints asks for JA3, and JA4 where the version has it.
	Fingerprints bool
}

// Text gives an item of the list "outputs" of suricata.yaml, with comments that say where it goes and why. The
// error is ErrVersion, or about the transport or the path.
func Text(o Options) (string, error) {
	o.Transport = cmp.Or(o.Transport, Stream)
	o.Path = cmp.Or(o.Path, o.Transport.DefaultPath())
	if err := o.validate(); err != nil {
		return "", err
	}
	var w writer
	w.head(&o)
	w.item(&o)
	for _, e := range entries() {
		if e.since <= o.Version {
			w.entry(&e, &o)
		}
	}
	w.tail(&o)
	return w.String(), nil
}

func (o *Options) validate() error {
	known := false
	for _, v := range Versions() {
		known = known || v == o.Version
	}
	switch {
	case !known:
		return fmt.Errorf("%w: %d; known are %s", ErrVersion, o.Version, knownVersions())
	case o.Transport != Stream && o.Transport != Datagram && o.Transport != File:
		return fmt.Errorf("unknown transport %q: it is stream, datagram or file", o.Transport)
	case !filepath.IsAbs(o.Path):
		return fmt.Errorf("%q is not an absolute path", o.Path)
	case o.Transport != File && len(o.Path) > maxSocketPath:
		return fmt.Errorf("the path is longer than %d bytes, the most for a socket", maxSocketPath)
	case !utf8.ValidString(o.Path) || strings.ContainsFunc(o.Path, unicode.IsControl):
		return fmt.Errorf("%q holds control characters", o.Path)
	}
	return nil
}

// knownVersions writes them for a sentence.
func knownVersions() string {
	all := make([]string, 0, len(Versions()))
	for _, v := range Versions() {
		all = append(all, strconv.Itoa(v))
	}
	return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}
