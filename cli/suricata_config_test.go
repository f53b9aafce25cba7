package cli

import (
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

var _ sources.Config = (*listener)(nil)
