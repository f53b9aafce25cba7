package bestname

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/columns"
	_ "weir/columns/dns" // The scripts tag with it.
	"weir/computations"
	"weir/internal/units"
	"weir/messages"
)

var update = flag.Bool("update", false, "write what the scripts of testdata give now into them")

// TestScripts plays the scripts in testdata; testdata/README.md tells how they are written.
func TestScripts(t *testing.T) {
	paths, _ := filepath.Glob("testdata/*.script")
	if len(paths) == 0 {
		t.Fatal("no scripts")
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".script"), func(t *testing.T) {
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *update {
				if err := os.WriteFile(path, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(got, want) && !*update {
				t.Errorf("%s gives (-update writes it):\n%s", path, differences(string(want), string(got)))
			}
		})
	}
}

// differences are the lines that are in one text only.
func differences(want, got string) string {
	var b strings.Builder
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		switch {
		case i >= len(w):
			fmt.Fprintf(&b, "%d: got  %s\n", i+1, g[i])
		case i >= len(g):
			fmt.Fprintf(&b, "%d: want %s\n", i+1, w[i])
		case w[i] != g[i]:
			fmt.Fprintf(&b, "%d: want %s\n%d: got  %s\n", i+1, w[i], i+1, g[i])
		}
	}
	return b.String()
}

// player plays one script.
type player struct {
	*table
	config Config
	list   strings.Builder
	now    time.Time
	out    bytes.Buffer
}

// play gives the script with what it gives now.
func play(t *testing.T, script string) []byte {
	t.Helper()
	p := &player{config: testConfig(), now: at(t, "00:00:00")}
	p.config.Curated = false
	p.table = newTable(t, p.config)
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, ">") {
			continue
		}
		fmt.Fprintln(&p.out, line)
		code, _, _ := strings.Cut(line, "#")
		if words := strings.Fields(code); len(words) > 0 {
			p.do(t, words)
		}
	}
	return p.out.Bytes()
}

