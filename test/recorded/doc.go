// Package recorded reads what a lab of three machines (client, router with masquerade, server) has kept of itself:
// the connections as the router's kernel told them, in the text of conntrack(8), and what a real Suricata wrote
// about the same traffic. It decodes neither as Weir does, so that tests can compare the two.
//
// A folder holds conntrack-events.txt.gz (conntrack -E -o timestamp,id,extended), conntrack-table.txt.gz
// (conntrack -L -o id,extended, at the end) and eve.json.gz; perhaps also stream.bin.gz and dgram.bin.gz, which are
// what came over sockets.
package recorded
