package conntrack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// sysctlDir holds the switches of the network namespace of the thread that opens them.
const sysctlDir = "/proc/sys/net/netfilter"

// Switches that must be on before a flow begins, or it never has what they give.
const (
	sysctlAcct      = "nf_conntrack_acct"
	sysctlTimestamp = "nf_conntrack_timestamp"
	sysctlEvents    = "nf_conntrack_events"
)

// prepareSysctls turns the switches on if that is ours to do, and judges what is there then.
func (s *Source) prepareSysctls(dir string) error {
	for _, name := range []string{sysctlAcct, sysctlTimestamp, sysctlEvents} {
		v, err := readSysctl(dir, name)
		if err == nil && v != "1" && s.cfg.ManageSysctl {
			v, err = s.turnOn(dir, name, v)
		}
		if err := s.judgeSysctl(name, v, err); err != nil {
			return err
		}
	}
	return nil
}

// turnOn sets a switch and gives what it is then.
func (s *Source) turnOn(dir, name, old string) (string, error) {
	if err := os.WriteFile(filepath.Join(dir, name), []byte("1\n"), 0o644); err != nil { //nolint:gosec // In /proc.
		return old, fmt.Errorf("set net.netfilter.%s: %w", name, err)
	}
	s.core.Log.Info().Str("sysctl", "net.netfilter."+name).Str("old", old).Str("new", "1").Msg("set sysctl")
	return readSysctl(dir, name)
}

// judgeSysctl says what a value or an error means. Without accounting nothing can be counted, which is an
// error; the rest costs less.
func (s *Source) judgeSysctl(name, v string, err error) error {
	if err != nil {
		s.core.Log.Warn().Err(err).Str("sysctl", "net.netfilter."+name).Msg("cannot set sysctl")
	}
	cure := "sysctl -w net.netfilter." + name + "=1"
	off := v == "0" || v == "" && errors.Is(err, fs.ErrNotExist)
	switch {
	case name == sysctlAcct && off:
		return errors.Join(fmt.Errorf("conntrack: accounting is off, no flow has counters: %s "+
			"(or manage_sysctl = true)", cure), err)
	case name == sysctlTimestamp && off:
		s.conditions.set(noTimestamps, "nf_conntrack_timestamp is off: connections that use the same ports again "+
			"cannot always be told apart; "+cure)
	case name == sysctlEvents && off:
		s.conditions.set(eventsOff, "nf_conntrack_events is off: the ends of flows are not told, and what a flow "+
			"moves after the last dump before its end is missing; "+cure)
	case name == sysctlEvents && v == "2":
		s.core.Log.Info().Msg("nf_conntrack_events is 2: flows that began before weir give no final counters")
	}
	return nil
}

func readSysctl(dir, name string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return "", fmt.Errorf("read net.netfilter.%s: %w", name, err)
	}
	return strings.TrimSpace(string(b)), nil
}
