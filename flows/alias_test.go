package flows

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/columns"
	"weir/messages"
)

// cluster is some tables whose messages to each other are delivered one by one, in any order between two pairs.
type cluster struct {
	tables []*Table
	mail   [][]mail // by receiver
	seq    uint64
}

type mail struct {
	to int
	m  any
}

func newCluster(shards int) *cluster {
	c := &cluster{mail: make([][]mail, shards), seq: 1}
	for i := range shards {
		c.tables = append(c.tables, NewTable(Options{
			Shard: i, Shards: shards, Seed: seed, Home: home, CountsSince: born, Events: true,
			Send: func(to int, m any) bool {
				c.mail[to] = append(c.mail[to], mail{to, m})
				return true
			},
		}))
	}
	return c
}

// deliver hands one message over; false if there is none for the table.
func (c *cluster) deliver(to int) bool {
	if len(c.mail[to]) == 0 {
		return false
	}
	l := c.mail[to][0]
	c.mail[to] = c.mail[to][1:]
	switch m := l.m.(type) {
	case *messages.LearnAliases:
		c.tables[to].LearnAliases(m)
	case *messages.Batch:
		c.tables[to].Apply(m)
	}
	return true
}

func (c *cluster) deliverAll() {
	for more := true; more; {
		more = false
		for to := range c.tables {
			more = c.deliver(to) || more
		}
	}
}

func (c *cluster) send(u messages.Update, alias *messages.Key, tags ...columns.Tag) {
	u.Hash = u.Key.Hash(seed)
	m := messages.NewBatch()
	m.Source = "source"
	m.Add(&u, alias, tags)
	to := ShardOf(u.Hash, len(c.tables))
	c.mail[to] = append(c.mail[to], mail{to, m})
}

func (c *cluster) close() {
	for _, t := range c.tables {
		t.Close(&messages.CloseSlice{Seq: c.seq})
	}
	c.seq++
}

// hear gives the tags of each flow, by its key.
func (c *cluster) hear(into map[messages.Key]string) {
	for _, t := range c.tables {
		for _, e := range t.TakeEvents(1 << 20) {
			var words strings.Builder
			for _, tag := range e.Tags {
				fmt.Fprintf(&words, "%d:%s ", tag.End, tag.Value)
			}
			into[e.Key] = words.String()
		}
	}
}

func (c *cluster) sum(of func(*Stats) uint64) (sum uint64) {
	for _, t := range c.tables {
		s := t.Stats()
		sum += of(&s)
	}
	return sum
}

// outside is what a watcher beyond the NAT says of a flow: its tag is for the server.
func outside(alias messages.Key, seen time.Duration, name string) (messages.Update, columns.Tag) {
	server := columns.EndA
	if alias.B == end(server2) {
		server = columns.EndB
	}
	return messages.Update{Key: alias, Stop: born.Add(seen).UnixNano()}, textEnd.Tag(server, name)
}

const server2 = "93.184.216.34:443"

// masked is a flow behind NAT, from a host to the server, and its alias with a port.
func masked(host, port int, start time.Duration) (messages.Update, messages.Key) {
	u := flowOf("192.168.1."+strconv.Itoa(host)+":1000", server2, start, 100, 900)
	wan, swapped := messages.MakeKey(6, 0, end(server2), end("203.0.113.1:"+strconv.Itoa(port)))
	if swapped {
		u.Flags |= messages.ResponderAliasB
	}
	return u, wan
}

// Tags under an alias that come before anything is known of the flow wait under the alias, in whichever shard.
func TestTagsUnderAnAliasWaitForTheFlow(t *testing.T) {
	for _, order := range []string{"tags, record", "tags, new, record", "new, tags, record"} {
		for _, shards := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s/%d", order, shards), func(t *testing.T) {
				c := newCluster(shards)
				for i := range 40 {
					u, alias := masked(2+i, 20000+i, time.Second)
					seen, tag := outside(alias, 2*time.Second, strconv.Itoa(i))
					switch order {
					case "tags, new, record":
						c.send(seen, nil, tag)
						c.deliverAll()
						c.send(announced(u), &alias)
					case "new, tags, record":
						c.send(announced(u), &alias)
						c.deliverAll()
						c.send(seen, nil, tag)
					default:
						c.send(seen, nil, tag)
					}
					c.deliverAll()
					c.send(u, &alias)
					c.deliverAll()
				}
				got := map[messages.Key]string{}
				c.hear(got)
				for i := range 40 {
					u, _ := masked(2+i, 0, 0)
					want := fmt.Sprintf("%d:%d ", columns.EndA, i)
					if u.Key.B == end(server2) {
						want = fmt.Sprintf("%d:%d ", columns.EndB, i)
					}
					if got[u.Key] != want {
						t.Errorf("flow %d has the tags %q, want %q", i, got[u.Key], want)
					}
				}
				c.close()
				if n := c.sum(func(s *Stats) uint64 { return s.Announced }); n != 0 {
					t.Errorf("%d flows are announced still", n)
				}
			})
		}
	}
}

