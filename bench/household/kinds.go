package household

import "time"

// kind is a kind of conversation.
type kind struct {
	// weight is how often it happens.
	weight float64
	proto  uint8
	// to says whom it is with.
	to   peer
	port uint16
	// up and down are medians of bytes, and spread how far they go.
	up, down, spread float64
	// lasts is the median of how long it talks; linger is how long the kernel keeps it after that.
	lasts, linger time.Duration
	// front says that most of it comes at once; otherwise it comes evenly.
	front bool
}

// peer says whom a conversation is with.
type peer uint8

const (
	toServer peer = iota
	toRouter
	toNAS
	toGroup
	// fromWorld is a stranger who talks to the NAS, through a forwarded port.
	fromWorld
	// ofRouter is the router itself, talking to a server.
	ofRouter
)

const (
	icmp = 1
	tcp  = 6
	udp  = 17
	// echo is an ICMP type and code, as a key has it in the place of a port.
	echo = 8 << 8
)

const (
	tcpLinger = 10 * time.Second
	udpLinger = 30 * time.Second
)

//nolint:gochecknoglobals // A constant table.
var kinds = []kind{
	// Names, of which everything needs some.
	{weight: 30, proto: udp, to: toRouter, port: 53, up: 70, down: 160, spread: 0.4, lasts: ms(30), linger: udpLinger},
	// Pages and programs that fetch a little.
	{weight: 26, proto: tcp, port: 443, up: 2500, down: 15e3, spread: 1.5, lasts: s(8), linger: tcpLinger, front: true},
	{weight: 16, proto: udp, port: 443, up: 4e3, down: 4e4, spread: 1.5, lasts: s(20), linger: udpLinger, front: true},
	{weight: 3, proto: tcp, port: 80, up: 600, down: 3000, spread: 1.3, lasts: s(1), linger: tcpLinger, front: true},
	// Messages that wait for hours.
	{weight: 3, proto: tcp, port: 5228, up: 900, down: 1200, spread: 0.6, lasts: s(2400), linger: tcpLinger},
	// Films, downloads, games, calls, and photographs that go up.
	{weight: 0.8, proto: udp, port: 443, up: 200e3, down: 12e6, spread: 0.8, lasts: s(300), linger: udpLinger},
	{weight: 0.2, proto: tcp, port: 443, up: 300e3, down: 30e6, spread: 1, lasts: s(40), linger: tcpLinger},
	{weight: 0.6, proto: udp, port: 27015, up: 1.5e6, down: 2.5e6, spread: 0.6, lasts: s(480), linger: udpLinger},
	{weight: 0.3, proto: udp, port: 3478, up: 9e6, down: 11e6, spread: 0.7, lasts: s(360), linger: udpLinger},
	{weight: 0.7, proto: tcp, port: 993, up: 8000, down: 50e3, spread: 1.2, lasts: s(240), linger: tcpLinger},
	{weight: 0.2, proto: tcp, port: 443, up: 8e6, down: 90e3, spread: 1, lasts: s(30), linger: tcpLinger},
	// What stays at home.
	{weight: 1.5, proto: tcp, to: toNAS, port: 445, up: 200e3, down: 2e6, spread: 1.2, lasts: s(60), linger: tcpLinger},
	{weight: 5, proto: udp, to: toGroup, port: 5353, up: 250, spread: 0.5, lasts: s(2), linger: udpLinger},
	{weight: 2, proto: udp, port: 123, up: 76, down: 76, lasts: ms(20), linger: udpLinger},
	{weight: 2.5, proto: icmp, port: echo, up: 420, down: 420, spread: 0.5, lasts: s(5), linger: udpLinger},
	// The rest: strangers at a forwarded port, and the router's own.
	{weight: 0.5, proto: tcp, to: fromWorld, port: 8443, up: 4e3, down: 9e4, lasts: s(20), linger: tcpLinger},
	{weight: 2, proto: udp, to: ofRouter, port: 53, up: 80, down: 240, spread: 0.4, lasts: ms(40), linger: udpLinger},
}

func s(n int) time.Duration  { return time.Duration(n) * time.Second }
func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// kindsByWeight chooses among the kinds.
func kindsByWeight() chooser {
	c := make(chooser, len(kinds))
	sum := 0.0
	for i := range kinds {
		sum += kinds[i].weight
		c[i] = sum
	}
	return c
}
