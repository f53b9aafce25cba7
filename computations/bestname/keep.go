package bestname

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"weir/columns/name"
)

// What is saved, numbers in little-endian order or as unsigned varints (v), the entries from the one that was
// not used for longest:
//
//	version 1 byte
//	entry   kind 1 byte, address 16, client 16, mac 6, mac before 6, when each was told last 8 and 8,
//	        mac of the last lease 6, when it was told 8,
//	        number of items v, then each item: length of the name v, the name, at 8, until 8, evidence 1, mac 6
//	…
//	end     1 byte, 0
//
// Addresses of IPv4 are in their mapped form. The core wraps it with a checksum; bounds are checked all the
// same.
const (
	savedVersion = 2
	savedEnd     = 0
	// maxSaved bounds what is saved, in bytes; the core takes 16 MiB.
	maxSaved = 15 << 20
)

var errSaved = errors.New("not what this version has saved")

// Save writes the cache, or of a large one what was used last.
func (c *computation) Save(w io.Writer) error {
	b := bufio.NewWriter(w)
	buf := []byte{savedVersion}
	for e := c.cache.newest(maxSaved); e != nil; e = e.links[byUse].newer {
		buf = e.appendTo(buf)
		if _, err := b.Write(buf); err != nil {
			return fmt.Errorf("save names: %w", err)
		}
		buf = buf[:0]
	}
	_, err := b.Write(append(buf, savedEnd))
	if err = errors.Join(err, b.Flush()); err != nil {
		return fmt.Errorf("save names: %w", err)
	}
	return nil
}

// newest gives the oldest of the entries that were used last and are saved in so many bytes.
func (c *cache) newest(most int) (first *entry) {
	for e := c.all.newest; e != nil; e = e.links[byUse].older {
		most -= savedEntry
		for i := range e.items {
			most -= savedItem + len(e.items[i].name)
		}
		if most < 0 {
			break
		}
		first = e
	}
	return first
}

const (
	// savedEntry and savedItem are what they take at most, beside names.
	savedEntry, savedItem = 1 + 16 + 16 + 6 + 6 + 8 + 8 + 6 + 8 + 1, 2 + 8 + 8 + 1 + 6
)

func (e *entry) appendTo(b []byte) []byte {
	b = append(b, byte(e.key.kind))
	b = append(b, e.key.addr[:]...)
	b = append(b, e.key.client[:]...)
	b = append(b, e.mac[:]...)
	b = append(b, e.before[:]...)
	b = appendTimes(b, e.last, e.changed)
	b = append(b, e.lease[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(e.leased)) //nolint:gosec // As bits.
	b = binary.AppendUvarint(b, uint64(len(e.items)))
	for i := range e.items {
		n := &e.items[i]
		b = binary.AppendUvarint(b, uint64(len(n.name)))
		b = append(b, n.name...)
		b = appendTimes(b, n.at, n.until)
		b = append(b, byte(n.by))
		b = append(b, n.mac[:]...)
	}
	return b
}

func appendTimes(b []byte, from, to int64) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(from))  //nolint:gosec // As bits.
	return binary.LittleEndian.AppendUint64(b, uint64(to)) //nolint:gosec // As bits.
}

// Load reads what Save wrote into an empty cache. What does not hold any more is forgotten as soon as the
// time is known.
func (c *computation) Load(r io.Reader) error {
	d := &decoder{r: bufio.NewReader(r)}
	c.cache = newCache(int64(c.config.Cache))
	if v := d.byte(); d.err == nil && v != savedVersion {
		return fmt.Errorf("load names: version %d: %w", v, errSaved)
	}
	for kind := d.byte(); d.err == nil && kind != savedEnd; kind = d.byte() {
		c.loadEntry(d, entryKind(kind))
	}
	if d.err != nil {
		c.cache = newCache(int64(c.config.Cache))
		return fmt.Errorf("load names: %w", d.err)
	}
	c.loaded = true
	return nil
}

func (c *computation) loadEntry(d *decoder, kind entryKind) {
	k := entryKey{kind: kind}
	d.read(k.addr[:])
	d.read(k.client[:])
	var mac, before [6]byte
	d.read(mac[:])
	d.read(before[:])
	last, changed := d.time(), d.time()
	var lease [6]byte
	d.read(lease[:])
	leased := d.time()
	items := d.items()
	if d.err != nil {
		return
	}
	located := mac != [6]byte{}
	if !k.sound() || c.cache.entries[k] != nil || located && kind != device || !located && before != mac {
		d.err = errSaved
		return
	}
	e := c.cache.make(k)
	e.before, e.last, e.changed, e.lease, e.leased = before, last, changed, lease, leased
	if located {
		c.cache.move(e, mac)
	}
	for _, i := range items {
		i.name = e.own(i.name)
		e.items = append(e.items, i)
	}
	c.cache.charge(e)
}

// sound says whether there are entries with such a key.
func (k *entryKey) sound() bool {
	switch k.kind {
	case asked:
		return true
	case reversed, device:
		return k.client == [16]byte{}
	default:
		return false
	}
}

// decoder reads what was saved. After the first error all that it gives is zero.
type decoder struct {
	r   *bufio.Reader
	err error
}

func (d *decoder) read(b []byte) {
	if d.err != nil {
		return
	}
	if _, err := io.ReadFull(d.r, b); err != nil {
		clear(b)
		d.err = err
	}
}

func (d *decoder) byte() byte {
	var b [1]byte
	d.read(b[:])
	return b[0]
}

// count reads a number up to some bound.
func (d *decoder) count(most int) int {
	if d.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(d.r)
	switch {
	case err != nil:
		d.err = err
	case n > uint64(most): //nolint:gosec // Never negative.
		d.err = errSaved
	default:
		return int(n) //nolint:gosec // Bounded above.
	}
	return 0
}

// time reads a time. One that is so far off that sums with it overflow was never written.
func (d *decoder) time() int64 {
	var b [8]byte
	d.read(b[:])
	t := int64(binary.LittleEndian.Uint64(b[:])) //nolint:gosec // As bits.
	if t < 0 || t > 2*lastTime {
		d.err = errSaved
	}
	return t
}

// items reads the names of an entry, which are in order.
func (d *decoder) items() []item {
	items := make([]item, d.count(maxNames))
	for i := range items {
		n := &items[i]
		b := make([]byte, d.count(longestName))
		d.read(b)
		n.name = string(b)
		n.at, n.until = d.time(), d.time()
		n.by = evidence(d.byte())
		d.read(n.mac[:])
		if d.err == nil && (!storable(n.name) || n.by > name.Host || i > 0 && compareItems(items[i-1], *n) >= 0) {
			d.err = errSaved
		}
	}
	return items
}

// storable says whether a name is one that is taken from facts.
func storable(s string) bool {
	n, _ := asName(s)
	return n == s && n != "" && name.Clean(n) == n
}
