package eve

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sampleLines returns the lines of a file of testdata/lines.
func sampleLines(t testing.TB, name string) [][]byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
}

// sampleFiles returns the names of the files of testdata/lines.
func sampleFiles(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/lines/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no lines in testdata: %v", err)
	}
	return names
}

// samples returns all lines of testdata/lines.
func samples(t testing.TB) [][]byte {
	t.Helper()
	var all [][]byte
	for _, name := range sampleFiles(t) {
		all = append(all, sampleLines(t, name)...)
	}
	return all
}

// TestGolden compares what chosen lines become with what a human has read.
func TestGolden(t *testing.T) {
	for _, name := range sampleFiles(t) {
		base := strings.TrimSuffix(filepath.Base(name), ".json")
		t.Run(base, func(t *testing.T) {
			var got strings.Builder
			d := NewDecoder()
			var e Event
			for i, line := range sampleLines(t, name) {
				if err := d.Decode(line, &e); err != nil {
					t.Fatalf("line %d: %v", i+1, err)
				}
				fmt.Fprintf(&got, "# %d\n", i+1)
				dump(&got, "", reflect.ValueOf(e))
			}
			golden := filepath.Join("testdata", "golden", base+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("%s differs; got\n%s", golden, got.String())
			}
		})
	}
}

// TestSamplesOracle compares the decoder with encoding/json on the lines of testdata.
func TestSamplesOracle(t *testing.T) {
	d := NewDecoder()
	var e Event
	for i, line := range samples(t) {
		compare(t, d, &e, i+1, line)
	}
	if d.Odd != 0 {
		t.Errorf("%d odd values in real lines", d.Odd)
	}
}

// dump writes each field of v that is not zero.
func dump(b *strings.Builder, name string, v reflect.Value) {
	if v.IsZero() {
		return
	}
	switch value := v.Interface().(type) {
	case Object:
		fmt.Fprintf(b, "%s = %s\n", name, objects(value))
		return
	case fmt.Stringer:
		fmt.Fprintf(b, "%s = %s\n", name, value)
		return
	case [6]byte:
		fmt.Fprintf(b, "%s = % x\n", name, value)
		return
	case []Query:
		for i, q := range value {
			fmt.Fprintf(b, "%s[%d] = %q %s\n", name, i, q.Name, q.Type)
		}
		return
	case []Answer:
		for i, a := range value {
			fmt.Fprintf(b, "%s[%d] = %q %s %d s %q\n", name, i, a.Owner, a.Type, a.TTL, a.Data)
		}
		return
	case int64:
		fmt.Fprintf(b, "%s = %s\n", name, time.Unix(0, value).UTC().Format(time.RFC3339Nano))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			dump(b, strings.TrimPrefix(name+"."+v.Type().Field(i).Name, "."), v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			fmt.Fprintf(b, "%s[%d] = %q\n", name, i, fmt.Sprint(v.Index(i)))
		}
	case reflect.String:
		fmt.Fprintf(b, "%s = %q\n", name, v.String())
	default:
		fmt.Fprintf(b, "%s = %v\n", name, v.Interface())
	}
}

// objects names the objects of a set.
func objects(has Object) string {
	names := []string{
		"flow", "tcp", "dns", "http", "tls", "quic", "ssh", "smb", "rdp", "sip", "mqtt", "smtp", "dhcp", "arp",
		"alert", "ports", "proto", "icmp",
	}
	var all []string
	for i, name := range names {
		if has&(1<<i) != 0 {
			all = append(all, name)
		}
	}
	return strings.Join(all, " ")
}
