// Package cli is what the user types: the commands of weir. They are clients of package api, except for
// `weir run`, which is the daemon itself.
//
// Exit codes: 0 all went well; 1 something failed, or `weir check` found that there can be no data; 2 the
// command was not understood.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/config"
)

// The exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// App is what the commands get from the process.
type App struct {
	In       io.Reader
	Out, Err io.Writer
	// Environ is the environment as os.Environ gives it.
	Environ []string
	// Features are the names of all extensions of the source tree, linked or not.
	Features []string
	// Now is the clock.
	Now func() time.Time

	// noColor is the flag.
	noColor bool
	// socket is the flag; empty if it is not set.
	socket string
}

// usageError is a mistake in what was typed.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// errSilent ends a command with exit code 1 after it has said everything itself.
var errSilent = errors.New("")

// Run runs one command and returns its exit code.
func (a *App) Run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	var usage *usageError
	isUsage := errors.As(err, &usage)
	a.complain(err)
	if !isUsage {
		return exitError
	}
	fmt.Fprintf(a.Err, "Run '%s --help' for usage.\n", cmd.CommandPath())
	return exitUsage
}

// complain prints an error, each of joined ones on its line.
func (a *App) complain(err error) {
	if errors.Is(err, errSilent) {
		return
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(a.Err, "weir: %s\n", escape(strings.TrimRight(line, "\n")))
	}
}

// root builds the tree of commands.
func (a *App) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "weir",
		Short: "Who on my network talked to what, when, and how much",
		Long: `Weir measures the streams of packets that cross a Linux router: who on my network
talked to what, when, and how much, exactly, on the router itself.

Start the daemon with 'weir run', then ask it with 'weir query' from a second terminal.
If there is no data, 'weir check' says why and what to do about it.

Exit codes: 0 all went well, 1 something failed, 2 the command was not understood.`,
		Example: `  sudo weir run
  weir query --by local.ip --last 10m --top 10
  weir check`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          unknownCommand,
		// Two letters may be wrong.
		SuggestionsMinimumDistance: 2,
	}
	root.PersistentFlags().StringVar(&a.socket, "socket", "",
		"unix socket of the daemon (default: WEIR_SOCKET, or what the configuration says)")
	root.PersistentFlags().BoolVar(&a.noColor, "no-color", false, "print without colours (as NO_COLOR does)")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddCommand(
		a.runCommand(), a.queryCommand(), a.statusCommand(), a.checkCommand(), a.setupCommand(), a.recordCommand(),
		a.storeCommand(), a.configCommand(), a.columnsCommand(), a.suricataConfigCommand(), a.versionCommand(),
	)
	return root
}

// unknownCommand is what weir does without a command that it knows.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	text := fmt.Sprintf("unknown command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf("; did you mean %q?", near[0])
	}
	return &usageError{errors.New(text)}
}

// noArgs refuses arguments.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &usageError{fmt.Errorf("unexpected argument %q", args[0])}
	}
	return nil
}

// variable reads the environment.
func (a *App) variable(name string) string {
	for _, v := range a.Environ {
		if key, value, _ := strings.Cut(v, "="); key == name {
			return value
		}
	}
	return ""
}

// configFlags are the flags of commands that read the whole configuration.
type configFlags struct {
	file string
	set  []string
}

func (f *configFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.file, "config", "c", "",
		"configuration file (default: WEIR_CONFIG, or "+config.DefaultFile+")")
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "set one key, as in --set memory.flows=128MiB; may be repeated")
}

// names says whether a flag sets a key, or names the file that may.
func (f *configFlags) names(key string) bool {
	return f.file != "" || slices.ContainsFunc(f.set, func(s string) bool { return strings.HasPrefix(s, key+"=") })
}

// load reads the configuration and prints its warnings.
func (a *App) load(f *configFlags) (*config.Loaded, error) {
	file := f.file
	if file == "" {
		file = a.variable(config.FileVariable)
	}
	set := f.set
	if a.socket != "" {
		set = append(set, "socket="+a.socket)
	}
	l, err := config.Load(config.Options{File: file, Environ: a.Environ, Set: set, Features: a.Features})
	if err != nil {
		return nil, err
	}
	for _, w := range l.Warnings {
		fmt.Fprintf(a.Err, "weir: warning: %s\n", escape(w))
	}
	return l, nil
}
