package eve

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"
)

// FuzzDecode feeds the decoder with anything: it never panics, keeps its bounds, decodes only what is JSON, and
// what is JSON and not too deep it decodes.
func FuzzDecode(f *testing.F) {
	for _, line := range samples(f) {
		if len(line) < 3000 {
			f.Add(line)
		}
	}
	for _, path := range paths() {
		f.Add([]byte(nest(path, `[null,{},"x",-1.5e7]`)))
	}
	d := NewDecoder()
	f.Fuzz(func(t *testing.T, line []byte) {
		var e Event
		err := d.Decode(line, &e)
		valid := json.Valid(line) && bytes.HasPrefix(bytes.TrimLeft(line, " \t\r\n"), []byte("{"))
		if (err == nil) != valid && !errors.Is(err, ErrDeep) {
			t.Errorf("%q: %v", line, err)
		}
		if err == nil {
			checkBounds(t, &e)
			compareFuzzed(t, line, e)
		}
	})
}

// checkBounds checks that an event holds no more than it may.
func checkBounds(t *testing.T, e *Event) {
	t.Helper()
	if len(e.VLANs) > maxVLANs || len(e.TLS.ALPNs) > maxALPNs || len(e.TLS.SANs) > maxRecords ||
		len(e.DNS.Queries) > maxRecords || len(e.DNS.Answers) > maxRecords || len(e.DNS.Grouped) > maxRecords {
		t.Error("a list is too long")
	}
	for _, s := range []string{e.Type, e.Iface, e.AppProto, e.PktSrc, e.Direction, e.Flow.State, e.DNS.Rcode} {
		if len(s) > maxWord {
			t.Errorf("%d bytes", len(s))
		}
	}
	for _, a := range e.DNS.Answers {
		if len(a.Owner) > maxName || len(a.Type) > maxWord || len(a.Data) > maxName {
			t.Errorf("%d, %d and %d bytes", len(a.Owner), len(a.Type), len(a.Data))
		}
	}
	if e.Src.Is4In6() || e.Dest.Zone() != "" || len(e.HTTP.URL) > maxURL || len(e.TLS.Subject) > maxSubject {
		t.Error("an address or a text is not what is promised")
	}
}

// compareFuzzed compares some fields with encoding/json, if both read the text in the same way.
func compareFuzzed(t *testing.T, line []byte, e Event) {
	t.Helper()
	var m map[string]any
	if !utf8.Valid(line) || bytes.Contains(line, []byte(`\u`)) || json.Unmarshal(line, &m) != nil {
		return
	}
	o := value{m}
	if want := o.get("event_type").text(maxWord); e.Type != want {
		t.Errorf("%q: type %q, want %q", line, e.Type, want)
	}
	if want := o.get("http").get("url").text(maxURL); e.HTTP.URL != want && !o.get("http2").has() {
		t.Errorf("%q: URL %q, want %q", line, e.HTTP.URL, want)
	}
	if want := o.get("tls").get("sni").text(maxName); e.TLS.SNI != want {
		t.Errorf("%q: SNI %q, want %q", line, e.TLS.SNI, want)
	}
	if want := o.get("src_ip").addr().WithZone(""); e.Src != want {
		t.Errorf("%q: source %s, want %s", line, e.Src, want)
	}
}

// FuzzLines feeds the recovery with anything: the pieces add up, and an event set behind it is always found.
func FuzzLines(f *testing.F) {
	lines := samples(f)
	for i, line := range lines[:40] {
		if len(line) < 2000 {
			f.Add(line[:len(line)*i/40])
			f.Add(append(line[:len(line)*i/40:len(line)*i/40], lines[i+1]...))
			f.Add(append(line[:len(line):len(line)], lines[i+1][:50]...))
		}
	}
	f.Add([]byte("@cee: " + eventA + eventB + cutA + "\r"))
	f.Fuzz(func(t *testing.T, line []byte) {
		l := NewLines()
		events := uint64(0)
		l.Line(line, func(e *Event) {
			events++
			checkBounds(t, e)
		})
		c := l.Counts()
		pieces := c.Events + c.NoType + c.Glued + c.BadJSON + c.TooDeep
		if c.Events != events || c.Lines != 1 || c.Blank+pieces == 0 || c.Blank*pieces != 0 {
			t.Errorf("%q: %+v, %d events", line, c, events)
		}
		found := false
		l.Line(append(line[:len(line):len(line)], eventB...), func(e *Event) {
			found = e.Type == "b" && e.Time != 0
		})
		if !found {
			t.Errorf("%q: nothing found behind it", line)
		}
	})
}

// FuzzParse compares the readers of times and addresses with those of the standard library.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"2026-11-22T21:09:28.643083+0000", "1.2.3.4", "2001:0db8:0000:0000:0000:0000:0000:01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, ok := parseTime([]byte(s)); ok {
			want, err := parseSlow(s)
			if err == nil && got != want.UnixNano() {
				t.Errorf("%q: %d, want %d", s, got, want.UnixNano())
			}
		}
		if a, ok := parseAddr([]byte(s)); len(s) <= maxAddr {
			if want := (value{s}).addr().WithZone(""); a != want || ok != want.IsValid() {
				t.Errorf("%q: %s, want %s", s, a, want)
			}
		}
		if m, ok := parseMAC([]byte(s)); ok && m != (value{s}).mac() {
			t.Errorf("%q: % x", s, m)
		}
	})
}
