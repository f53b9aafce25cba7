package tiers

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/messages"
	"weir/store"
	"weir/store/bucket"
)

// file is a bucket file that is open.
type file struct {
	*bucket.File
	info bucket.Info
	// name is that of the file without its folder; no other file of the tier ever has it, but for one made again of
	// the same.
	name string
	// keep is what it has left out, sources are the names of what was rolled up into it.
	keep    keep
	sources []string
	closed  sync.Once
}

// Close gives it back; more than once is no harm.
func (f *file) Close() (err error) {
	f.closed.Do(func() { err = f.File.Close() })
	return err
}

// fileSuffix ends the names of bucket files.
const fileSuffix = ".parquet"

// fileName names a file by its bucket and the numbers of its slices.
func fileName(start time.Time, first, last uint64) string {
	return fmt.Sprintf("%s-%d-%d%s", start.UTC().Format("20060102T150405Z"), first, last, fileSuffix)
}

func newFile(f *bucket.File) *file {
	info := f.Info()
	n := &file{File: f, info: info, name: filepath.Base(info.Path)}
	n.keep, n.sources = keepOf(info.Sources)
	return n
}

// Columns names the columns that have cells in it.
func (f *file) Columns() []string { return f.info.Columns }

// catalog is all that is stored, at some moment. It never changes.
type catalog struct {
	// generation counts catalogs.
	generation uint64
	// files are those of each level, by bucket and number.
	files [][]*file
	// moved names the segments whose rows are in files of the first level.
	moved map[string]bool
	// rolled[k] names the files of level k that are in files of level k+1 too; the last level has none.
	rolled []map[string]bool
	// gone[k] are the spans of which level k has lost files that a coarser level has.
	gone [][]messages.Span
	// waiting[k] are the buckets of level k of which some finer file is not rolled up yet.
	waiting [][]messages.Span
	bytes   []uint64
}

// newCatalog makes a catalog of files.
func newCatalog(generation uint64, levels []Level, files [][]*file) *catalog {
	c := &catalog{generation: generation, files: files, moved: map[string]bool{}}
	for k, level := range files {
		slices.SortFunc(level, func(a, b *file) int {
			return cmp.Or(a.info.Bucket.Start.Compare(b.info.Bucket.Start), cmp.Compare(a.info.First, b.info.First),
				cmp.Compare(a.name, b.name))
		})
		c.rolled, c.bytes = append(c.rolled, map[string]bool{}), append(c.bytes, 0)
		for _, f := range level {
			c.bytes[k] += f.info.Bytes
		}
	}
	c.findMoved()
	for k := 1; k < len(files); k++ {
		for _, f := range files[k] { //nolint:gosec // Less than its length.
			c.findRolled(f, k-1, levels[k-1].Name)
		}
	}
	c.findRolledFurther()
	c.gone, c.waiting = c.findGone(levels), c.findWaiting(levels)
	return c
}

// source names a file among the sources of another one.
func source(level, name string) string { return level + "/" + name }

// findRolled notes which files of a level were rolled up into a file of the next. If that was made when the ladder
// had another level in this place, it is told by the numbers of the slices.
func (c *catalog) findRolled(into *file, level int, levelName string) {
	foreign := false
	for _, s := range into.sources {
		if name, ok := strings.CutPrefix(s, levelName+"/"); ok {
			c.rolled[level][name] = true
		} else {
			foreign = true
		}
	}
	if !foreign {
		return
	}
	for _, f := range c.files[level] {
		b := f.info.Bucket
		if f.info.First >= into.info.First && f.info.Last <= into.info.Last &&
			!b.Start.Before(into.info.Bucket.Start) && !b.End.After(into.info.Bucket.End) {
			c.rolled[level][f.name] = true
		}
	}
}

// findRolledFurther notes which files are in a coarser tier than the next, which has given them up, or never kept
// them. When a bucket is made nothing finer waits in its span, so all slices up to its last one are in it.
func (c *catalog) findRolledFurther() {
	for j := 2; j < len(c.files); j++ {
		for _, into := range c.files[j] {
			if slices.ContainsFunc(into.sources, isImport) {
				continue // Its slices have the numbers of another store.
			}
			for k, files := range c.files[:j-1] {
				for _, f := range files {
					b := f.info.Bucket
					if f.info.Last <= into.info.Last && !b.Start.Before(into.info.Bucket.Start) &&
						!b.End.After(into.info.Bucket.End) {
						c.rolled[k][f.name] = true
					}
				}
			}
		}
	}
}

