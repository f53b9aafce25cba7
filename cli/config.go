package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"weir/config"
)

// configCommand prints or checks the configuration.
func (a *App) configCommand() *cobra.Command {
	var (
		flags    configFlags
		defaults bool
		file     string
	)
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the effective configuration, each key with its manual",
		Long: `Prints the configuration that 'weir run' would use: the defaults, then the file, then
variables of the environment, then flags, each over the one before it. What is printed
is a file that loads back to the same.

A variable is the key in capitals with _ for the dot, after WEIR_: memory.flows is
WEIR_MEMORY_FLOWS. An empty variable says nothing. WEIR_CONFIG names the file.`,
		Example: `  weir config
  weir config --defaults | sudo tee /etc/weir/weir.toml
  weir config --check /etc/weir/weir.toml
  weir config --set slice=1m`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			switch {
			case file != "" && (defaults || flags.file != "" || len(flags.set) > 0):
				return &usageError{errors.New("--check looks at one file alone and goes with no other flag")}
			case file != "":
				return a.checkConfig(file)
			case defaults:
				return config.Default().Write(a.Out)
			}
			l, err := a.load(&flags)
			if err != nil {
				return err
			}
			return l.Write(a.Out)
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&defaults, "defaults", false, "print the defaults, whatever is configured")
	cmd.Flags().StringVar(&file, "check", "", "check this file and print nothing but its mistakes")
	return cmd
}

// checkConfig loads one file over the defaults.
func (a *App) checkConfig(file string) error {
	l, err := config.Load(config.Options{File: file, Features: a.Features})
	if err != nil {
		return err
	}
	if err := ownSocket(l.Config); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	a.screen(a.Out).printf("%s: ok\n", escape(file))
	return nil
}
