package cli

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/actors"
	"weir/sources"
)

func TestExitCodes(t *testing.T) {
	term := newTerminal(t)
	for _, c := range []struct {
		args string
		code int
		text string
	}{
		{"", 0, "Available Commands"},
		{"help query", 0, "remote.port = 443"},
		{"version", 0, "sources   stub"},
		{"columns", 0, "local.ip"},
		{"config", 0, "slice = '10s'"},
		{"queri", 2, `unknown command "queri"; did you mean "query"?`},
		{"version now", 2, `unexpected argument "now"`},
		{"query --bogus", 2, "unknown flag: --bogus"},
		{"query --last ten", 2, "not a duration"},
		{"query --output xml", 2, "--output is one of table, json, csv"},
		{"status --output csv", 2, `"table" or "json"`},
		{"setup --undo --dry-run", 2, "do not go together"},
		{"record", 2, "name one file"},
		{"record --for ever x", 2, "--for"},
		{"config --check x --defaults", 2, "goes with no other flag"},
		{"suricata-config --for 8", 0, "filename: /run/weir/eve.sock\n"},
		{"suricata-config", 2, "name Suricata's version"},
		{"suricata-config --for 5", 2, "unknown version of Suricata: 5; known are 6, 7 and 8"},
		{"suricata-config --for 8-0", 2, `"8-0" is no version of Suricata`},
		{"suricata-config --for 8 --transport tcp", 2, `unknown transport "tcp": it is stream, datagram or file`},
		{"suricata-config --for 8 --path eve.sock", 2, `"eve.sock" is not an absolute path`},
		{"suricata-config 8", 2, `unexpected argument "8"`},
		{"config --set slcie=1s", 1, `did you mean "slice"?`},
		{"config --set sources.suricata.x=1", 1, "build with the tag sources_suricata"},
		{"run --config /does/not/exist", 1, "/does/not/exist"},
		{"run --slice 7s", 1, "--set: slice: 7s does not divide a day"},
		{"run --set sources.stub.enabled=false", 1, "no source is enabled"},
		{"query", 1, "no daemon answers"},
		{"status", 1, "no daemon answers"},
		{"record x", 1, "no daemon answers"},
	} {
		r := term.run(strings.Fields(c.args)...)
		r.want(t, c.code, c.text)
		if c.code == 2 && !strings.Contains(r.err, "--help' for usage") {
			t.Errorf("%s: no hint at the help\n%s", c.args, r.err)
		}
	}
}

func TestQueryTable(t *testing.T) {
	c := newCore()
	c.fill(t)
	r := newTerminal(t, "WEIR_SOCKET="+serve(t, c)).run("query", "local.ip", "=", "192.0.2.0/24", "--by", "local.ip")
	r.want(t, 0, "192.0.2.2  20020")
	if strings.Contains(r.out, "\x1b") || strings.Contains(r.out, "KiB") || !strings.Contains(r.err, "slices of 10s") {
		t.Errorf("not for a program:\n%s%s", r.out, r.err)
	}
}

func TestQueryOutputs(t *testing.T) {
	c := newCore()
	c.fill(t)
	term := newTerminal(t, "WEIR_SOCKET="+serve(t, c))
	term.run("query", "--by", "local.ip", "-o", "json").want(t, 0, `["192.0.2.2",20020,20,20000,6,2,4,1]`, `"exact":`)
	term.run("query", "--by", "none", "-o", "csv").want(t, 0, "bytes,bytes.up", "20130,30,20100,10,3,7,2")
	term.run("query", "--by", "local.ip", "--top", "1", "-o", "csv").want(t, 0, "(other)", "110")
	term.run("query", "--from", "11:00", "--to", "11:58", "--by", "local.ip").want(t, 0, "no rows")
}

func TestQueryMistakes(t *testing.T) {
	term := newTerminal(t, "WEIR_SOCKET="+serve(t, newCore()))
	term.run("query", "local.ip = 192.0.2.1 and locl.ip = 1").want(t, 2,
		"  local.ip = 192.0.2.1 and locl.ip = 1\n  "+strings.Repeat(" ", 25)+"^\n", `there is no column "locl.ip"`,
		"local.ip")
	r := term.run("query", "\x1b[31m = 1")
	r.want(t, 2, `  \x1b[31m = 1`)
	if strings.Contains(r.out+r.err, "\x1b") {
		t.Errorf("an escape went through: %q", r.err)
	}
	term.run("query", "--by", "nothing").want(t, 2, "there is no column")
}

