package translate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/sources/suricata/eve"
)

// line makes a line of EVE: seconds after noon, event_type, the ends as in "10.0.0.2:4000>192.0.2.1:443/TCP", and
// the rest of the object.
func line(seconds float64, typ, ends, rest string) string {
	var b strings.Builder
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
	fmt.Fprintf(&b, `{"timestamp":%q,"event_type":%q`, at.Format("2006-01-02T15:04:05.000000+0000"), typ)
	if ends != "" {
		src, dest, _ := strings.Cut(ends, ">")
		dest, proto, _ := strings.Cut(dest, "/")
		fmt.Fprintf(&b, `,"proto":%q`, proto)
		for side, end := range map[string]string{"src": src, "dest": dest} {
			addr, port, ok := strings.Cut(end, ":")
			if strings.HasPrefix(end, "[") {
				addr, port, ok = strings.Cut(end[1:], "]:")
			}
			fmt.Fprintf(&b, `,"%s_ip":%q`, side, addr)
			if ok {
				fmt.Fprintf(&b, `,"%s_port":%s`, side, port)
			}
		}
	}
	if rest != "" {
		b.WriteString("," + rest)
	}
	return b.String() + "}"
}

// feed decodes lines and translates them; each is received a millisecond after its own time.
func feed(t testing.TB, tr *Translator, w *sink, lines ...string) {
	t.Helper()
	d := eve.NewDecoder()
	var e eve.Event
	for _, l := range lines {
		if err := d.Decode([]byte(l), &e); err != nil {
			t.Fatalf("%v: %s", err, l)
		}
		if err := tr.Event(t.Context(), 1, &e, time.Unix(0, e.Time).Add(time.Millisecond), w); err != nil {
			t.Fatal(err)
		}
	}
}

// scene is lines and what becomes of them.
type scene struct {
	name  string
	lines []string
	want  []string
	// unused is how many lines are not used, by reason.
	unused map[Reason]uint64
}

func play(t *testing.T, o Options, scenes []scene) {
	t.Helper()
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			tr, w := New(o), &sink{}
			feed(t, tr, w, s.lines...)
			for i := range w.updates {
				checkUpdate(t, o, &w.updates[i], w.tags[i])
			}
			for i := range w.facts {
				checkFact(t, &w.facts[i])
			}
			if got, want := strings.Join(w.lines, "\n"), strings.Join(s.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			c := tr.Counts()
			sum := c.Used
			for r, n := range c.Unused {
				sum += n
				if want := s.unused[Reason(r)]; n != want {
					t.Errorf("%s: %d, want %d", Reason(r), n, want)
				}
			}
			if sum != uint64(len(s.lines)) {
				t.Errorf("%d of %d events are accounted for", sum, len(s.lines))
			}
		})
	}
}
