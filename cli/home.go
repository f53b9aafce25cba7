package cli

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"weir/config"
	"weir/flows"
)

// homeEvery is how often the machine's interfaces are looked at again: addresses come and go.
const homeEvery = 30 * time.Second

// homeFinder turns what is configured into networks.
type homeFinder struct {
	find    func() (*flows.Home, error)
	network func(interfaceName string) ([]netip.Prefix, error)
}

func newHomeFinder() homeFinder {
	return homeFinder{find: flows.FindHome, network: flows.InterfacePrefixes}
}

// resolve gives the home networks as they are now. The router's own addresses always come from its
// interfaces. An interface that is not there is told, not an error: it may come later.
func (f homeFinder) resolve(h config.Home) (home *flows.Home, missing []string, err error) {
	found, err := f.find()
	if err != nil {
		return nil, nil, fmt.Errorf("find home networks: %w", err)
	}
	if h.IsAuto() {
		return found, nil, nil
	}
	var prefixes []netip.Prefix
	for _, item := range h {
		ps, ok := literal(item)
		switch {
		case item == config.Auto:
			ps = found.Prefixes()
		case !ok:
			if ps, err = f.network(item); err != nil {
				missing = append(missing, err.Error())
			}
		}
		prefixes = append(prefixes, ps...)
	}
	return flows.NewHome(prefixes, found.Router()), missing, nil
}

// literal reads a prefix or an address.
func literal(item string) ([]netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(item); err == nil {
		return []netip.Prefix{p}, true
	}
	if a, err := netip.ParseAddr(item); err == nil {
		return []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}, true
	}
	return nil, false
}

// homeWatcher keeps the running daemon's idea of home up to date.
type homeWatcher struct {
	finder homeFinder
	config config.Home
	log    zerolog.Logger
	set    func(*flows.Home)
	now    *flows.Home
	// told is the last complaint, so that it is not repeated.
	told string
}

// watch looks again at each tick until ctx is done.
func (w *homeWatcher) watch(ctx context.Context, tick <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			w.look()
		}
	}
}

// look tells the daemon if home has changed.
func (w *homeWatcher) look() {
	home, missing, err := w.finder.resolve(w.config)
	if err != nil {
		w.complain(err.Error())
		return
	}
	w.complain(strings.Join(missing, "; "))
	if w.now != nil && home.Equal(w.now) {
		return
	}
	w.now = home
	w.set(home)
	w.log.Info().Strs("home", texts(home.Prefixes())).Msg("the home networks have changed")
}

// complain warns once of each state of things.
func (w *homeWatcher) complain(text string) {
	if text != "" && text != w.told {
		w.log.Warn().Str("why", text).Msg("some home networks are not known")
	}
	w.told = text
}

func texts(ps []netip.Prefix) []string {
	list := make([]string, len(ps))
	for i, p := range ps {
		list[i] = p.String()
	}
	return list
}
