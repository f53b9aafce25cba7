package app_test

import (
	"testing"

	"weir/columns/app"
	"weir/columns/columnstest"
)

func TestContract(t *testing.T) {
	columnstest.Run(t, app.Column.Column)
	columnstest.Run(t, app.Original.Column)
}
