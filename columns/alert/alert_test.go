package alert_test

import (
	"testing"

	"weir/columns/alert"
	"weir/columns/columnstest"
)

func TestContract(t *testing.T) {
	columnstest.Run(t, alert.SID.Column)
	columnstest.Run(t, alert.Severity.Column)
}