// Tags that come back from the flow that had an alias before go on to the one that has it by now.
func TestTagsThatAreGivenBackGoToTheNextOwner(t *testing.T) {
	c := newCluster(16)
	first, alias := masked(2, 20000, time.Second)
	second, _ := masked(3, 20000, 20*time.Second)
	over := ended(first)
	over.Stop = first.Start + int64(time.Second)
	c.send(over, &alias)
	c.deliverAll()
	seen, tag := outside(alias, 21*time.Second, "x")
	c.send(seen, nil, tag)
	at := ShardOf(alias.Hash(seed), 16)
	c.deliver(at) // On its way to the first owner.
	c.send(second, &alias)
	c.deliver(ShardOf(second.Key.Hash(seed), 16))
	c.deliver(at) // The second owner is known.
	c.deliverAll()
	got := map[messages.Key]string{}
	c.hear(got)
	if got[second.Key] == "" || got[first.Key] != "" {
		t.Errorf("the first owner has %q, the second %q", got[first.Key], got[second.Key])
	}
}

// Hosts use the same port of the NAT one after the other, and a watcher beyond it tags each use. However shards
// and their messages are late, each tag ends at the flow that it was seen of, or is counted as dropped.
func TestEveryTagUnderAnAliasAtItsOwner(t *testing.T) {
	type use struct {
		host        int
		start, stop time.Duration
		tags        int
	}
	rapid.Check(t, func(rt *rapid.T) {
		c := newCluster(rapid.SampledFrom([]int{1, 3}).Draw(rt, "shards"))
		now, uses, sent := time.Second, []*use{}, uint64(0)
		owner, free := map[string]messages.Key{}, 2
		got := map[messages.Key]string{}
		update := func(u *use) (messages.Update, messages.Key) { return masked(u.host, 20000, u.start) }
		type lateTag struct {
			seen time.Duration
			name string
		}
		var late []lateTag
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			now += time.Duration(rapid.SampledFrom([]int{1, 100, 3000}).Draw(rt, "ms")) * time.Millisecond
			var u *use
			if len(uses) > 0 && uses[len(uses)-1].stop == 0 {
				u = uses[len(uses)-1]
			}
			switch rapid.SampledFrom([]string{
				"begin", "end", "see", "see", "apply", "apply", "dump", "new", "close", "deliver", "deliver", "all",
			}).Draw(rt, "step") {
			case "begin":
				if n := len(uses); u == nil && (n == 0 || now > uses[n-1].stop+time.Duration(slack)) {
					uses = append(uses, &use{host: free, start: now})
					free++
				}
			case "end":
				if u != nil {
					u.stop = now
					m, alias := update(u)
					m = ended(m)
					m.Stop = born.Add(now).UnixNano()
					c.send(m, &alias)
					c.deliverAll()
				}
			case "see":
				if u != nil && u.tags < maxValues {
					u.tags++
					m, _ := update(u)
					name := fmt.Sprintf("%d.%d", u.host, u.tags)
					owner[name] = m.Key
					late = append(late, lateTag{now, name})
				}
			case "apply":
				if len(late) > 0 {
					_, alias := masked(0, 20000, 0)
					m, tag := outside(alias, late[0].seen, late[0].name)
					c.send(m, nil, tag)
					sent++
					late = late[1:]
				}
			case "dump":
				if u != nil {
					m, alias := update(u)
					c.send(m, &alias)
				}
			case "new":
				if u != nil {
					m, alias := update(u)
					c.send(announced(m), &alias)
				}
			case "deliver":
				c.deliver(rapid.IntRange(0, len(c.tables)-1).Draw(rt, "to"))
			case "all":
				c.deliverAll()
			case "close":
				c.deliverAll()
				c.hear(got)
				c.close()
			}
			c.hear(got)
			for _, tab := range c.tables {
				if fault := tab.fault(); fault != "" {
					rt.Fatal(fault)
				}
			}
		}
		for range announcedSlices + 3 {
			c.deliverAll()
			c.hear(got)
			c.close()
		}
		c.hear(got)
		found := uint64(0)
		for name, key := range owner {
			for k, text := range got {
				if !hasTag(text, name) {
					continue
				}
				if found++; k != key {
					rt.Fatalf("tag %s is at another flow", name)
				}
			}
		}
		unclaimed := c.sum(func(s *Stats) uint64 { return s.TagsUnclaimed })
		if found+unclaimed != sent {
			rt.Fatalf("%d tags at their flows and %d unclaimed of %d", found, unclaimed, sent)
		}
	})
}

func hasTag(text, name string) bool {
	for word := range strings.FieldsSeq(text) {
		if _, value, _ := strings.Cut(word, ":"); value == name {
			return true
		}
	}
	return false
}

// What another shard does not take costs totals only if it counts.
func TestTagsThatAShardRefusesAreMissingFromNoTotal(t *testing.T) {
	for kind, want := range map[messages.CounterKind]messages.LossKind{
		messages.Delta: messages.LossShed, messages.NoCounters: messages.LossUntagged,
	} {
		b := newBench(t, func(o *Options) { o.Shards = 2 })
		for port := 1; ; port++ {
			u, alias := natted(port)
			if u.Hash = u.Key.Hash(seed); ShardOf(u.Hash, 2) == 0 || ShardOf(alias.Hash(seed), 2) != 0 {
				continue
			}
			b.tab.LearnAliases(&messages.LearnAliases{Aliases: []messages.Alias{{Key: alias, Owner: u.Key}}})
			m := messages.NewBatch()
			m.Add(&messages.Update{Key: alias, Hash: alias.Hash(seed), Kind: kind}, nil, []columns.Tag{text.Tag("x")})
			b.tab.Apply(m)
			break
		}
		p := b.close()
		if len(p.Losses) != 1 || p.Losses[0].Kind != want || p.Losses[0].Count != 1 {
			t.Errorf("kind %d: losses %v", kind, p.Losses)
		}
	}
}
