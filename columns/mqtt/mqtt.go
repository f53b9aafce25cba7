// Package mqtt gives a flow what its MQTT session told: no user and no message.
package mqtt

import (
	"weir/columns"
	"weir/columns/text"
)

// Client is mqtt.client.
var Client = columns.Register(text.Column("mqtt.client",
	"The identifier that the client gave itself when it connected by MQTT.", 256, false, "thermostat-2"))
