package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"weir/actors"
	"weir/api"
	"weir/messages/weirpb"
	"weir/sources"
)

// checkCommand says why there is no data.
func (a *App) checkCommand() *cobra.Command {
	var flags configFlags
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say why there is no data, and the exact cure",
		Long: `Looks at this machine as the enabled sources see it, and at the daemon if one runs, and prints
what is as it should be and what is not, each with its cure. It changes nothing;
'weir setup' applies the cures that a program can.

Exit code 1 says that there can be no data until something is mended.`,
		Example: `  sudo weir check
  weir check --config ./weir.toml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := a.load(&flags)
			if err != nil {
				return err
			}
			if a.socket == "" && flags.names("socket") {
				a.socket = l.Socket
			}
			daemon := a.checkDaemon(cmd.Context())
			machine := checkSources(cmd.Context(), l.Config)
			if os.Geteuid() != 0 && isCounting(daemon) {
				machine = doubt(machine)
			}
			return a.report(append(machine, daemon...))
		},
	}
	flags.register(cmd)
	return cmd
}

// isCounting says whether a daemon answers and nothing is wrong with it.
func isCounting(daemon []sources.Finding) bool {
	return has(daemon, sources.Good) && !has(daemon, sources.Warning) && !has(daemon, sources.Broken)
}

// doubt plays down what looks broken to a user who may see less than the daemon, which is well.
func doubt(machine []sources.Finding) []sources.Finding {
	for i, f := range machine {
		if f.Level == sources.Broken {
			machine[i] = sources.Finding{
				Level: sources.Notice, Subject: f.Subject,
				Text: f.Text + " (so it looks to this user; the daemon is well)", Cure: "sudo weir check",
			}
		}
	}
	return machine
}

// report prints findings, and what setup could do about them.
func (a *App) report(found []sources.Finding) error {
	s := a.screen(a.Out)
	for _, f := range found {
		s.finding(f)
	}
	if n := len(changes(found)); n > 0 {
		s.printf("\n'sudo weir setup' makes %d of these changes ('weir setup --dry-run' shows them)\n", n)
	}
	if has(found, sources.Broken) {
		return errSilent
	}
	return nil
}

// checkDaemon asks the daemon how it is. That none runs is no error here: the machine can be looked at before.
func (a *App) checkDaemon(ctx context.Context) []sources.Finding {
	st, err := a.fetchStatus(ctx)
	if err == nil {
		return diagnose(st, a.Now())
	}
	f := sources.Finding{Level: sources.Warning, Subject: "daemon", Text: err.Error()}
	var u *unreachable
	if errors.As(err, &u) {
		f.Text, f.Cure = u.text, u.cure
		if errors.Is(err, fs.ErrNotExist) {
			f.Level = sources.Notice
		}
	}
	return []sources.Finding{f}
}

// fetchStatus asks the daemon for its status.
func (a *App) fetchStatus(ctx context.Context) (*actors.Status, error) {
	data, err := a.client().getAll(ctx, "/v1/status", nil, api.ProtobufType)
	if err != nil {
		return nil, err
	}
	m := &weirpb.Status{}
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("read status: %w", err)
	}
	st := actors.StatusFromProto(m)
	return &st, nil
}
