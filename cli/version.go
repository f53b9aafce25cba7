package cli

import (
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"weir/columns"
	"weir/computations"
	"weir/sources"
)

// versionCommand tells what this program is made of.
func (a *App) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, and what this build links",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			s := a.screen(a.Out)
			b := readBuild()
			s.printf("weir %s\n", b.version)
			if b.revision != "" {
				s.printf("revision  %s %s\n", b.revision, b.time)
			}
			s.printf("built by  %s for %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
			s.printf("sources   %s\n", linkedSources())
			s.printf("computes  %s\n", linkedComputations())
			s.printf("columns   %s\n", strings.Join(columns.Names(), " "))
			return nil
		},
	}
}

// build is what the linker noted.
type build struct{ version, revision, time string }

// readBuild reads the notes; without a repository there is no revision.
func readBuild() build {
	b := build{version: "(devel)"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.revision = s.Value + b.revision
		case "vcs.time":
			b.time = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				b.revision += "+changes"
			}
		}
	}
	return b
}

// Version is the version of this build, for logs and recordings.
func Version() string { return readBuild().version }

func linkedSources() string {
	var names []string
	for _, d := range sources.All() {
		names = append(names, d.Name)
	}
	return orNone(names)
}

func linkedComputations() string {
	var names []string
	for _, d := range computations.All() {
		names = append(names, d.Name)
	}
	return orNone(names)
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " ")
}
