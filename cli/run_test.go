package cli

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/config"
	"weir/flows"
	"weir/messages"
	"weir/sources/recording"
)

// process is a daemon that a test runs.
type process struct {
	signals chan os.Signal
	ended   chan error
	socket  string
	log     *buffer
	app     *App
}

func startDaemon(t *testing.T, set ...string) *process {
	t.Helper()
	p := &process{
		signals: make(chan os.Signal, 2), ended: make(chan error, 1), socket: filepath.Join(t.TempDir(), "s"),
		log: &buffer{},
	}
	p.app = &App{Out: &buffer{}, Err: p.log, Now: time.Now}
	file := filepath.Join(t.TempDir(), "weir.toml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	set = append([]string{"socket=" + p.socket, "slice=1s", "memory.retention=1m"}, set...)
	l, err := config.Load(config.Options{File: file, Set: set})
	if err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.app.run(context.Background(), l, p.signals) }()
	eventually(t, "the daemon runs", func() bool {
		select {
		case err := <-p.ended:
			t.Fatalf("it ended: %v\n%s", err, p.log)
		default:
		}
		return strings.Contains(p.log.String(), "weir counts")
	})
	return p
}

func (p *process) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
		return nil
	}
}

func TestRunAnswersAndEnds(t *testing.T) {
	p := startDaemon(t)
	term := newTerminal(t, "WEIR_SOCKET="+p.socket)
	term.clock = time.Now
	term.run("status", "-v").want(t, 0, "source stub: running", "source/stub  running")
	term.run("query").want(t, 0)
	term.run("run").want(t, 1, "another weir answers there already")
	eventually(t, "a slice has closed", func() bool {
		st, err := (&App{socket: p.socket}).fetchStatus(t.Context())
		return err == nil && st.Slicer.Closed > 0
	})
	p.signals <- syscall.SIGTERM
	if err := p.wait(t); err != nil {
		t.Errorf("it ended with %v\n%s", err, p.log)
	}
	for _, text := range []string{`"sources":["stub"]`, `"signal":"terminated"`, `"message":"ended"`} {
		if !strings.Contains(p.log.String(), text) {
			t.Errorf("%s is missing in\n%s", text, p.log)
		}
	}
	term.run("query").want(t, 1, "no daemon answers")
}

func TestRunWithAComputation(t *testing.T) {
	dir := t.TempDir()
	p := startDaemon(t, "computations.guess.enabled=true", "data_dir="+dir)
	term := newTerminal(t, "WEIR_SOCKET="+p.socket)
	term.clock = time.Now
	term.run("status", "-v").want(t, 0, "computation guess: running", "guesses_total", "computation/guess  running")
	term.run("check").want(t, 0, "computation guess: runs")
	p.signals <- syscall.SIGTERM
	if err := p.wait(t); err != nil {
		t.Errorf("ended: %v", err)
	}
	state, err := os.ReadFile(filepath.Join(dir, "computations", "guess.state"))
	if !strings.HasSuffix(string(state), "word") {
		t.Errorf("kept %q: %v", state, err)
	}
	if !strings.Contains(p.log.String(), `"computations":["guess"]`) {
		t.Errorf("log %s", p.log)
	}
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	p := startDaemon(t, "sources.stub.stubborn=true")
	p.signals <- syscall.SIGINT
	eventually(t, "the first signal is taken", func() bool {
		return strings.Contains(p.log.String(),
			"a second signal")
	})
	// The same wish, told twice as timeout(1) does.
	p.signals <- syscall.SIGINT
	select {
	case err := <-p.ended:
		t.Fatalf("ended at once: %v", err)
	case <-time.After(sameSignal):
	}
	p.signals <- syscall.SIGINT
	if err := p.wait(t); !errors.Is(err, errForced) {
		t.Errorf("it ended with %v", err)
	}
	close(released)
	eventually(t, "the drain has ended", func() bool { return strings.Contains(p.log.String(), `"message":"ended"`) })
}

func TestRunTellsTheServiceManager(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "30000")
	p := startDaemon(t)
	told := map[string]bool{}
	next := func() {
		buf := make([]byte, 100)
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		told[string(buf[:n])] = true
	}
	for !told["READY=1"] || !told["WATCHDOG=1"] {
		next()
	}
	p.signals <- syscall.SIGTERM
	for !told["STOPPING=1"] {
		next()
	}
	if err := p.wait(t); err != nil {
		t.Error(err)
	}
}

func TestRunOnTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	p := startDaemon(t, "api.listen="+address)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	const request = "GET /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	if _, err := c.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.Contains(line, "200 OK") {
		t.Errorf("%q %v", line, err)
	}
	c.Close()
	p.signals <- syscall.SIGTERM
	if err := p.wait(t); err != nil {
		t.Error(err)
	}
}

func TestLimitMemory(t *testing.T) {
	l, err := config.Load(config.Options{File: os.DevNull})
	if err != nil {
		t.Fatal(err)
	}
	if memoryLimit(l.Config, "") != l.MemoryLimit() || memoryLimit(l.Config, "100MiB") != -1 {
		t.Error("the limit follows from the budgets unless the user has set one")
	}
}

func TestRecordCommand(t *testing.T) {
	c := newCore()
	term := newTerminal(t, "WEIR_SOCKET="+serve(t, c))
	file := filepath.Join(t.TempDir(), "r.weir")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for range 3 {
			c.batches <- &messages.Batch{Source: "stub", Updates: make([]messages.Update, 2)}
		}
		for {
			if info, err := os.Stat(file); err == nil && info.Size() > 100 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	term.runContext(ctx, "record", file).want(t, 0, "weir: recorded ")
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := recording.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var b messages.Batch
	if _, err := r.Next(&b); err != nil || len(b.Updates) != 2 {
		t.Errorf("%+v %v", b, err)
	}
	term.run("record", "--for", "50ms", "-").want(t, 0, "weir recording 1\n", "recorded 0 updates")
	term.run("record", "--for", "50ms", filepath.Join(t.TempDir(), "no", "such")).want(t, 1, "create recording")
}

func TestHomeFinder(t *testing.T) {
	prefix := netip.MustParsePrefix
	f := homeFinder{
		find: func() (*flows.Home, error) {
			return flows.NewHome([]netip.Prefix{prefix("192.168.1.0/24")},
				[]netip.Addr{netip.MustParseAddr("192.168.1.1")}), nil
		},
		network: func(name string) ([]netip.Prefix, error) {
			if name != "br0" {
				return nil, errors.New("no " + name)
			}
			return []netip.Prefix{prefix("10.1.0.1/16")}, nil
		},
	}
	for _, c := range []struct {
		config  config.Home
		want    string
		missing int
	}{
		{config.Home{"auto"}, "192.168.1.0/24", 0},
		{config.Home{"10.0.0.0/8"}, "10.0.0.0/8", 0},
		{config.Home{"auto", "2001:db8::1"}, "192.168.1.0/24 2001:db8::1/128", 0},
		{config.Home{"br0", "eth9"}, "10.1.0.0/16", 1},
	} {
		home, missing, err := f.resolve(c.config)
		if err != nil || len(missing) != c.missing || strings.Join(texts(home.Prefixes()), " ") != c.want {
			t.Errorf("%v: %v %v %v", c.config, home, missing, err)
		}
		if len(home.Router()) != 1 {
			t.Errorf("%v: router %v", c.config, home.Router())
		}
	}
}

func TestHomeWatcher(t *testing.T) {
	var log buffer
	now := flows.NewHome([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, nil)
	next := now
	var fail error
	set := make(chan *flows.Home, 1)
	w := &homeWatcher{
		finder: homeFinder{find: func() (*flows.Home, error) { return next, fail }}, config: config.Home{config.Auto},
		log: zerolog.New(&log), set: func(h *flows.Home) { set <- h }, now: now,
	}
	w.look()
	if len(set) != 0 {
		t.Error("told though nothing has changed")
	}
	next = flows.NewHome([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/9")}, nil)
	w.look()
	if got := <-set; got != next {
		t.Errorf("told %v", got)
	}
	fail = errors.New("no netlink today")
	w.look()
	w.look()
	if n := strings.Count(log.String(), "no netlink today"); n != 1 {
		t.Errorf("complained %d times\n%s", n, log.String())
	}
	ctx, cancel := context.WithCancel(t.Context())
	tick, ended := make(chan time.Time), make(chan struct{})
	go func() { defer close(ended); w.watch(ctx, tick) }()
	fail, next = nil, now
	tick <- time.Time{}
	<-set
	cancel()
	<-ended
}

func TestConsoleEscapes(t *testing.T) {
	var out buffer
	a := &App{Err: &out}
	log := a.logger(config.Log{Level: "info", Format: "human"})
	log.Info().Str("field", "a\x1b[31mb").Msg("message \x1b[31m\x07")
	log.Debug().Msg("not shown")
	if s := out.String(); strings.ContainsAny(s, "\x1b\x07") || !strings.Contains(s, `message \x1b[31m\a`) ||
		strings.Contains(s, "not shown") {
		t.Errorf("%q", s)
	}
}
