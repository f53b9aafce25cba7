package bucket_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/disk"
	"weir/internal/disk/disktest"
	"weir/messages"
	"weir/store"
	"weir/store/bucket"
	"weir/store/storetest"
)

// growing is a tier that keeps each slice in a file of its own.
type growing struct {
	*bucket.Tier
	fs    disk.FS
	dir   string
	paths []string
	made  int
}

func newTier(t testing.TB, fs disk.FS, dir string) *bucket.Tier {
	t.Helper()
	tier, err := bucket.OpenTier(fs, bucket.TierOptions{
		Name: "test", Dir: dir, Resolution: storetest.Resolution, Budget: 1 << 40, Log: zerolog.Nop(), OpenFiles: 8,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tier.Close() })
	return tier
}

func (g *growing) write(feed func(w *bucket.Writer) error) (string, error) {
	g.made++
	path := filepath.Join(g.dir, fmt.Sprintf("%06d", g.made)+bucket.Suffix)
	_, err := bucket.Write(context.Background(), g.fs, path, bucket.Options{
		Tier: "test", Resolution: storetest.Resolution,
	}, feed)
	return path, err
}

func (g *growing) Append(s *messages.Slice) error {
	packed, err := store.Pack(s.Parts)
	if err != nil {
		return err
	}
	b := &store.Block{}
	packed.View(&b.Part)
	h := store.Head{Seq: s.Seq, Span: s.Span, Losses: s.Losses, Complete: s.Complete, Other: b.Other}
	b.Starts = store.SameInts(uint64(s.Span.Start.UnixNano()), b.Rows)
	path, err := g.write(func(w *bucket.Writer) error {
		if err := w.Head(&h); err != nil {
			return err
		}
		if b.Rows == 0 {
			return nil
		}
		return w.Block(b)
	})
	if err != nil {
		return err
	}
	g.paths = append(g.paths, path)
	return g.Add(path)
}

// Relabel writes the files anew.
func (g *growing) Relabel(since uint64, delta time.Duration) error {
	delta = delta.Truncate(storetest.Resolution) - map[bool]time.Duration{true: storetest.Resolution}[delta.Truncate(
		storetest.Resolution) > delta]
	for i, path := range g.paths {
		f, err := bucket.Open(g.fs, path)
		if err != nil {
			return err
		}
		h := f.Heads()[0]
		if h.Seq < since {
			f.Close()
			continue
		}
		h.Span = move(h.Span, delta)
		for k := range h.Losses {
			h.Losses[k].Span = move(h.Losses[k].Span, delta)
		}
		next, err := g.write(func(w *bucket.Writer) error {
			if err := w.Head(&h); err != nil {
				return err
			}
			return f.Blocks(context.Background(), nil, func(b *store.Block) error {
				b.Starts = store.SameInts(uint64(h.Span.Start.UnixNano()), b.Rows)
				return w.Block(b)
			})
		})
		f.Close()
		if err != nil {
			return err
		}
		if err := g.Swap([]string{next}, []string{path}); err != nil {
			return err
		}
		g.paths[i] = next
	}
	return nil
}

func move(s messages.Span, by time.Duration) messages.Span {
	if s == (messages.Span{}) {
		return s
	}
	return messages.Span{Start: s.Start.Add(by), End: s.End.Add(by)}
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Tier {
		t.Helper()
		fs := disktest.New()
		return &growing{Tier: newTier(t, fs, "/tier"), fs: fs, dir: "/tier"}
	})
}
