package tiers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/internal/units"
)

// Level configures one tier of bucket files.
type Level struct {
	// Name of the tier: lower-case letters and digits, since a directory is called like it.
	Name string `toml:"name" comment:"Name of the tier, also of its folder."`
	// Slice is the length of its slices, Bucket the span of one file.
	Slice  units.Duration `toml:"slice"  comment:"Length of a slice; it divides that of the next tier."`
	Bucket units.Duration `toml:"bucket" comment:"Span of one file: whole slices; it divides that of the next tier."`
	// Columns are kept: names, or alternatives such as "local.mac|local.ip", of which the first one that a row has a
	// cell in is kept. Empty keeps all that the tier before keeps, but for those in Drop.
	Columns []string `toml:"columns" comment:"Columns to keep; empty keeps all. 'a|b' keeps b where a is not known."`
	Drop    []string `toml:"drop"    comment:"Columns to leave out, if columns is empty."`
	// Retention is how long a slice is kept; 0 sets no bound. Bytes bounds what the files take; 0 sets none.
	Retention units.Duration `toml:"retention" comment:"How long slices are kept; 0s for ever."`
	Bytes     units.Bytes    `toml:"bytes"     comment:"What its files may take; 0 leaves that to the whole."`
	// TopK is how many rows of a slice keep their columns, those that moved most bytes; MinBytes how many bytes a row
	// must have moved for that. 0 sets no bound. What other rows say is in the slice's (other).
	TopK     int         `toml:"top_k"     comment:"Rows of a slice that keep their columns; 0 keeps all."`
	MinBytes units.Bytes `toml:"min_bytes" comment:"What a row must have moved to keep its columns."`
}

func duration(d time.Duration) units.Duration { return units.Duration{Duration: d} }

// Default is the ladder for a home router.
func Default() []Level {
	far := []string{"local.mac|local.ip", "remote.name", "remote.site", "app", "direction"}
	return []Level{
		{
			Name: "10s", Slice: duration(10 * time.Second), Bucket: duration(time.Hour),
			Retention: duration(2 * units.Day),
		},
		{
			Name: "1min", Slice: duration(time.Minute), Bucket: duration(6 * time.Hour),
			Drop: []string{"local.port", "remote.port", "http.url"}, Retention: duration(30 * units.Day),
		},
		{
			Name: "10min", Slice: duration(10 * time.Minute), Bucket: duration(units.Day),
			Columns: append(slices.Clone(far), "proto"), Retention: duration(366 * units.Day),
		},
		{
			Name: "1h", Slice: duration(time.Hour), Bucket: duration(7 * units.Day),
			Columns: far, Retention: duration(3653 * units.Day),
		},
	}
}

// Validate checks a ladder. slice is the length of the slices that are closed.
func Validate(levels []Level, slice time.Duration) error {
	if len(levels) == 0 {
		return errors.New("tiers: there is none: the journal must fall into one")
	}
	if got := levels[0].Slice.Duration; got != slice {
		return fmt.Errorf("tier %s: %w", levels[0].Name, bad("slice", "its slices are %s long, but slices are closed "+
			"every %s: the first tier keeps them as they are", length(got), length(slice)))
	}
	for i := range levels {
		if err := levels[i].validate(); err != nil {
			return fmt.Errorf("tier %s: %w", levels[i].Name, err)
		}
		same := func(o Level) bool { return o.Name == levels[i].Name }
		if slices.ContainsFunc(levels[:i], same) {
			return fmt.Errorf("tier %s: %w", levels[i].Name, bad("name", "there are two of this name"))
		}
		if i == 0 {
			continue
		}
		if err := levels[i].follows(&levels[i-1]); err != nil {
			return fmt.Errorf("tier %s: %w", levels[i].Name, err)
		}
	}
	return nil
}

const maxName = 32

// keyError is a mistake in what a key of a level says.
type keyError struct{ key, text string }

func (e *keyError) Error() string { return e.text }

func bad(key, format string, a ...any) error {
	return &keyError{key: key, text: fmt.Sprintf(format, a...)}
}

// KeyOf gives the key that an error of [Validate] is about, or "" if it is about none. The level is the last one of
// the shortest ladder that has the error.
func KeyOf(err error) string {
	var e *keyError
	if errors.As(err, &e) {
		return e.key
	}
	return ""
}

// validate checks what a level says of itself.
func (l *Level) validate() error {
	slice, bucket := l.Slice.Duration, l.Bucket.Duration
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }
	switch {
	case l.Name == "" || len(l.Name) > maxName || strings.ContainsFunc(l.Name, odd):
		return bad("name", "its name must be lower-case letters and digits, since a folder is called like it")
	case l.Name == journalFolder:
		return bad("name", "the journal is called like that")
	case slice < time.Second:
		return bad("slice", "its slices must be a second long or more")
	case bucket < slice || bucket%slice != 0:
		return bad("bucket", "its bucket of %s must be whole slices of %s", length(bucket), length(slice))
	case l.Retention.Duration < 0 || l.TopK < 0:
		return bad("retention", "retention and top_k must not be negative")
	case l.Retention.Duration > 0 && l.Retention.Duration < bucket:
		return bad("retention", "it keeps slices for %s, which is less than a bucket of %s",
			length(l.Retention.Duration), length(bucket))
	case len(l.Columns) > 0 && len(l.Drop) > 0:
		return bad("drop", "give either the columns to keep or those to drop")
	}
	return nil
}

// follows checks a level against the finer one before it.
func (l *Level) follows(f *Level) error {
	switch {
	case l.Slice.Duration <= f.Slice.Duration || l.Slice.Duration%f.Slice.Duration != 0:
		return bad("slice", "its slices of %s must be whole slices of %s, those of tier %s, and longer",
			length(l.Slice.Duration), length(f.Slice.Duration), f.Name)
	case f.Bucket.Duration%l.Slice.Duration != 0:
		return bad("slice", "its slices of %s must divide %s, the bucket of tier %s", length(l.Slice.Duration),
			length(f.Bucket.Duration), f.Name)
	case l.Bucket.Duration%f.Bucket.Duration != 0:
		return bad("bucket", "its bucket of %s must be whole buckets of %s, those of tier %s",
			length(l.Bucket.Duration), length(f.Bucket.Duration), f.Name)
	case l.Retention.Duration > 0 && (f.Retention.Duration == 0 || f.Retention.Duration > l.Retention.Duration):
		return bad("retention", "it keeps slices for %s, but the finer tier %s keeps them longer",
			length(l.Retention.Duration), f.Name)
	case f.Retention.Duration > 0 && f.Retention.Duration < l.Bucket.Duration+f.Bucket.Duration:
		return bad("bucket", "tier %s keeps slices for %s, too short to fill a bucket of %s and one of its own",
			f.Name, length(f.Retention.Duration), length(l.Bucket.Duration))
	}
	return nil
}

func length(d time.Duration) string { return units.FormatDuration(d) }
