package cli

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"weir/config"
	"weir/sources/suricata/evelog"
)

// suricataConfigCommand prints Suricata's side of the connection.
func (a *App) suricataConfigCommand() *cobra.Command {
	var (
		flags              configFlags
		version, transport string
		o                  evelog.Options
	)
	cmd := &cobra.Command{
		Use:   "suricata-config --for VERSION",
		Short: "Print what to put into suricata.yaml so that Suricata tells names",
		Long: `Prints the section of suricata.yaml that makes Suricata write to this daemon what it sees:
who asked for which name, which names connections carry. It is right for one version of
Suricata: another one may refuse to start with it. 'suricata -V' says which one is there.

The path is the one in [sources.suricata] of the configuration, if one is set there.`,
		Example: `  weir suricata-config --for 7
  weir suricata-config --for 8 --transport file --path /var/log/suricata/weir.json
  weir suricata-config --for 8 --fingerprints`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			l, err := a.load(&flags)
			if err != nil {
				return err
			}
			if version == "" {
				return &usageError{errors.New("name Suricata's version, as in --for 8; 'suricata -V' says it")}
			}
			if o.Version, err = majorOf(version); err != nil {
				return &usageError{err}
			}
			o.Transport = evelog.Transport(transport)
			configured(l.Config, &o)
			text, err := evelog.Text(o)
			if err != nil {
				return &usageError{err}
			}
			_, err = io.WriteString(a.Out, text)
			return err
		},
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&version, "for", "", "version of Suricata: 6, 7 or 8, or all of it such as 8.0.7")
	cmd.Flags().StringVar(&transport, "transport", "",
		"stream, datagram or file (default: what is configured, else stream)")
	cmd.Flags().StringVar(&o.Path, "path", "", "path of the socket or file (default: what is configured)")
	cmd.Flags().BoolVar(&o.Fingerprints, "fingerprints", false, "ask for JA3 and JA4 fingerprints of TLS clients too")
	return cmd
}

// majorOf reads the version as 'suricata -V' prints it: 8, 8.0.7, 7.0.0-dev, or 6.x.
func majorOf(version string) (int, error) {
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.ParseUint(major, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("--for: %q is no version of Suricata, such as 8 or 8.0.7", version)
	}
	return int(n), nil
}

// configured fills in what the flags leave open and [sources.suricata] says.
func configured(c *config.Config, o *evelog.Options) {
	for _, s := range c.Sources {
		listener, ok := s.Config.(listening)
		if !ok {
			continue
		}
		for _, t := range evelog.Transports() {
			path := listener.Where(string(t))
			if path == "" || o.Transport != "" && o.Transport != t {
				continue
			}
			if o.Path == "" {
				o.Path = path
			}
			o.Transport = t
		}
	}
}
