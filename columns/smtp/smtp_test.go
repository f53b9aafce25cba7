package smtp_test

import (
	"testing"

	"weir/columns/columnstest"
	"weir/columns/smtp"
)

func TestContract(t *testing.T) {
	columnstest.Run(t, smtp.Helo.Column)
}
