package smb_test

import (
	"testing"

	"weir/columns/columnstest"
	"weir/columns/smb"
)

func TestContract(t *testing.T) {
	columnstest.Run(t, smb.Dialect.Column)
	columnstest.Run(t, smb.Share.Column)
}
