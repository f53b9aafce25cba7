package conntrack

import (
	"cmp"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mdlayher/netlink"
	timo "github.com/ti-mo/conntrack"
	"golang.org/x/sys/unix"
)

const (
	msgGetStats = unix.NFNL_SUBSYS_CTNETLINK<<8 | 5

	ctaStatsGlobalEntries    = 1
	ctaStatsGlobalMaxEntries = 2

	// tableSizeAnswerBytes is room for the answer, of some 40 bytes, to a question about the size.
	tableSizeAnswerBytes = 4 << 10

	// answerWithin is how long an answer of the kernel may take, which gives it at once.
	answerWithin = 5 * time.Second
)

// kernelStats asks the kernel for its own numbers, on sockets of its own.
type kernelStats struct {
	conn *timo.Conn
	// sock asks for the table's size. The library's StatsGlobal waits for ever with the netlink package of today: the
	// kernel marks its one answer as part of several, and no last part follows.
	sock    *socket
	foreign atomic.Uint64
}

// tableSize is how many entries the table has and may have.
type tableSize struct{ entries, limit uint32 }

// openKernelStats opens the sockets and asks once: the kernel lets anybody open a socket and says no only to
// the first request. That request also makes the kernel load the module.
func openKernelStats() (*kernelStats, error) {
	k := &kernelStats{}
	var err error
	if k.sock, err = dial(tableSizeAnswerBytes, &k.foreign); err != nil {
		return nil, err
	}
	if k.conn, err = timo.Dial(nil); err != nil {
		k.sock.close()
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	if _, err := askTableSize(k.sock); err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

func (k *kernelStats) close() {
	k.sock.close()
	_ = k.conn.Close()
}

// askTableSize asks on a socket that nobody else reads.
func askTableSize(sock *socket) (tableSize, error) {
	m, err := sock.conn.Send(netlink.Message{
		Header: netlink.Header{Type: msgGetStats, Flags: netlink.Request},
		Data:   make([]byte, nfgenLen),
	})
	if err != nil {
		return tableSize{}, fmt.Errorf("ask for the table's size: %w", err)
	}
	if err := sock.wakeAt(time.Now().Add(answerWithin)); err != nil {
		return tableSize{}, fmt.Errorf("ask for the table's size: %w", err)
	}
	for {
		b, err := sock.receive()
		if err != nil {
			return tableSize{}, fmt.Errorf("read the table's size: %w", err)
		}
		h, payload, _, ok, err := nextMessage(b)
		switch {
		case err != nil:
			return tableSize{}, fmt.Errorf("read the table's size: %w", err)
		case !ok || h.seq != m.Header.Sequence:
			continue // Of a request that was given up.
		case h.typ == unix.NLMSG_ERROR:
			return tableSize{}, fmt.Errorf("ask for the table's size: %w", cmp.Or(result(payload), errMalformed))
		}
		return readTableSize(payload)
	}
}

func readTableSize(payload []byte) (t tableSize, err error) {
	if len(payload) < nfgenLen {
		return t, errMalformed
	}
	for b := payload[nfgenLen:]; len(b) >= attrLen; {
		typ, v, rest := cutAttr(b)
		ok := true
		switch typ {
		case badAttr:
			ok = false
		case ctaStatsGlobalEntries:
			ok = u32(v, &t.entries)
		case ctaStatsGlobalMaxEntries:
			ok = u32(v, &t.limit)
		}
		if !ok {
			return t, errMalformed
		}
		b = rest
	}
	return t, nil
}

// readKernelStats brings the metrics up to date; the caller has the token of dumping.
func (s *Source) readKernelStats() {
	size, err := askTableSize(s.kernel.sock)
	if err != nil {
		s.core.Log.Debug().Err(err).Msg("no size of the connection table")
		return
	}
	s.metrics.entries.Store(uint64(size.entries))
	s.metrics.maxEntries.Store(uint64(size.limit))
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