func TestEmptyAnswersSayWhy(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*actors.Status)
		want   string
	}{
		"down": {func(s *actors.Status) {
			s.Actors[1].State, s.Actors[1].Failures, s.Actors[1].LastError = "backing-off", 4, "no \x1b luck"
		}, `source stub: failed 4 times and waits to be started again: no \x1b luck`},
		"degraded": {func(s *actors.Status) {
			s.Sources[0].State, s.Sources[0].Detail = sources.Degraded, "accounting is off"
		}, "source stub: delivers less than it should: accounting is off"},
		"starting": {func(s *actors.Status) {
			s.Sources[0].Ready = false
			s.Slicer.Closed = 0
		}, "source stub: is still starting"},
		"early": {func(s *actors.Status) {
			s.Slicer.Closed = 0
		}, "slices: no slice has closed yet; the first will at 12:00:09"},
		"stuck": {func(s *actors.Status) {
			s.Slicer.Closed, s.Slicer.LastClosed.End = 0, now
			s.Slicer.ClockUnset = true
		}, "slices: the clock of this machine has not been set yet"},
		"none":  {func(s *actors.Status) { s.Sources = nil; s.Slicer.Closed = 0 }, "daemon: runs without any source"},
		"other": {func(*actors.Status) {}, "no slice of this range is held"},
	} {
		core := newCore()
		c.change(&core.status)
		r := newTerminal(t, "WEIR_SOCKET="+serve(t, core)).run("query")
		r.want(t, 0, "weir: no rows: "+c.want, "'sudo weir check' looks for causes")
		if strings.Contains(r.err, "\x1b") {
			t.Errorf("%s: an escape went through", name)
		}
	}
}

func TestEmptyForTheFilter(t *testing.T) {
	c := newCore()
	c.fill(t)
	newTerminal(t, "WEIR_SOCKET="+serve(t, c)).run("query", "local.ip = 203.0.113.1").want(t, 0,
		"nothing in this range passes the filter")
}

func TestStatus(t *testing.T) {
	c := newCore()
	c.status.Sources[0].Detail = "says \x1b]0;pwned\a\u202e"
	c.status.Sources[0].Metrics = []actors.MetricStatus{{Name: "events_total", Help: "how many", Value: 1e6}}
	c.status.Actors[1].Failures, c.status.Actors[1].LastError, c.status.Actors[1].LastFailure = 2, "panic:\nboom", now
	c.status.Slicer.Late, c.status.Slicer.ClockJumps, c.status.Draining = 3, 1, true
	term := newTerminal(t, "WEIR_SOCKET="+serve(t, c))
	r := term.run("status")
	r.want(t, 0, "running since 11:00:00 (1h), about to end", "3; 0 incomplete", "1,234,567 updates",
		"2 KiB of 64 MiB", "1,000,000  how many",
		`source/stub  running  11:00:00         2  12:00:00 panic:\nboom`, "late          3 times",
		`\x1b]0;pwned\a\u202e`)
	if strings.ContainsAny(r.out, "\x1b\a\u202e") {
		t.Errorf("an escape went through: %q", r.out)
	}
	term.run("status", "--output", "json").want(t, 0, `"closed_total":3`)
}

// What is 0 is shown on request only, a half-sentence once, and each trouble of a source on a line of its own.
func TestStatusIsShort(t *testing.T) {
	c := newCore()
	c.status.Sources[0].State, c.status.Sources[0].Detail = sources.Degraded, "one trouble; another one"
	c.status.Sources[0].Metrics = []actors.MetricStatus{
		{Name: "unused_events_because_of_something_long_total", Help: "by reason", Value: 1},
		{Name: "unused_events_total", Help: "by reason", Value: 22},
		{Name: "zero_total", Help: "nothing"},
	}
	c.status.Shards[0].Flows.TagsUnclaimed, c.status.Shards[0].Flows.TagsRefused = 2000, 7
	term := newTerminal(t, "WEIR_SOCKET="+serve(t, c))
	r := term.run("status")
	r.want(t, 0, "stub: degraded\n  one trouble\n  another one\n",
		"\n  unused_events_because_of_something_long_total               1  by reason\n"+
			"  unused_events_total                                        22\n",
		"tags_unclaimed_total           2,000", "tags_refused_total                 7", "2 actors run and never failed")
	for _, text := range []string{"zero_total", "source/stub", "dead letters", "dropped for want"} {
		if strings.Contains(r.out, text) {
			t.Errorf("%q is shown in\n%s", text, r.out)
		}
	}
	term.run("status", "--verbose").want(t, 0, "zero_total", "source/stub", "dropped for want")
}

