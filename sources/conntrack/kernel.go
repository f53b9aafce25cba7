package conntrack

import (
	"fmt"

	timo "github.com/ti-mo/conntrack"
)

// kernelStats asks the kernel for its own numbers, on a socket of its own.
type kernelStats struct{ conn *timo.Conn }

// openKernelStats opens the socket and asks once: the kernel lets anybody open a socket and says no only to the
// first request. That request also makes the kernel load the module.
func openKernelStats() (*kernelStats, error) {
	conn, err := timo.Dial(nil)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	if _, err := conn.StatsGlobal(); err != nil {
		conn.Close() //nolint:errcheck,gosec // The other error is the news.
		return nil, fmt.Errorf("ask for the table's size: %w", err)
	}
	return &kernelStats{conn: conn}, nil
}

func (k *kernelStats) close() { _ = k.conn.Close() }

// readKernelStats brings the metrics up to date; the caller has the token of dumping.
func (s *Source) readKernelStats() {
	total, err := s.kernel.conn.StatsGlobal()
	if err != nil {
		s.core.Log.Debug().Err(err).Msg("no statistics of the connection table")
		return
	}
	s.metrics.entries.Store(uint64(total.Entries))
	s.metrics.maxEntries.Store(uint64(total.MaxEntries))
	cpus, err := s.kernel.conn.Stats()
	if err != nil {
		s.core.Log.Debug().Err(err).Msg("no statistics of the processors")
		return
	}
	var dropped, early, failed uint64
	for _, c := range cpus {
		dropped += uint64(c.Drop)
		early += uint64(c.EarlyDrop)
		failed += uint64(c.InsertFailed)
	}
	s.metrics.dropped.Store(dropped)
	s.metrics.earlyDropped.Store(early)
	s.metrics.insertFailed.Store(failed)
}
