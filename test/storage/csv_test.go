package storage_test

import (
	"encoding/csv"
	"os"
	"slices"
	"strconv"
	"testing"

	"weir/messages"
)

// sumCSV sums the counts of an exported file.
func sumCSV(t *testing.T, name string) (sum messages.Totals) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil || len(lines) == 0 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	for name, into := range map[string]*uint64{
		"up.bytes": &sum.Up.Bytes, "up.packets": &sum.Up.Packets, "down.bytes": &sum.Down.Bytes,
		"down.packets": &sum.Down.Packets,
	} {
		at := slices.Index(lines[0], name)
		if at < 0 {
			t.Fatalf("no column %s in %v", name, lines[0])
		}
		for _, line := range lines[1:] {
			n, err := strconv.ParseUint(line[at], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			*into += n
		}
	}
	return sum
}
