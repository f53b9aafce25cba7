// Package test holds the tests of the whole program. They build a client, a router and a server in network
// namespaces (package netlab), let traffic pass that is counted by nftables too, run weir on the router, ask
// it, and hold its answers against those counters.
//
// They need root, or a kernel that lets ordinary users have namespaces, and the programs ip and nft; else they
// are skipped and say what is missing. With WEIR_TEST_LONG set they kill, fail and load for longer.
package test
