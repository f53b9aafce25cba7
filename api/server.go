// Package api answers over HTTP, on a unix socket and, if asked for, on a TCP address:
//
//	GET /v1/query    an answer about the past: filter, by, step, last or from and to, top
//	GET /v1/status   how the daemon and its parts are
//	GET /v1/record   what the sources send from now on, as a recording, until the client goes away
//	GET /v1/store    how the history on disk does and what it holds; in JSON alone
//	POST /v1/store/verify, POST /v1/store/export
//	                 check the history, hand it out: events, as [LongEvent] says; on the unix socket alone
//	GET /metrics     counters in the text format of Prometheus
//
// The first two answer in JSON, or in protobuf to a client that asks for application/x-protobuf; the schemas are in
// messages/weirpb. An error is a JSON object {"error": …} with a 4xx or 5xx status; "position" is added if it is about
// a place in the filter. There is no way to change anything.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/net/netutil"
	"google.golang.org/protobuf/proto"

	"weir/actors"
	"weir/messages"
	"weir/store"
)

// Core is what the API needs of the running daemon.
type Core interface {
	// Tiers are what queries ask.
	Tiers() []store.Tier
	// Status tells how all parts are.
	Status() actors.Status
	// Tap gives f every batch that sources post, until ctx is done.
	Tap(ctx context.Context, f func(*messages.Batch)) (dropped func() uint64)
}

// Options say what the server needs.
type Options struct {
	Core Core
	Log  zerolog.Logger
	// History is what is kept on disk; nil if nothing is.
	History History
	// Version and Slice are told in recordings.
	Version string
	Slice   time.Duration
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// Bounds of what clients can ask for.
const (
	// maxConnections is for one listener, so that those on TCP cannot lock out the unix socket.
	maxConnections = 128
	maxQueries     = 8
	maxRecordings  = 2
	maxJobs        = 1
	maxHeader      = 64 << 10
	headerTimeout  = 5 * time.Second
	idleTimeout    = time.Minute
	// queryTimeout bounds the work on one question, writeTimeout that and the answer.
	queryTimeout = time.Minute
	writeTimeout = 2 * time.Minute
)

// Server answers. New makes it; Serve may be called once for each listener.
type Server struct {
	core    Core
	log     zerolog.Logger
	history History
	version string
	slice   time.Duration
	now     func() time.Time

	http http.Server
	// queries, recordings and jobs hold a place for each that runs.
	queries, recordings, jobs chan struct{}
	// stopping is closed when the server is about to end, so that recordings end properly.
	stopping chan struct{}
	stop     sync.Once
	// life ends with it, for work that is under way.
	life   context.Context //nolint:containedctx // Requests have their own; it is that of the server.
	end    context.CancelFunc
	counts counts
}

// New makes a server.
func New(o Options) *Server {
	s := &Server{
		core: o.Core, log: o.Log, history: o.History, version: o.Version, slice: o.Slice, now: o.Now,
		queries: make(chan struct{}, maxQueries), recordings: make(chan struct{}, maxRecordings),
		jobs: make(chan struct{}, maxJobs), stopping: make(chan struct{}),
	}
	s.life, s.end = context.WithCancel(context.Background())
	if s.now == nil {
		s.now = time.Now
	}
	s.http = http.Server{
		Handler: s.Handler(), MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, IdleTimeout: idleTimeout,
		WriteTimeout: writeTimeout,
	}
	return s
}

// Handler routes requests.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/query", s.query)
	mux.HandleFunc("GET /v1/status", s.status)
	mux.HandleFunc("GET /v1/record", s.record)
	mux.HandleFunc("GET /v1/store", s.store)
	mux.HandleFunc("POST /v1/store/verify", s.storeVerify)
	mux.HandleFunc("POST /v1/store/export", s.storeExport)
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		known := r.Method == http.MethodGet
		if !known {
			fail(w, http.StatusMethodNotAllowed, errors.New("only GET is answered"))
			return
		}
		fail(w, http.StatusNotFound, errors.New("there are /v1/query, /v1/status, /v1/record, /v1/store and /metrics"))
	})
	return s.guard(mux)
}

// Serve answers on a listener until Shutdown; then it returns nil.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(netutil.LimitListener(l, maxConnections))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve: %w", err)
}

// Shutdown lets running requests end until ctx is done, then cuts them off.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop.Do(func() {
		close(s.stopping)
		s.end()
	})
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("shut down: %w", err), s.http.Close())
	}
	return nil
}

// guard counts requests, keeps panics from reaching others, and refuses what a web page sent.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.counts.requests.Add(1)
		defer func() {
			if p := recover(); p != nil {
				s.recovered(w, r, p)
			}
		}()
		if !hostAllowed(r) {
			fail(w, http.StatusForbidden, fmt.Errorf("%q is not a name of this machine's loopback", r.Host))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// recovered tells of a panic and ends the connection, since part of an answer may be out already.
func (s *Server) recovered(w http.ResponseWriter, r *http.Request, p any) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler)
	}
	s.counts.panics.Add(1)
	s.log.Error().Str("path", r.URL.Path).Str("stack", string(debug.Stack())).Msgf("a request panicked: %v", p)
	w.Header().Set("Connection", "close")
	fail(w, http.StatusInternalServerError, errors.New("the request failed inside; the log has the details"))
}

// hostAllowed keeps a web page from reading the loopback under a name of its own that it lets point there.
func hostAllowed(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok || !local.IP.IsLoopback() {
		return true
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}

// take takes a place if there is one; the caller gives it back by receiving. Else the client is told to come
// again.
func (s *Server) take(w http.ResponseWriter, places chan struct{}, what string) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
		s.counts.refused.Add(1)
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusServiceUnavailable, fmt.Errorf("%d %s are running already: try again", cap(places), what))
		return false
	}
}

// status answers how all is.
func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	st := s.core.Status()
	if wantsProtobuf(r) {
		s.writeProtobuf(w, actors.StatusToProto(&st))
		return
	}
	writeJSON(w, http.StatusOK, st)
}

const jsonType = "application/json; charset=utf-8"

// ProtobufType is the media type of answers as a message of messages/weirpb.
const ProtobufType = "application/x-protobuf"

// wantsProtobuf says in which form the client takes the answer.
func wantsProtobuf(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), ProtobufType)
}

// Problem is how an error is told.
type Problem struct {
	Error string `json:"error"`
	// Position is where in the filter the error is, in bytes from 0; absent if it is nowhere there.
	Position *int `json:"position,omitempty"`
}

// fail answers with an error.
func fail(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, Problem{Error: err.Error(), Position: position(err)})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false) // It is declared as JSON, and a filter has < and > in it.
	if err := enc.Encode(v); err != nil {
		status = http.StatusInternalServerError
		data.Reset()
		data.WriteString(`{"error": "the answer has no JSON form"}`)
	}
	declare(w, jsonType)
	w.WriteHeader(status)
	// The client may be gone, and nobody else could be told.
	_, _ = w.Write(data.Bytes())
}

func (s *Server) writeProtobuf(w http.ResponseWriter, m proto.Message) {
	data, err := proto.Marshal(m)
	if err != nil {
		s.log.Error().Err(err).Msg("an answer has no protobuf form")
		fail(w, http.StatusInternalServerError, err)
		return
	}
	declare(w, ProtobufType)
	_, _ = w.Write(data) // The client may be gone.
}

// declare says what an answer is, and that it is of now.
func declare(w http.ResponseWriter, mediaType string) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
}
