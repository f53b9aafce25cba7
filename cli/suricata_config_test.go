package cli

import (
	"strings"
	"testing"

	"weir/config"
	"weir/sources"
	"weir/sources/suricata/evelog"
)

// listener is a source that is told where to listen.
type listener struct {
	stub

	paths map[string]string
}

func (l *listener) Where(key string) string { return l.paths[key] }

func TestSuricataConfigFollowsTheConfiguration(t *testing.T) {
	stream := evelog.Options{Transport: evelog.Stream, Path: "/s"}
	both := map[string]string{"datagram": "/d", "file": "/f"}
	for _, c := range []struct {
		paths       map[string]string
		given, want evelog.Options
	}{
		{nil, evelog.Options{}, evelog.Options{}},
		{both, evelog.Options{}, evelog.Options{Transport: evelog.Datagram, Path: "/d"}},
		{both, evelog.Options{Transport: evelog.File}, evelog.Options{Transport: evelog.File, Path: "/f"}},
		{both, evelog.Options{Transport: evelog.Stream}, evelog.Options{Transport: evelog.Stream}},
		{both, evelog.Options{Path: "/x"}, evelog.Options{Transport: evelog.Datagram, Path: "/x"}},
		{map[string]string{"stream": "/s", "file": "/f"}, evelog.Options{}, stream},
	} {
		got := c.given
		configured(&config.Config{Sources: []config.Source{
			{Name: "stub", Config: &stub{}}, {Name: "listener", Config: &listener{paths: c.paths}},
		}}, &got)
		if got != c.want {
			t.Errorf("%v, %+v: got %+v, want %+v", c.paths, c.given, got, c.want)
		}
	}
}

func TestMajorOf(t *testing.T) {
	for text, want := range map[string]int{"8": 8, "8.0.7": 8, "7.0.0-dev": 7, "6.x": 6, "10.1": 10} {
		if got, err := majorOf(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"x", "-8", ".8", "8-dev", " 8"} {
		if got, err := majorOf(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

// tagger tells names and counts only if it is told to.
type tagger struct {
	listener

	by string
}

func (t *tagger) CountsBy() string { return t.by }

func TestNothingCounts(t *testing.T) {
	names := config.Source{Name: "names", Config: &tagger{listener: listener{stub: stub{On: true}}}}
	counts := config.Source{Name: "counts", Config: &tagger{listener: listener{stub: stub{On: true}}, by: "statistics"}}
	for _, c := range []struct {
		sources []config.Source
		want    int
	}{
		{[]config.Source{names}, 1},
		{[]config.Source{names, counts}, 0},
		{nil, 0},
		{[]config.Source{names, {Name: "off", Config: &stub{}}}, 1},
		{[]config.Source{names, {Name: "stub", Config: &stub{On: true}}}, 0},
	} {
		got := checkSources(t.Context(), &config.Config{Sources: c.sources})
		n := 0
		for _, f := range got {
			if f.Level == sources.Warning && strings.Contains(f.Text, "nothing counts: names") {
				n++
			}
		}
		if n != c.want {
			t.Errorf("%+v: %+v", c.sources, got)
		}
	}
	off := &config.Config{Sources: []config.Source{{Name: "names", Config: &listener{}}}}
	f := checkSources(t.Context(), off)
	if len(f) != 1 || !strings.HasPrefix(f[0].Cure, "set stream, datagram or file") {
		t.Errorf("%+v", f)
	}
}

func TestOwnSocketIsNoSource(t *testing.T) {
	l := &listener{stub: stub{On: true}, paths: map[string]string{"stream": "/run/weir/./weir.sock"}}
	c := &config.Config{Socket: "/run/weir/weir.sock", Sources: []config.Source{{Name: "suricata", Config: l}}}
	if f := checkSources(t.Context(), c); !has(f, sources.Broken) ||
		!strings.Contains(f[len(f)-1].Text, "sources.suricata.stream: /run/weir/./weir.sock is the socket") {
		t.Errorf("%+v", f)
	}
	c.Socket = "/run/weir/other.sock"
	if f := checkSources(t.Context(), c); has(f, sources.Broken) {
		t.Errorf("%+v", f)
	}
}

var _ sources.Config = (*listener)(nil)
