package evelog_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/sources/suricata/evelog"
)

var update = flag.Bool("update", false, "write the golden files anew")

// text gives what is written.
func text(t *testing.T, o evelog.Options) string {
	t.Helper()
	s, err := evelog.Text(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// node is a line of YAML without comments: a key with a value or none, or an item of a list.
type node struct {
	depth      int
	item       bool
	key, value string
	// opens: others may stand below it.
	opens bool
}

// parse reads the little of YAML that is written, and nothing else: block lists and maps by two spaces.
func parse(t *testing.T, s string) []node {
	t.Helper()
	shape := regexp.MustCompile(`^( *)(- )?([a-z0-9_-]+)(:?)(?: ([a-z_]+|[/A-Za-z0-9._-]+|'(?:[^']|'')*'))?$`)
	var all []node
	for i, line := range strings.Split(strings.TrimSuffix(s, "\n"), "\n") {
		if strings.HasPrefix(strings.TrimLeft(line, " "), "#") {
			continue
		}
		m := shape.FindStringSubmatch(line)
		if m == nil || len(m[1])%2 != 0 || m[4] == "" && (m[2] == "" || m[5] != "") {
			t.Fatalf("line %d: %q", i+1, line)
		}
		n := node{depth: len(m[1]), item: m[2] != "", key: m[3], value: m[5], opens: m[4] != "" && m[5] == ""}
		if last := len(all) - 1; last >= 0 && (n.depth > all[last].depth) != all[last].opens {
			t.Fatalf("line %d: %q below %+v", i+1, line, all[last])
		}
		all = append(all, n)
	}
	return all
}

// types lists the types of a text.
func types(t *testing.T, s string) []string {
	t.Helper()
	var all []string
	for _, n := range parse(t, s) {
		if n.item && n.depth == 8 {
			all = append(all, n.key)
		}
	}
	return all
}

// TestTypes: a type that a version does not know would keep Suricata from starting.
func TestTypes(t *testing.T) {
	six := []string{
		"flow", "dns", "tls", "http", "http2", "dhcp", "ssh", "smb", "rdp", "sip", "mqtt", "alert",
	}
	seven := append(slices.Clone(six), "quic")
	eight := append(slices.Clone(seven), "mdns", "arp", "doh2")
	for version, want := range map[int][]string{6: six, 7: seven, 8: eight} {
		got := types(t, text(t, evelog.Options{Version: version}))
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("version %d: %q, want %q", version, got, want)
		}
	}
	if !slices.Equal(evelog.Versions(), []int{6, 7, 8}) {
		t.Errorf("versions: %v", evelog.Versions())
	}
}

// TestShape: one item of a list, with all its keys in their place.
func TestShape(t *testing.T) {
	for _, version := range evelog.Versions() {
		for _, transport := range evelog.Transports() {
			for _, fingerprints := range []bool{false, true} {
				o := evelog.Options{Version: version, Transport: transport, Fingerprints: fingerprints}
				nodes := parse(t, text(t, o))
				if first := nodes[0]; first != (node{2, true, "eve-log", "", true}) {
					t.Errorf("%+v: begins with %+v", o, first)
				}
				keys := map[string]string{}
				for _, n := range nodes[1:] {
					if n.depth == 6 {
						keys[n.key] = n.value
					} else if n.depth != 8 && n.depth != 12 {
						t.Errorf("%+v: %+v", o, n)
					}
				}
				want := map[evelog.Transport]string{
					evelog.Stream: "unix_stream", evelog.Datagram: "unix_dgram", evelog.File: "regular",
				}
				if keys["filetype"] != want[transport] || keys["filename"] != transport.DefaultPath() {
					t.Errorf("%+v: %v", o, keys)
				}
				if keys["enabled"] != "yes" || keys["metadata"] != "no" || keys["ethernet"] != "yes" {
					t.Errorf("%+v: %v", o, keys)
				}
				ja4 := slices.ContainsFunc(nodes, func(n node) bool { return n.key == "ja4" })
				if ja4 != (fingerprints && version >= 7) {
					t.Errorf("%+v: ja4 is %v", o, ja4)
				}
			}
		}
	}
}

// TestGolden shows each text to whoever changes it.
func TestGolden(t *testing.T) {
	for path, o := range map[string]evelog.Options{
		"6.yaml":              {Version: 6},
		"7.yaml":              {Version: 7},
		"8.yaml":              {Version: 8},
		"8-datagram.yaml":     {Version: 8, Transport: evelog.Datagram},
		"7-file.yaml":         {Version: 7, Transport: evelog.File, Path: "/srv/it's here/eve.json"},
		"6-fingerprints.yaml": {Version: 6, Fingerprints: true},
		"8-fingerprints.yaml": {Version: 8, Fingerprints: true},
	} {
		got := text(t, o)
		if *update {
			if err := os.WriteFile("testdata/"+path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile("testdata/" + path)
		if err != nil || string(want) != got {
			t.Errorf("%s: %v; renew it with -update if it is meant:\n%s", path, err, got)
		}
		for i, line := range strings.Split(got, "\n") {
			if len(line) > 120 || strings.ContainsRune(line, '\t') {
				t.Errorf("%s: line %d: %q", path, i+1, line)
			}
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, version := range []int{0, 4, 5, 9, -8} {
		_, err := evelog.Text(evelog.Options{Version: version})
		if !errors.Is(err, evelog.ErrVersion) || !strings.HasSuffix(err.Error(), "known are 6, 7 and 8") {
			t.Errorf("version %d: %v", version, err)
		}
	}
	for _, o := range []evelog.Options{
		{Transport: "carrier pigeon"},
		{Path: "eve.sock"},
		{Path: "/run/\n- x"},
		{Path: "/run/\xff"},
		{Path: "/run/\x00"},
		{Path: "/run/\u0085"},
	} {
		o.Version = 8
		if s, err := evelog.Text(o); err == nil || errors.Is(err, evelog.ErrVersion) {
			t.Errorf("%+v: %q, %v", o, s, err)
		}
	}
}

// TestPathsAreQuoted: whatever stands in a path stays in it.
func TestPathsAreQuoted(t *testing.T) {
	for _, path := range []string{"/a b", "/a: b", "/a #b", "/'", "/*", "/{x}", "/é", `/"`} {
		s := text(t, evelog.Options{Version: 7, Path: path})
		line := fmt.Sprintf("\n      filename: '%s'\n", strings.ReplaceAll(path, "'", "''"))
		if !strings.Contains(s, line) {
			t.Errorf("%q: %s", path, s)
		}
		parse(t, s)
	}
}

func TestALongPathIsForAFileOnly(t *testing.T) {
	const longest = 107
	long := "/" + strings.Repeat("x", longest)
	for _, o := range []evelog.Options{
		{Version: 8, Path: long},
		{Version: 8, Path: long, Transport: evelog.Datagram},
		{Version: 8, Path: long, Transport: evelog.File},
		{Version: 8, Path: long[1:2] + long, Transport: evelog.File},
		{Version: 8, Path: long[:longest]},
	} {
		_, err := evelog.Text(o)
		if want := o.Transport != evelog.File && len(o.Path) > longest || o.Path[0] != '/'; (err != nil) != want {
			t.Errorf("%s, %d bytes: %v", o.Transport, len(o.Path), err)
		}
	}
}
