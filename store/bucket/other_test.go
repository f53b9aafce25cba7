package bucket_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"

	"weir/columns"
	"weir/internal/disk"
	"weir/messages"
	"weir/store"
	"weir/store/storetest"
)

// sample writes some slices to a file and sums, by name and by start, what other readers must find.
func sample(t *testing.T, dir string, rows int) (path string, sums map[string]map[string]uint64) {
	t.Helper()
	m := storetest.NewMaker(11)
	name, _ := columns.Lookup("remote.name")
	mac, _ := columns.Lookup("local.mac")
	port, _ := columns.Lookup("remote.port")
	sums = map[string]map[string]uint64{"remote.name": {}, "local.mac": {}, "start": {}, "remote.port": {}}
	var all []*messages.Slice
	for range 8 {
		s := m.Slice(rows)
		all = append(all, s)
		_, b := blocksOf(t, s)
		for i := range b.Rows {
			moved := b.Measures[store.DownBytes].At(i) >> 12
			for by, c := range map[string]*columns.Column{"remote.name": name, "local.mac": mac, "remote.port": port} {
				text := ""
				if cells := b.Find(c); cells != nil && cells.IDs.At(i) != 0 {
					text = c.Format(cells.Dict.At(int(cells.IDs.At(i))))
				}
				sums[by][text] += moved
			}
			sums["start"][fmt.Sprint(s.Span.Start.UnixNano())] += moved
		}
	}
	path = filepath.Join(dir, "sample.parquet")
	write(t, disk.OS{}, path, all)
	return path, sums
}

// TestLibraryReads: the library's own reader finds the same rows.
func TestLibraryReads(t *testing.T) {
	path, sums := sample(t, t.TempDir(), 12_000)
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(in, st.Size())
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, path := range f.Schema().Columns() {
		at[path[0]] = i
	}
	got := map[string]map[string]uint64{"remote.name": {}, "local.mac": {}, "start": {}, "remote.port": {}}
	row := make([]parquet.Row, 1)
	for _, g := range f.RowGroups() {
		rows := g.Rows()
		for {
			n, err := rows.ReadRows(row)
			if n == 1 {
				moved := row[0][at["bytes.down"]].Uint64() >> 12
				for by := range got {
					text := ""
					if v := row[0][at[by]]; !v.IsNull() {
						text = v.String()
					}
					got[by][text] += moved
				}
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		rows.Close()
	}
	compareSums(t, sums, got)
	for _, key := range []string{"weir.columns", "weir.tier", "weir.from"} {
		if v, ok := f.Lookup(key); !ok || v == "" {
			t.Errorf("no %s in the metadata", key)
		}
	}
}

func compareSums(t *testing.T, want, got map[string]map[string]uint64) {
	t.Helper()
	for by := range want {
		if len(want[by]) != len(got[by]) {
			t.Errorf("by %s: want %d groups, got %d", by, len(want[by]), len(got[by]))
		}
		for k, v := range want[by] {
			if got[by][k] != v {
				t.Errorf("by %s: %q: want %d, got %d", by, k, v, got[by][k])
				break
			}
		}
	}
}

// script asks DuckDB for the same sums. It is run in a folder with the package @duckdb/node-api.
const script = `
const { DuckDBInstance } = require('@duckdb/node-api');
(async () => {
  const c = await (await DuckDBInstance.create()).connect();
  const out = {};
  for (const by of ['remote.name', 'local.mac', 'remote.port', 'start']) {
    const key = by === 'start' ? 'epoch_ns("start")' : '"' + by + '"';
    const r = await c.runAndReadAll('select cast(' + key + ' as varchar) k, ' +
      'cast(sum("bytes.down" // 4096) as varchar) s from read_parquet(\'' + process.argv[2] + '\') group by 1');
    out[by] = {};
    for (const [k, s] of r.getRows()) out[by][k === null ? '' : k] = s;
  }
  const one = await c.runAndReadAll('select count(*) from read_parquet(\'' + process.argv[2] +
    '\') where "remote.name" = (select min("remote.name") from read_parquet(\'' + process.argv[2] + '\'))');
  out.one = { count: String(one.getRows()[0][0]) };
  console.log(JSON.stringify(out));
})().catch(e => { console.error(e); process.exit(1); });
`

// TestDuckDBReads: DuckDB sums the same. Its package for node is looked for in $WEIR_NODE_MODULES.
func TestDuckDBReads(t *testing.T) {
	modules := os.Getenv("WEIR_NODE_MODULES")
	if _, err := os.Stat(filepath.Join(modules, "@duckdb", "node-api")); modules == "" || err != nil {
		t.Skip("no DuckDB: run npm install @duckdb/node-api somewhere and set WEIR_NODE_MODULES to its node_modules")
	}
	path, sums := sample(t, t.TempDir(), 12_000)
	file := filepath.Join(t.TempDir(), "ask.js")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", file, path)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, problems.String())
	}
	texts := map[string]map[string]string{}
	if err := json.Unmarshal(out, &texts); err != nil {
		t.Fatal(err)
	}
	if texts["one"]["count"] == "0" {
		t.Error("no row has the least name")
	}
	got := map[string]map[string]uint64{}
	for by := range sums {
		got[by] = map[string]uint64{}
		for k, s := range texts[by] {
			n, ok := new(big.Int).SetString(s, 10)
			if !ok {
				t.Fatalf("%q is no number", s)
			}
			got[by][k] = n.Uint64()
		}
	}
	compareSums(t, sums, got)
}
