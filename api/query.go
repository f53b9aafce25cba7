package api

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"weir/query"
)

// query answers a question in this goroutine; it ends when the client goes away.
func (s *Server) query(w http.ResponseWriter, r *http.Request) {
	parameters := r.URL.Query()
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if err := query.CheckParameter(name); err != nil {
			fail(w, http.StatusBadRequest, err)
			return
		}
	}
	q, err := query.ParseQuestion(parameters.Get, s.now(), time.Local) //nolint:gosmopolitan // The user's own time.
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	if !s.take(w, s.queries, "queries") {
		return
	}
	defer func() { <-s.queries }()
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	a, err := query.Ask(ctx, s.core.Tiers(), q, s.now())
	var mistake *query.Error
	switch {
	case err == nil:
		s.answer(w, r, a)
	case errors.As(err, &mistake):
		fail(w, http.StatusBadRequest, err)
	case errors.Is(err, context.DeadlineExceeded):
		fail(w, http.StatusGatewayTimeout, errors.New("the query took longer than a minute: ask for less"))
	case r.Context().Err() != nil: // Nobody is there to be told.
	default:
		s.log.Error().Err(err).Msg("a query failed")
		fail(w, http.StatusInternalServerError, err)
	}
}

// position gives the place in the filter that an error is about.
func position(err error) *int {
	var mistake *query.Error
	if errors.As(err, &mistake) && mistake.Part == "filter" && mistake.Column > 0 {
		return &mistake.Offset
	}
	return nil
}

// answer writes an answer in the form that the client takes.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, a *query.Answer) {
	if wantsProtobuf(r) {
		s.writeProtobuf(w, query.ToProto(a))
		return
	}
	declare(w, jsonType)
	// The client may be gone, and nobody else could be told.
	_ = query.WriteJSON(w, a, query.Style{
		Explain: true, Location: time.Local, //nolint:gosmopolitan // The user's own time.
	})
}
