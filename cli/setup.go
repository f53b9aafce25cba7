package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"

	"github.com/spf13/cobra"

	"weir/cli/setup"
	"weir/config"
	"weir/sources"
)

// maxRounds bounds how often setup looks again: one change may uncover the need for another, as when a
// switch appears with the module that is loaded.
const maxRounds = 4

// setupCommand mends what weir check finds.
func (a *App) setupCommand() *cobra.Command {
	var (
		flags        configFlags
		undo, dryRun bool
	)
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Make the changes that weir check proposes, or take them back",
		Long: `Makes the changes to this machine that 'weir check' proposes, as far as a program can make
them, and prints each one before it is made. Each is written down in setup.json in the data
directory first, so that --undo takes exactly these back, the last one first. What somebody
else has changed since is left alone.`,
		Example: `  weir setup --dry-run
  sudo weir setup
  sudo weir setup --undo`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := a.load(&flags)
			if err != nil {
				return err
			}
			if undo && dryRun {
				return &usageError{errors.New("--undo and --dry-run do not go together")}
			}
			if undo {
				return a.undo(cmd.Context(), l.Config)
			}
			return a.setup(cmd.Context(), l.Config, dryRun)
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&undo, "undo", false, "take back what earlier runs changed")
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "print what would change and change nothing")
	return cmd
}

// setup makes the changes, looks again, and prints what is left.
func (a *App) setup(ctx context.Context, c *config.Config, dryRun bool) error {
	s := a.screen(a.Out)
	found := checkSources(ctx, c)
	if len(changes(found)) == 0 {
		s.printf("nothing to change\n")
		return s.rest(found)
	}
	if dryRun {
		for _, ch := range changes(found) {
			setup.Describe(ch, s.tell)
		}
		return nil
	}
	journal, err := openJournal(c)
	if err != nil {
		return err
	}
	found, err = a.applyAll(ctx, c, journal, found)
	if journal.Len() > 0 {
		s.printf("'weir setup --undo' takes this back (%s)\n", escape(journal.Path()))
	}
	if err != nil {
		return err
	}
	return s.rest(found)
}

// applyAll makes changes until there are no new ones, and gives what is found in the end.
func (a *App) applyAll(
	ctx context.Context, c *config.Config, j *setup.Journal, found []sources.Finding,
) ([]sources.Finding, error) {
	s := a.screen(a.Out)
	var made []sources.Change
	for range maxRounds {
		progress := false
		for _, ch := range changes(found) {
			if slices.ContainsFunc(made, func(m sources.Change) bool { return reflect.DeepEqual(m, ch) }) {
				continue
			}
			if err := j.Apply(ctx, ch, a.Now(), s.tell); err != nil {
				return found, fmt.Errorf("set up: %w", needRoot(err))
			}
			made, progress = append(made, ch), true
		}
		found = checkSources(ctx, c)
		if !progress {
			break
		}
	}
	return found, nil
}

// undo takes back what was recorded.
func (a *App) undo(ctx context.Context, c *config.Config) error {
	s := a.screen(a.Out)
	journal, err := openJournal(c)
	if err != nil {
		return err
	}
	if journal.Len() == 0 {
		s.printf("nothing to undo\n")
		return nil
	}
	if err := journal.Undo(ctx, s.tell); err != nil {
		return fmt.Errorf("undo: %w", needRoot(err))
	}
	s.printf("what 'weir setup' changed is undone\n")
	return nil
}

// openJournal opens the undo file.
func openJournal(c *config.Config) (*setup.Journal, error) {
	j, err := setup.Open(c.DataDir)
	return j, needRoot(err)
}

// needRoot says what to do where the kernel only says no.
func needRoot(err error) error {
	if err != nil && os.Geteuid() != 0 && errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w\nchanging this machine needs root: sudo weir setup", err)
	}
	return err
}

// rest prints the findings that are left to the user.
func (s *screen) rest(found []sources.Finding) error {
	for _, f := range found {
		if f.Level != sources.Good {
			s.finding(f)
		}
	}
	if has(found, sources.Broken) {
		return errSilent
	}
	return nil
}

// tell prints one line for package setup.
func (s *screen) tell(format string, args ...any) {
	s.printf("%s\n", escape(fmt.Sprintf(format, args...)))
}
