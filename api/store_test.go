package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/messages"
	"weir/store/tiers"
)

// kept is a history that is not there.
type kept struct {
	fail error
	// started is closed when an export waits for its end.
	started chan struct{}
}

func (*kept) State() StoreState { return StoreState{Dir: "/srv", Sync: "slice", Open: true} }

func (k *kept) Verify(_ context.Context, progress tiers.Progress) (*tiers.Verified, error) {
	progress(1, 2)
	return &tiers.Verified{Files: 3, Faults: []string{"one"}}, k.fail
}

func (k *kept) Export(ctx context.Context, w io.Writer, format string, _ messages.Span, progress tiers.Progress) error {
	if k.started != nil {
		close(k.started)
		<-ctx.Done()
		return ctx.Err()
	}
	progress(1, 1)
	_, err := io.WriteString(w, "{\n\"error\": \"no event\"}\n"+format)
	return err
}

func newHistoryServer(t *testing.T, h History) *Server {
	t.Helper()
	return New(Options{
		Core: newCore(t), History: h, Log: zerolog.Nop(), Version: "v1", Slice: 10 * time.Second,
		Now: func() time.Time { return now },
	})
}

// post sends a request without any network and gives the events and the content of the answer.
func post(t *testing.T, s *Server, target string) (code int, events []LongEvent, content string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, target, http.NoBody)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		return w.Code, nil, w.Body.String()
	}
	in := bufio.NewReader(w.Body)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return w.Code, events, content
		}
		var e LongEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		data := make([]byte, e.Data)
		if _, err := io.ReadFull(in, data); err != nil {
			t.Fatal(err)
		}
		content += string(data)
		events = append(events, e)
	}
}

func TestStoreState(t *testing.T) {
	code, body, _ := ask(t, newHistoryServer(t, &kept{}).Handler(), "/v1/store")
	st := StoreState{}
	if err := json.Unmarshal([]byte(body), &st); err != nil || code != http.StatusOK || st.Dir != "/srv" || !st.Open {
		t.Errorf("%d %v %s", code, err, body)
	}
	code, body, _ = ask(t, newServer(newCore(t)).Handler(), "/v1/store")
	if code != http.StatusNotFound || !strings.Contains(body, "no history") {
		t.Errorf("without a history: %d %s", code, body)
	}
}

func TestStoreVerify(t *testing.T) {
	s := newHistoryServer(t, &kept{})
	code, events, _ := post(t, s, "/v1/store/verify")
	if code != http.StatusOK || len(events) != 2 || events[0].Of != 2 {
		t.Fatalf("%d %+v", code, events)
	}
	v := tiers.Verified{}
	if err := json.Unmarshal(events[1].Result, &v); err != nil || v.Files != 3 || len(v.Faults) != 1 {
		t.Errorf("%v %+v", err, v)
	}
	_, events, _ = post(t, newHistoryServer(t, &kept{fail: errors.New("no luck")}), "/v1/store/verify")
	if last := events[len(events)-1]; last.Error != "no luck" || last.Result != nil {
		t.Errorf("%+v", last)
	}
	if code, _, _ = post(t, newServer(newCore(t)), "/v1/store/verify"); code != http.StatusNotFound {
		t.Errorf("without a history: %d", code)
	}
}

func TestStoreExport(t *testing.T) {
	s := newHistoryServer(t, &kept{})
	const span = "&from=2026-11-22T10:00:00Z&to=2026-11-22T11:00:00Z"
	code, events, content := post(t, s, "/v1/store/export?format=csv"+span)
	if code != http.StatusOK || content != "{\n\"error\": \"no event\"}\ncsv" || events[len(events)-1].Result == nil {
		t.Errorf("%d %+v %q", code, events, content)
	}
	for _, bad := range []string{
		"?format=xls" + span, "?format=csv&from=x&to=y", "",
		"?format=csv&from=2026-11-22T10:00:00Z&to=2026-11-22T10:00:00Z",
	} {
		if code, _, _ := post(t, s, "/v1/store/export"+bad); code != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, code)
		}
	}
}

// A web page could have a browser ask the loopback for it.
func TestStoreIsNotForTCP(t *testing.T) {
	web := httptest.NewServer(newHistoryServer(t, &kept{}).Handler())
	defer web.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, web.URL+"/v1/store/verify", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := web.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("answered with %s", resp.Status)
	}
}

// One job runs at a time, and it ends when the server does.
func TestStoreJobEnds(t *testing.T) {
	k := &kept{started: make(chan struct{})}
	s := newHistoryServer(t, k)
	const target = "/v1/store/export?format=csv&from=2026-11-22T10:00:00Z&to=2026-11-22T11:00:00Z"
	done := make(chan []LongEvent, 1)
	go func() {
		_, events, _ := post(t, s, target)
		done <- events
	}()
	<-k.started
	if code, _, _ := post(t, s, "/v1/store/verify"); code != http.StatusServiceUnavailable {
		t.Errorf("a second one got %d", code)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if events := <-done; len(events) != 1 || events[0].Error == "" {
		t.Errorf("%+v", events)
	}
}
