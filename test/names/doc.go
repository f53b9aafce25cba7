// Package names holds the tests that put what a Suricata wrote about real traffic together with what the kernel
// told of it: decoder, translator and tables of flows, without the rest of the program.
package names