// at reads a time of the day.
func at(t *testing.T, clock string) time.Time {
	t.Helper()
	d, err := time.Parse("2006-01-02 15:04:05.999", "2026-03-01 "+clock)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (p *player) do(t *testing.T, words []string) {
	t.Helper()
	if strings.Count(words[0], ":") == 2 {
		p.now = at(t, words[0])
		words = words[1:]
	}
	switch verb := words[0]; verb {
	case "config":
		p.configure(t, words[1], words[2])
	case "rule":
		fmt.Fprintln(&p.list, strings.Join(words[1:], " "))
		for _, err := range p.c.Read([]computations.File{{Path: "list", Content: []byte(p.list.String())}}, p.view, p) {
			t.Error(err)
		}
	case "answer", "reverse", "lease", "neighbour", "host":
		p.in.Facts = append(p.in.Facts, p.fact(t, words))
	case "flow":
		p.flow(t, words[1:])
	case "tags", "end":
		p.change(t, words)
	case "settle":
		p.settle(p.now)
		for _, id := range p.said {
			fmt.Fprintf(&p.out, "> %d %s\n", id, cells(p.flows[id], p.flows[id].Tags))
		}
		p.said = nil
	case "restart":
		p.restart(t)
	default:
		t.Fatalf("%s: no such step", verb)
	}
}

func (p *player) configure(t *testing.T, key, value string) {
	t.Helper()
	var err error
	switch key {
	case "heuristic":
		err = p.config.Heuristic.UnmarshalText([]byte(value))
	case "curated":
		p.config.Curated, err = strconv.ParseBool(value)
	case "cache":
		err = p.config.Cache.UnmarshalText([]byte(value))
	default:
		t.Fatalf("%s: no such key", key)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.table = newTable(t, p.config)
}

// restart makes the computation anew with what it kept. The flows are told again, with the tags they carry.
func (p *player) restart(t *testing.T) {
	t.Helper()
	var kept bytes.Buffer
	if err := p.c.Save(&kept); err != nil {
		t.Fatal(err)
	}
	old := p.table
	p.table = newTable(t, p.config)
	if err := p.c.Load(&kept); err != nil {
		t.Fatal(err)
	}
	for id := uint64(1); old.flows[id] != nil; id++ {
		p.hear(*old.flows[id])
	}
}

// fact reads "answer CLIENT NAME ADDRESS [TTL]", "reverse ADDRESS NAME", "lease ADDRESS MAC [NAME]",
// "neighbour ADDRESS MAC" or "host ADDRESS NAME PROTOCOL".
func (p *player) fact(t *testing.T, words []string) messages.Fact {
	t.Helper()
	f := messages.Fact{Time: p.now.UnixNano(), Source: "dns", TTL: 5 * time.Minute}
	optional := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	switch words[0] {
	case "answer":
		f.Kind, f.Client, f.Name = messages.FactAnswer, netip.MustParseAddr(words[1]), words[2]
		f.Addr = netip.MustParseAddr(words[3])
		if ttl := optional(4); ttl != "" {
			f.TTL = duration(t, ttl)
		}
	case "reverse":
		f.Kind, f.Addr, f.Name = messages.FactReverse, netip.MustParseAddr(words[1]), words[2]
	case "lease":
		f.Kind, f.Addr, f.Name = messages.FactLease, netip.MustParseAddr(words[1]), optional(3)
		f.MAC = hardware(t, words[2])
	case "neighbour":
		f.Kind, f.Addr, f.MAC = messages.FactNeighbour, netip.MustParseAddr(words[1]), hardware(t, words[2])
	case "host":
		f.Kind, f.Addr, f.Name, f.Source = messages.FactHost, netip.MustParseAddr(words[1]), words[2], words[3]
	}
	return f
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	var d units.Duration
	if err := d.UnmarshalText([]byte(s)); err != nil {
		t.Fatal(err)
	}
	return d.Duration
}

func hardware(t *testing.T, s string) (mac [6]byte) {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err != nil || len(b) != len(mac) {
		t.Fatalf("%s is no hardware address", s)
	}
	return [6]byte(b)
}

// flow reads "NUMBER CLIENT SERVER [behind=ADDRESS] [start=unknown] [column=value …]".
func (p *player) flow(t *testing.T, words []string) {
	t.Helper()
	id, err := strconv.ParseUint(words[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	var behind netip.Addr
	tags, unknown := words[3:], false
	for len(tags) > 0 {
		if a, ok := strings.CutPrefix(tags[0], "behind="); ok {
			behind = netip.MustParseAddr(a)
		} else if tags[0] == "start=unknown" {
			unknown = true
		} else {
			break
		}
		tags = tags[1:]
	}
	e := newFlow(id, p.now, 6, netip.MustParseAddrPort(words[1]), netip.MustParseAddrPort(words[2]), behind)
	if unknown {
		e.Start = 0
	}
	p.put(&e, parseTags(t, tags)...)
	p.hear(e)
}

// change reads "tags NUMBER column=value …" or "end NUMBER".
func (p *player) change(t *testing.T, words []string) {
	t.Helper()
	id, err := strconv.ParseUint(words[1], 10, 64)
	if err != nil || p.flows[id] == nil {
		t.Fatalf("%s: no such flow", words[1])
	}
	e := *p.flows[id]
	e.Change = messages.FlowChanged
	if words[0] == "end" {
		e.Change = messages.FlowEnded
	}
	p.put(&e, parseTags(t, words[2:])...)
	p.hear(e)
}

func parseTags(t *testing.T, words []string) (tags []columns.Tag) {
	t.Helper()
	for _, w := range words {
		column, value, _ := strings.Cut(w, "=")
		c, ok := columns.Lookup(column)
		if !ok {
			t.Fatalf("%s: no such column", column)
		}
		v, err := c.Parse(value)
		if err != nil {
			t.Fatal(err)
		}
		tags = append(tags, columns.Tag{Column: c, Value: v})
	}
	return tags
}
