package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"weir/api"
	"weir/columns"
	"weir/messages/weirpb"
	"weir/query"
	"weir/sources"
)

// outputs are the forms of an answer.
var outputs = []string{"table", "json", "csv"} //nolint:gochecknoglobals // A constant list.

// queryCommand asks about the past.
func (a *App) queryCommand() *cobra.Command {
	params := map[string]*string{}
	output, explain := "table", false
	cmd := &cobra.Command{
		Use:   "query [FILTER]",
		Short: "Ask who talked to what, when, and how much",
		Long: `Asks the running daemon. The filter compares columns with values:

  remote.port = 443 and not local.ip in (192.168.1.0/24, 2001:db8::7)

'weir columns' lists the columns. Several arguments are joined to one filter; put it in
quotes where the shell knows its signs. On a terminal numbers are shortened; elsewhere,
and in JSON and CSV, they are exact.`,
		Example: `  weir query
  weir query --by local.ip --last 1h --top 10
  weir query 'direction = out and remote.port != 443' --by remote.ip,remote.port
  weir query --by none --step 1m --last 30m
  weir query --from 14:00 --to 14:30 --output csv`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			values := url.Values{"filter": {strings.Join(args, " ")}}
			for name, v := range params {
				values.Set(name, *v)
			}
			if !slices.Contains(outputs, output) {
				return &usageError{fmt.Errorf("--output is one of %s", strings.Join(outputs, ", "))}
			}
			return a.query(ctx, values, output, explain)
		},
	}
	for _, f := range [][2]string{
		{"by", "columns to group by, separated by commas; none for the sum alone"},
		{"step", "length of the steps of a timeline, such as 1m"},
		{"last", "how far back, such as 10m (the default)"},
		{"from", "start of the range: 14:00, 2026-11-22 14:00, -90m, …"},
		{"to", "end of the range, likewise"},
		{"top", "how many groups to show (20), or all; the rest is in (other)"},
		{"order", "the measure that decides what is most (bytes)"},
	} {
		params[f[0]] = cmd.Flags().String(f[0], "", f[1])
	}
	cmd.Flags().StringVarP(&output, "output", "o", output, "table, json or csv")
	cmd.Flags().BoolVar(&explain, "explain", false,
		"tell which tier answered for which part of the range, and what was read and skipped")
	a.completeQuery(cmd)
	return cmd
}

// completeQuery lets a shell complete the names that flags take.
func (*App) completeQuery(cmd *cobra.Command) {
	names := func(list []string) cobra.CompletionFunc {
		return func(_ *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
			done := begun[:strings.LastIndexByte(begun, ',')+1]
			var found []cobra.Completion
			for _, name := range list {
				found = append(found, done+name)
			}
			return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		}
	}
	for flag, list := range map[string][]string{"by": columns.Names(), "order": query.Measures(), "output": outputs} {
		// It fails only for a flag that is not there.
		_ = cmd.RegisterFlagCompletionFunc(flag, names(list))
	}
	cmd.ValidArgsFunction = cobra.NoFileCompletions
}

// query asks, and prints the answer.
func (a *App) query(ctx context.Context, params url.Values, output string, explain bool) error {
	if err := a.localTimes(params); err != nil {
		return &usageError{err}
	}
	data, err := a.client().getAll(ctx, "/v1/query", params, api.ProtobufType)
	if err != nil {
		return a.explainMistake(err, params.Get("filter"))
	}
	m := &weirpb.QueryAnswer{}
	if err := proto.Unmarshal(data, m); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	answer, err := query.FromProto(m)
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if err := a.write(answer, output, explain); err != nil {
		return err
	}
	if len(answer.Rows) == 0 || answer.RowsRead == 0 {
		a.explainEmpty(ctx, answer)
	}
	return nil
}

// localTimes checks what needs no daemon, and turns times without a zone into those of this user's zone, which
// may be another one than the daemon's.
func (a *App) localTimes(params url.Values) error {
	q, err := query.ParseQuestion(params.Get, a.Now(), time.Local) //nolint:gosmopolitan // The user's own time.
	if err != nil {
		return err
	}
	for name, t := range map[string]time.Time{"from": q.From, "to": q.To} {
		if !t.IsZero() {
			params.Set(name, t.Format(time.RFC3339Nano))
		}
	}
	return nil
}

// write prints an answer. What it is worth goes to standard error, so that it does not end up among the rows.
func (a *App) write(answer *query.Answer, output string, explain bool) error {
	s := a.screen(a.Out)
	style := query.Style{
		Human: s.terminal, Color: s.colour, Explain: explain,
		Location: time.Local, //nolint:gosmopolitan // The user's own time.
	}
	if explain && output != "json" {
		defer func() { _ = query.WriteExplanation(a.Err, answer, style) }() // The answer is out already.
	}
	switch output {
	case "json":
		return query.WriteJSON(a.Out, answer, style)
	case "csv":
		for _, why := range answer.Why {
			fmt.Fprintf(a.Err, "weir: not exact: %s\n", escape(why))
		}
		return query.WriteCSV(a.Out, answer, style)
	default:
		return query.WriteTable(a.Out, a.Err, answer, style)
	}
}

// explainMistake shows where in the filter a mistake is.
func (a *App) explainMistake(err error, filter string) error {
	var r *refusal
	if !errors.As(err, &r) || r.status != http.StatusBadRequest {
		return err
	}
	if at := r.Position; at != nil && *at >= 0 && *at <= len(filter) {
		before, after := escape(filter[:*at]), escape(filter[*at:])
		fmt.Fprintf(a.Err, "  %s%s\n  %s^\n", before, after, strings.Repeat(" ", utf8.RuneCountInString(before)))
	}
	return &usageError{err}
}

// explainEmpty says why there is nothing, if the daemon knows.
func (a *App) explainEmpty(ctx context.Context, answer *query.Answer) {
	st, err := a.fetchStatus(ctx)
	if err != nil {
		return // It answered a moment ago; the rows are out already.
	}
	found := diagnose(st, a.Now())
	why := reason(found)
	switch {
	case answer.RowsRead > 0:
		why = "nothing in this range passes the filter"
	case answer.SlicesRead == 0 && st.Slicer.Closed > 0 && !has(found, sources.Broken) && !has(found, sources.Warning):
		why = "no slice of this range is held; 'weir status' shows what is"
	}
	if why == "" {
		why = "no flow has moved in this range"
	}
	fmt.Fprintf(a.Err, "weir: no rows: %s\n", escape(why))
	if answer.RowsRead == 0 {
		fmt.Fprintf(a.Err, "weir: 'sudo weir check' looks for causes\n")
	}
}
