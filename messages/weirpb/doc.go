// Package weirpb holds the messages that cross a process or reach a disk. The .proto files here are
// the schemas; `make generate` makes the Go files from them.
package weirpb
