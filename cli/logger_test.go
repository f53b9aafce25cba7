package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"weir/config"
)

// hostileNames are what a peer may call itself.
func hostileNames() []string {
	return []string{
		"www.example.org", "nas1\x00", "two\r\nlines", "\x1b[2J\x1b]0;title\a", "\u009b31m", "\x7f", "\xff\xc3",
		`\x1b`, `"`, "<script>", "gro.\u202eelpmaxe", "\u2066\u200f\u200b\ufeff\u2028\u2029", "\U000e0001",
		"日本語 😀", "a=b level=error",
		strings.Repeat("a", 64<<10), strings.Repeat("\x1b", 64<<10), strings.Repeat("\u202e", 64<<10),
	}
}

// TestHostileNamesInTheLog: nothing that a name holds acts in a terminal or begins a line of its own.
func TestHostileNamesInTheLog(t *testing.T) {
	for _, format := range []string{"human", "json"} {
		for _, name := range hostileNames() {
			var out bytes.Buffer
			app := App{Err: &out}
			log := app.logger(config.Log{Level: "info", Format: format})
			log.Info().Str("name", name).Strs("names", []string{name, "x"}).Err(errors.New("look up "+name)).
				Bytes("raw", []byte(name)).Any("any", map[string]string{name: name}).Msg("saw " + name)
			line, found := strings.CutSuffix(out.String(), "\n")
			if !found || !utf8.ValidString(line) {
				t.Errorf("%s: %.20q: not a whole line of UTF-8: %.200q", format, name, line)
			}
			for _, r := range line {
				if !unicode.IsPrint(r) {
					t.Errorf("%s: %.20q: %U came through: %.200q", format, name, r, line)
					break
				}
			}
			if format == "human" && len(line) > 8*longestLogged {
				t.Errorf("%.20q: a line of %d bytes", name, len(line))
			}
			if format == "json" {
				checkLoggedJSON(t, line, name)
			}
		}
	}
}

// checkLoggedJSON reads a line back: the name is still what it was.
func checkLoggedJSON(t *testing.T, line, name string) {
	t.Helper()
	var got struct {
		Name    string
		Names   []string
		Error   string
		Message string
	}
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Errorf("%.20q: %v", name, err)
		return
	}
	want := strings.ToValidUTF8(name, "\ufffd")
	if name == "\xff\xc3" {
		want = "\ufffd\ufffd"
	}
	if got.Name != want || got.Names[0] != want || got.Error != "look up "+want || got.Message != "saw "+want {
		t.Errorf("%.20q: %.200s", name, line)
	}
}

func TestLogToNobody(t *testing.T) {
	if n, err := (escapingWriter{failingWriter{}}).Write([]byte("{}\n")); err == nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("gone") }
