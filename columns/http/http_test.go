package http_test

import (
	"testing"

	"weir/columns/columnstest"
	"weir/columns/http"
)

func TestContract(t *testing.T) {
	columnstest.Run(t, http.Host.Column)
	columnstest.Run(t, http.URL.Column)
	columnstest.Run(t, http.Method.Column)
	columnstest.Run(t, http.Status.Column)
	columnstest.Run(t, http.Agent.Column)
}