// isImport says that a source is a file that was imported.
func isImport(source string) bool { return strings.HasPrefix(source, importSource) }

// importSource begins the source of a file that was imported.
const importSource = "import "

// findMoved finds the segments all parts of which are in files of the first level.
func (c *catalog) findMoved() {
	parts := map[string]int{}
	for _, f := range c.files[0] {
		for _, source := range f.sources {
			name, of := cutPart(source)
			if parts[name]++; of > 0 && parts[name] == of {
				c.moved[name] = true
			}
		}
	}
}

// partSource names a part of a segment among the sources of a file.
func partSource(segment string, of int) string { return fmt.Sprintf("%s of %d", segment, of) }

// cutPart reads it.
func cutPart(source string) (segment string, of int) {
	segment, rest, _ := strings.Cut(source, " of ")
	if _, err := fmt.Sscanf(rest, "%d", &of); err != nil {
		return source, 0
	}
	return segment, of
}

// findGone finds what each level has lost.
func (c *catalog) findGone(levels []Level) [][]messages.Span {
	gone := make([][]messages.Span, len(c.files))
	for k := len(c.files) - 2; k >= 0; k-- {
		have := map[string]bool{}
		for _, f := range c.files[k] {
			have[source(levels[k].Name, f.name)] = true
		}
		spans := slices.Clone(gone[k+1])
		for _, f := range c.files[k+1] {
			if slices.ContainsFunc(f.sources, func(name string) bool { return !have[name] }) {
				spans = append(spans, f.info.Bucket)
			}
		}
		gone[k] = union(spans)
	}
	return gone
}

// findWaiting finds the buckets of each level that are not complete.
func (c *catalog) findWaiting(levels []Level) [][]messages.Span {
	waiting := make([][]messages.Span, len(c.files))
	for k := 1; k < len(c.files); k++ {
		width := levels[k].Bucket.Duration
		spans := make([]messages.Span, 0, len(waiting[k-1]))
		for _, s := range waiting[k-1] {
			spans = append(spans, outer(s, width))
		}
		for _, f := range c.unrolled(k - 1) {
			spans = append(spans, outer(f.info.Bucket, width))
		}
		waiting[k] = union(spans)
	}
	return waiting
}

// unrolled are the files of a level that are in no file of the next one.
func (c *catalog) unrolled(level int) []*file {
	var files []*file
	for _, f := range c.files[level] {
		if !c.rolled[level][f.name] {
			files = append(files, f)
		}
	}
	return files
}

// total is what all files take.
func (c *catalog) total() (sum uint64) {
	for _, b := range c.bytes {
		sum += b
	}
	return sum
}

// outer is the shortest span of whole buckets that holds another.
func outer(s messages.Span, width time.Duration) messages.Span {
	end := s.End.Truncate(width)
	if end.Before(s.End) {
		end = end.Add(width)
	}
	return messages.Span{Start: s.Start.Truncate(width), End: end}
}

// union puts spans in order and joins those that touch.
func union(spans []messages.Span) []messages.Span {
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b messages.Span) int { return a.Start.Compare(b.Start) })
	var out []messages.Span
	for _, s := range spans {
		if n := len(out); n > 0 && !s.Start.After(out[n-1].End) {
			if s.End.After(out[n-1].End) {
				out[n-1].End = s.End
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// without is what is left of a span when others are taken away, which are in order and do not touch.
func without(s messages.Span, holes []messages.Span) []messages.Span {
	var out []messages.Span
	for _, h := range holes {
		if !h.End.After(s.Start) {
			continue
		}
		if !h.Start.Before(s.End) {
			break
		}
		if s.Start.Before(h.Start) {
			out = append(out, messages.Span{Start: s.Start, End: h.Start})
		}
		s.Start = h.End
	}
	if s.Start.Before(s.End) {
		out = append(out, s)
	}
	return out
}

// hull is the span of all buckets of a level.
func (c *catalog) hull(level int) (s messages.Span) {
	for _, f := range c.files[level] {
		s = store.Hull(s, f.info.Bucket)
	}
	return s
}
