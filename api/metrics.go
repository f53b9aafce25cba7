package api

import (
	"bytes"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"

	"weir/actors"
)

// counts are the server's own counters.
type counts struct {
	requests, panics, refused atomic.Uint64
}

// metrics answers with all counters in the text format of Prometheus.
func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) {
	st := s.core.Status()
	f := &families{byName: map[string]*family{}}
	f.add("weir_info", "What runs.", true, labels{"version", s.version}, 1)
	f.add("weir_api_requests_total", "Requests that arrived.", false, nil, float64(s.counts.requests.Load()))
	f.add("weir_api_panics_total", "Requests that failed inside.", false, nil, float64(s.counts.panics.Load()))
	f.add("weir_api_refused_total", "Requests refused because too many ran.", false, nil,
		float64(s.counts.refused.Load()))
	f.add("weir_api_queries_running", "Queries being answered.", true, nil, float64(len(s.queries)))
	f.add("weir_api_recordings_running", "Recordings being streamed.", true, nil, float64(len(s.recordings)))
	f.status(&st)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(f.text()) // The client may be gone.
}

// status adds what the daemon tells of its parts. Fields become metrics by the names they have in JSON.
func (f *families) status(st *actors.Status) {
	f.add("weir_started_timestamp_seconds", "When the program began.", true, nil, float64(st.Started.UnixMilli())/1e3)
	f.fields("weir_", nil, reflect.ValueOf(*st))
	f.fields("weir_slicer_", nil, reflect.ValueOf(st.Slicer))
	if st.Archive.On {
		f.fields("weir_archive_", nil, reflect.ValueOf(st.Archive))
	}
	for _, a := range st.Actors {
		l := labels{"actor", a.Name}
		f.add("weir_actor_running", "1 if the actor runs.", true, l, truth(a.State == "running"))
		f.fields("weir_actor_", l, reflect.ValueOf(a))
	}
	for i := range st.Sources {
		src := &st.Sources[i]
		l := labels{"source", src.Name}
		f.add("weir_source_healthy", "1 if the source delivers all it should.", true, l,
			truth(src.Ready && (src.State == "running" || src.State == "finished")))
		f.fields("weir_source_", l, reflect.ValueOf(*src))
		for _, m := range src.Metrics {
			f.add("weir_source_"+m.Name, m.Help, m.Gauge, l, m.Value)
		}
	}
	for i := range st.Computations {
		c := &st.Computations[i]
		l := labels{"computation", c.Name}
		f.fields("weir_computation_", l, reflect.ValueOf(*c))
		if !c.StateSaved.IsZero() {
			f.add("weir_computation_state_saved_timestamp_seconds", "When what it keeps was saved.", true, l,
				float64(c.StateSaved.UnixMilli())/1e3)
		}
		for _, m := range c.Metrics {
			f.add("weir_computation_"+c.Name+"_"+m.Name, m.Help, m.Gauge, nil, m.Value)
		}
	}
	for _, sh := range st.Shards {
		l := labels{"shard", strconv.Itoa(sh.Shard)}
		f.fields("weir_shard_", l, reflect.ValueOf(sh))
		f.fields("weir_flows_", l, reflect.ValueOf(sh.Flows))
	}
	for _, t := range st.Tiers {
		l := labels{"tier", t.Name}
		f.add("weir_tier_slices", "Slices held.", true, l, float64(t.Slices))
		f.add("weir_tier_rows", "Rows held.", true, l, float64(t.Rows))
		f.add("weir_tier_folded_total", "Rows that lost their columns to the budget.", false, l, float64(t.Folded))
		f.add("weir_tier_amended_total", "Rows of closed slices that were amended.", false, l, float64(t.Amended))
		f.add("weir_tier_amendments_cut_total", "Amendments that could not reach all slices.", false, l,
			float64(t.AmendmentsCut))
		f.add("weir_tier_bytes", "Memory or disk taken.", true, l, float64(t.Bytes))
		f.add("weir_tier_budget_bytes", "Memory or disk allowed.", true, l, float64(t.Budget))
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// labels are pairs of names and values.
type labels []string

// family is one metric with all its labels.
type family struct {
	name, help string
	gauge      bool
	lines      bytes.Buffer
}

// families are metrics in the order in which they were added first.
type families struct {
	order  []*family
	byName map[string]*family
}

// add adds one number.
func (f *families) add(name, help string, gauge bool, l labels, v float64) {
	name = metricName(name)
	fam := f.byName[name]
	if fam == nil {
		fam = &family{name: name, help: help, gauge: gauge}
		f.byName[name] = fam
		f.order = append(f.order, fam)
	}
	fam.lines.WriteString(name)
	for i := 0; i+1 < len(l); i += 2 {
		fmt.Fprintf(&fam.lines, "{%s=\"%s\"}", l[i], labelEscape.Replace(l[i+1]))
	}
	fam.lines.WriteString(" " + strconv.FormatFloat(v, 'g', -1, 64) + "\n")
}

// fields adds every number of a struct that has a name in JSON. Names that end in _total are counters.
func (f *families) fields(prefix string, l labels, v reflect.Value) {
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name == "" || name == "shard" {
			continue
		}
		field, gauge := v.Field(i), !strings.HasSuffix(name, "_total")
		switch {
		case field.CanInt():
			f.add(prefix+name, "", gauge, l, float64(field.Int()))
		case field.CanUint():
			f.add(prefix+name, "", gauge, l, float64(field.Uint()))
		case field.CanFloat():
			f.add(prefix+name, "", gauge, l, field.Float())
		case field.Kind() == reflect.Bool:
			f.add(prefix+name, "", gauge, l, truth(field.Bool()))
		}
	}
}

// text prints all of it.
func (f *families) text() []byte {
	var b bytes.Buffer
	for _, fam := range f.order {
		if fam.help != "" {
			fmt.Fprintf(&b, "# HELP %s %s\n", fam.name, helpEscape.Replace(fam.help))
		}
		kind := "counter"
		if fam.gauge {
			kind = "gauge"
		}
		fmt.Fprintf(&b, "# TYPE %s %s\n", fam.name, kind)
		b.Write(fam.lines.Bytes())
	}
	return b.Bytes()
}

//nolint:gochecknoglobals // Tables that never change.
var (
	labelEscape = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	helpEscape  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
)

// metricName makes a name of what sources chose.
func metricName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
}
