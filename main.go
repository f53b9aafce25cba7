// Weir measures the streams of packets that cross a Linux router: who on my network talked to what, when, and
// how much. Everything is done by the packages beside this file; docs/architecture.md leads through them.
package main

import (
	"context"
	"os"
	"time"

	"weir/cli"
	"weir/features"
)

func main() {
	app := cli.App{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Environ: os.Environ(), Features: features.Known(), Now: time.Now,
	}
	os.Exit(app.Run(context.Background(), os.Args[1:]))
}
