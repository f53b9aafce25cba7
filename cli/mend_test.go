package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/sources"
)

// lab is a machine with a switch, and a rule that only shows up as missing once the switch is on.
type lab struct {
	dir string
	// broken is a command in the middle that fails.
	broken bool
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{dir: t.TempDir()}
	if err := os.WriteFile(l.path("switch"), []byte("0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	look(t, l.findings)
	return l
}

func (l *lab) path(name string) string { return filepath.Join(l.dir, name) }

func (l *lab) content(name string) string {
	b, err := os.ReadFile(l.path(name))
	if err != nil {
		return "(none)"
	}
	return strings.TrimSpace(string(b))
}

func (l *lab) findings() []sources.Finding {
	on := sources.Finding{
		Level: sources.Broken, Subject: "switch", Text: "the switch is off", Cure: "echo 1 > switch",
		Changes: []sources.Change{{Kind: "write", Path: l.path("switch"), Old: "0\n", New: "1", Text: "switch it on"}},
	}
	if l.content("switch") == "1" {
		on = sources.Finding{Level: sources.Good, Subject: "switch", Text: "the switch is on"}
	}
	found := []sources.Finding{on}
	if on.Level == sources.Good && l.content("rule") == "(none)" {
		f := sources.Finding{
			Level: sources.Warning, Subject: "rule", Text: "there is no rule",
			Changes: []sources.Change{{
				Kind: "run", Do: []string{"touch", l.path("rule")}, Undo: []string{"rm", l.path("rule")},
				Text: "add a rule",
			}},
		}
		if l.broken {
			f.Changes[0].Do = []string{"false"}
		}
		found = append(found, f)
	}
	return append(found, sources.Finding{Level: sources.Notice, Subject: "weather", Text: "it rains"})
}

func TestCheck(t *testing.T) {
	l := newLab(t)
	term := newTerminal(t)
	term.run("check").want(t, 1, "x  switch: the switch is off\n     cure: echo 1 > switch\n", "i  weather: it rains",
		"i  daemon: no daemon answers", "'sudo weir setup' makes 1 of these changes")
	if err := os.WriteFile(l.path("switch"), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	term.run("check").want(t, 0, "ok switch: the switch is on", "!  rule: there is no rule")
}

func TestCheckAsksTheDaemon(t *testing.T) {
	term := newTerminal(t, "WEIR_SOCKET="+serve(t, newCore()))
	term.run("check").want(t, 0, "ok stub: all is well", "ok source stub: runs; 1,234,567 updates",
		"ok slices: 3 closed, the last one at 11:59:59")
	sick := newCore()
	sick.status.Sources[0].State, sick.status.Sources[0].Detail = sources.Degraded, "half of it is missing"
	sick.status.Slicer.LastClosed.End = now.Add(-60e9)
	newTerminal(t, "WEIR_SOCKET="+serve(t, sick)).run("check").want(t, 1,
		"!  source stub: delivers less than it should: half of it is missing", "x  slices: none has closed for 1m")
}

func TestCheckAsksTheDaemonOfTheConfiguration(t *testing.T) {
	socket := serve(t, newCore())
	term := newTerminal(t)
	term.run("check", "--set", "socket="+socket).want(t, 0, "ok source stub: runs")
	file := filepath.Join(t.TempDir(), "other.toml")
	if err := os.WriteFile(file, []byte("socket = '"+socket+"'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	term.environ = []string{"WEIR_DATA_DIR=" + t.TempDir()}
	term.run("check", "--config", file).want(t, 0, "ok source stub: runs")
	term.run("check", "--config", file, "--socket", "/does/not/exist").want(t, 0, "no socket /does/not/exist")
}

func TestCheckWithoutAnySource(t *testing.T) {
	newTerminal(t).run("check", "--set", "sources.stub.enabled=false").want(t, 1, "x  sources: no source is enabled")
}

func TestDoubt(t *testing.T) {
	machine := []sources.Finding{
		{Level: sources.Broken, Subject: "a", Text: "b"},
		{Level: sources.Warning, Subject: "c"},
	}
	if got := doubt(machine); has(got, sources.Broken) || !has(got, sources.Warning) ||
		got[0].Cure != "sudo weir check" {
		t.Errorf("%+v", got)
	}
	if isCounting([]sources.Finding{{Level: sources.Notice}}) || !isCounting([]sources.Finding{{Level: sources.Good}}) {
		t.Error("who does not answer does not count")
	}
}

func TestSetupAndUndo(t *testing.T) {
	l := newLab(t)
	term := newTerminal(t)
	term.run("setup", "--dry-run").want(t, 0, "switch it on\n  write "+l.path("switch")+`: "0" → "1"`)
	if l.content("switch") != "0" {
		t.Error("a dry run is wet")
	}
	term.run("setup").want(t, 0, "switch it on", "add a rule\n  run: touch", "'weir setup --undo' takes this back",
		"i  weather: it rains")
	if l.content("switch") != "1" || l.content("rule") != "" {
		t.Errorf("switch %s, rule %s", l.content("switch"), l.content("rule"))
	}
	term.run("setup").want(t, 0, "nothing to change")
	r := term.run("setup", "--undo")
	r.want(t, 0, "undo: add a rule", "undo: switch it on", "what 'weir setup' changed is undone")
	if strings.Index(r.out, "add a rule") > strings.Index(r.out, "switch it on") {
		t.Errorf("not in reverse order:\n%s", r.out)
	}
	if l.content("switch") != "0" || l.content("rule") != "(none)" {
		t.Errorf("switch %s, rule %s", l.content("switch"), l.content("rule"))
	}
	term.run("setup", "--undo").want(t, 0, "nothing to undo")
}

func TestSetupThatFailsInTheMiddleCanBeUndone(t *testing.T) {
	l := newLab(t)
	l.broken = true
	term := newTerminal(t)
	term.run("setup").want(t, 1, "switch it on", "run false", "'weir setup --undo' takes this back")
	if l.content("switch") != "1" {
		t.Error("the first change was not made")
	}
	term.run("setup", "--undo").want(t, 0, "nothing to undo", "is undone")
	if l.content("switch") != "0" {
		t.Error("the first change was not taken back")
	}
}

func TestConfigCommand(t *testing.T) {
	term := newTerminal(t, "WEIR_SLICE=30s", "WEIR_SLCIE=1s")
	r := term.run("config", "--set", "memory.flows=1GiB", "--socket", "/run/x.sock")
	r.want(t, 0, "slice = '30s'", "flows = '1GiB'", "socket = '/run/x.sock'", "# Length of a slice", "[sources.stub]",
		"weir: warning: environment WEIR_SLCIE: sets nothing; did you mean WEIR_SLICE?")
	if d := term.run("config", "--defaults"); !strings.Contains(d.out, "slice = '10s'") {
		t.Errorf("not the defaults:\n%s", d.out)
	}
	file := filepath.Join(t.TempDir(), "weir.toml")
	if err := os.WriteFile(file, []byte(r.out), 0o600); err != nil {
		t.Fatal(err)
	}
	term.run("config", "--check", file).want(t, 0, file+": ok")
	_, was, _ := strings.Cut(r.out, "slice =")
	if _, is, _ := strings.Cut(newTerminal(t).run("config", "--config", file).out, "slice ="); is != was || is == "" {
		t.Errorf("printed again it differs:\n%s", is)
	}
	if err := os.WriteFile(file, []byte("slcie = 1\nfoo = 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	term.run("config", "--check", file).want(t, 1,
		`weir: `+file+`: line 1, column 1: slcie: unknown key; did you mean "slice"?`+"\n",
		"weir: "+file+": line 2, column 1: foo:")
}
