package ssh_test

import (
	"testing"

	"weir/columns/columnstest"
	"weir/columns/ssh"
)

func TestContract(t *testing.T) {
	columnstest.Run(t, ssh.Software.Column)
}
