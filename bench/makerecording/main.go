// Command makerecording makes up a recording of a home network, which the source replay plays. See
// docs/replay.md.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"weir/bench/household"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "makerecording:", err)
		os.Exit(1) //nolint:forbidigo // This is main.
	}
}

// run writes the recording to a file or, without one, to stdout.
func run(args []string, stdout, stderr io.Writer) error {
	o := household.Defaults()
	flags := flag.NewFlagSet("makerecording", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Uint64Var(&o.Seed, "seed", o.Seed, "chooses the recording; the same seed gives the same one")
	flags.IntVar(&o.Flows, "flows", o.Flows, "how many flows there are")
	flags.IntVar(&o.Slices, "slices", o.Slices, "how many slices the recording spans")
	flags.DurationVar(&o.Slice, "slice", o.Slice, "how long a slice is")
	flags.IntVar(&o.Devices, "devices", o.Devices, "how many devices are at home")
	created := flags.String("created", o.Created.Format(time.RFC3339), "when the recording is said to have begun")
	path := flags.String("o", "", "the file to write; standard output if there is none")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if o.Created, err = time.Parse(time.RFC3339, *created); err != nil {
		return fmt.Errorf("created: %w", err)
	}
	made, err := write(*path, stdout, o)
	if err != nil {
		return err
	}
	return report(stderr, made)
}

// write writes into the file and makes sure that it is all there.
func write(path string, stdout io.Writer, o household.Options) (made household.Made, err error) {
	out := stdout
	if path != "" {
		file, err := os.Create(path)
		if err != nil {
			return made, err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		out = file
	}
	buffered := bufio.NewWriterSize(out, 1<<20)
	if made, err = household.Write(buffered, o); err != nil {
		return made, err
	}
	return made, buffered.Flush()
}

// report says what was made, and how to ask for it.
func report(out io.Writer, made household.Made) error {
	home := make([]string, 0, 4)
	for _, p := range household.Networks() {
		home = append(home, p.String())
	}
	_, err := fmt.Fprintf(out, "%d flows in %d updates; a replay counts %d bytes in %d packets\n"+
		"play it with: weir run --set sources.conntrack.enabled=false --home %s --set sources.replay.file=FILE\n",
		made.Flows, made.Updates, made.Moved.Bytes, made.Moved.Packets, strings.Join(home, ","))
	return err
}