func TestDiagnoseTags(t *testing.T) {
	for _, c := range []struct {
		sent      float64
		unclaimed uint64
		want      string
	}{
		{6039, 6000, "6,000 of 6,039 tags, such as names, found no flow"},
		{13000, 6000, ""},
		{99, 99, ""},
		{10, 500, "500 tags"},
	} {
		st := newCore().status
		st.Sources[0].Metrics = []actors.MetricStatus{{Name: "tags_total", Value: c.sent}}
		st.Shards[0].Flows.TagsUnclaimed = c.unclaimed
		if got := reason(diagnose(&st, now)); got == "" != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestStatusOfComputations(t *testing.T) {
	c := newCore()
	c.status.Computations = []actors.ComputationStatus{
		{
			Name: "bad\x1b[2J", Running: true, Fresh: true, Flows: 12, Events: 34, Facts: 56, Waiting: 7, Queued: 89,
			Updates: 9, Settled: 3, Late: 2, LastSettle: 0.25, FactsDropped: 11, Files: 2, FileErrors: 5,
			StateFailures: 4, Metrics: []actors.MetricStatus{{Name: "names_total", Help: "names", Value: 17}},
		},
		{Name: "busy", Running: true},
		{Name: "down"},
	}
	term := newTerminal(t, "WEIR_SOCKET="+serve(t, c))
	r := term.run("status")
	r.want(t, 0, "12 flows in view; 34 events and 56 facts taken, 7 messages wait, 89 events and facts wait in shards",
		"9 updates made; settled 3 slices, the last one in 250ms, late for 2", "no room for 0 events, 11 facts",
		"2 files read, 5 errors", "could not be saved or loaded 4 times", "names_total", "busy: busy: old numbers",
		"down: not running")
	if strings.Contains(r.out, "\x1b[2J") {
		t.Error("a name reaches the terminal as it is")
	}
}

func TestDiagnoseComputation(t *testing.T) {
	st := newCore().status
	st.Actors = append(st.Actors, actors.ActorStatus{Name: "computation/c", State: "running"})
	for _, c := range []struct {
		status actors.ComputationStatus
		state  string
		level  sources.Level
		text   string
	}{
		{actors.ComputationStatus{Running: true, Updates: 4}, "running", sources.Good, "4 updates"},
		{actors.ComputationStatus{Running: true, Late: 1, Settled: 9}, "running", sources.Notice, "for 1 of 10 slices"},
		{actors.ComputationStatus{Running: true, FileErrors: 5}, "running", sources.Notice, "in its lists, 5 times"},
		{actors.ComputationStatus{}, "starting", sources.Warning, "does not run yet"},
		{actors.ComputationStatus{}, "backing-off", sources.Warning, "tags are missing meanwhile"},
	} {
		c.status.Name = "c"
		st.Actors[len(st.Actors)-1].State = c.state
		f := diagnoseComputation(&st, &c.status)
		if f.Level != c.level || !strings.Contains(f.Text, c.text) {
			t.Errorf("%+v: %+v", c.status, f)
		}
	}
}

func TestUnreachable(t *testing.T) {
	dir := t.TempDir()
	file, dead := filepath.Join(dir, "file"), filepath.Join(dir, "dead")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", dead)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	term := newTerminal(t)
	term.run("query", "--socket", filepath.Join(dir, "none")).want(t, 1, "there is no socket "+dir, "sudo weir run",
		"WEIR_SOCKET")
	term.run("query", "--socket", file).want(t, 1, file+" is not the socket of a daemon")
	term.run("query", "--socket", dead).want(t, 1, "is gone", "sudo weir run")
}

func TestNotPermitted(t *testing.T) {
	c := &client{socket: filepath.Join(t.TempDir(), "s")}
	l, err := net.Listen("unix", c.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	denied := &net.OpError{Op: "dial", Err: syscall.EACCES}
	for mode, want := range map[os.FileMode]string{0o600: "socket_group", 0o660: "join the group"} {
		if os.Geteuid() == 0 {
			if err := os.Lchown(c.socket, 0, 65534); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(c.socket, mode); err != nil {
			t.Fatal(err)
		}
		err := c.explain(t.Context(), denied)
		var u *unreachable
		if !errors.As(err, &u) || !strings.Contains(u.cure, "sudo weir") ||
			!strings.Contains(err.Error(), "may not connect") {
			t.Errorf("%o: %v", mode, err)
		}
		if os.Geteuid() == 0 && !strings.Contains(u.cure, want) {
			t.Errorf("%o: %q does not say %q", mode, u.cure, want)
		}
	}
}

func TestSocketOfTheConfiguration(t *testing.T) {
	socket := serve(t, newCore())
	file := filepath.Join(t.TempDir(), "weir.toml")
	if err := os.WriteFile(file, []byte("socket = '"+socket+"'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := App{Environ: []string{"WEIR_CONFIG=" + file}}
	if got := a.socketPath(); got != socket {
		t.Errorf("got %s, want %s", got, socket)
	}
	a.Environ = append(a.Environ, "WEIR_SOCKET=/from/environment")
	if got := a.socketPath(); got != "/from/environment" {
		t.Errorf("got %s", got)
	}
	a.socket = "/from/flag"
	if got := a.socketPath(); got != "/from/flag" {
		t.Errorf("got %s", got)
	}
}

func TestDiagnoseData(t *testing.T) {
	st := newCore().status
	if why := reason(diagnose(&st, now)); why != "" {
		t.Errorf("a healthy daemon is blamed: %s", why)
	}
	st.Tiers[0].Rows = 0
	if why := reason(diagnose(&st, now)); !strings.Contains(why, "no flow has been seen") {
		t.Errorf("got %s", why)
	}
	st.Shards[0].Flows.Live = 5
	if why := reason(diagnose(&st, now)); !strings.Contains(why, "5 flows are known") {
		t.Errorf("got %s", why)
	}
	if why := reason(diagnose(&st, now.Add(time.Minute))); !strings.Contains(why, "none has closed for 1m1s") {
		t.Errorf("got %s", why)
	}
	st.Actors[0].Failures = 2
	if !has(diagnose(&st, now), sources.Notice) {
		t.Error("a failure is not told")
	}
}
