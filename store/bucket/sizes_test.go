package bucket

import (
	"fmt"
	"os"
	"testing"

	"weir/internal/disk"
)

func TestSizes(t *testing.T) {
	path := os.Getenv("BUCKET_FILE")
	if path == "" {
		t.Skip()
	}
	f, err := Open(disk.OS{}, path)
	if err != nil {
		t.Fatal(err)
	}
	rows := float64(f.info.Rows)
	for i, fl := range f.index.fields {
		d, p, b, n := 0, 0, 0, 0
		enc := map[encoding]int{}
		for _, g := range f.index.groups {
			c := &g.chunks[i]
			d += c.dictionary.size
			b += c.bloom.size
			n += c.entries
			enc[c.encoding]++
			for _, pg := range c.pages {
				p += pg.size
			}
		}
		fmt.Printf("%-16s dict %.3f pages %.3f bloom %.3f entries %d %v\n", fl.name, float64(d)/rows, float64(p)/rows, float64(b)/rows, n, enc)
	}
	fmt.Printf("tail %.3f rows %d groups %d total %.3f\n", float64(f.size-f.tail)/rows, f.info.Rows, len(f.index.groups), float64(f.size)/rows)
}
