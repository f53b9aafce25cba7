package mqtt_test

import (
	"testing"

	"weir/columns/columnstest"
	"weir/columns/mqtt"
)

func TestContract(t *testing.T) {
	columnstest.Run(t, mqtt.Client.Column)
}
