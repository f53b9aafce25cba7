package query

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/columns"
	"weir/internal/units"
	"weir/messages"
	"weir/store"
)

const (
	// DefaultLast is how far back a question looks that says nothing about time.
	DefaultLast = 10 * time.Minute
	// DefaultTop is how many groups are shown if the question does not say.
	DefaultTop = 20
	// AllGroups as Question.Top shows all groups.
	AllGroups = -1
	// MaxBy is how many columns a question may group by.
	MaxBy = 8
	// MaxSteps is how many steps a timeline may have.
	MaxSteps = 10_000
	// firstYear and lastYear bound the range to what nanoseconds since 1970 can tell.
	firstYear, lastYear = 1700, 2200
	// maxStep is the longest step.
	maxStep = 10 * 366 * units.Day
	// DefaultMaxGroups bounds the groups of an answer: about 100 bytes of memory each, besides texts.
	DefaultMaxGroups = 200_000
)

// NoColumns as the only element of Question.By asks for the sum alone, without columns.
const NoColumns = "none"

// Question is what a user asks.
type Question struct {
	// Filter chooses rows; see the documentation of the package. Empty takes all.
	Filter string
	// By names the columns to group by. If it is empty the answer tells who talked to whom (local.ip and
	// remote.ip), or the sum of all for a timeline; [NoColumns] alone asks for the sum.
	By []string
	// Step is the length of the steps of a timeline; 0 asks for none.
	Step time.Duration
	// From and To are the range, Last its length. Any two of them may be given; Last alone, or From
	// alone, ends now. If nothing is given it is DefaultLast.
	From, To time.Time
	Last     time.Duration
	// Top is how many groups are shown, those that moved most; what the others moved is in the row
	// (other). 0 means DefaultTop, AllGroups all.
	Top int
	// Order names the measure that decides what is most; bytes by default.
	Order string
	// MaxGroups bounds the memory of the answer; 0 means DefaultMaxGroups.
	MaxGroups int
	// Location is the user's time zone: long steps begin at its midnight. nil means UTC.
	Location *time.Location
}

// parameters are the names that ParseQuestion asks for.
var parameters = []string{ //nolint:gochecknoglobals // A table that never changes.
	"by", "filter", "from", "last", "order", "step", "to", "top",
}

// CheckParameter says what is wrong with the name of a parameter, or nil.
func CheckParameter(name string) error {
	if slices.Contains(parameters, name) {
		return nil
	}
	err := wrong("parameters", "no parameter %s; there are %s", quote(name), strings.Join(parameters, ", "))
	if near := nearest(name, parameters); near != "" {
		err.Hint = "did you mean " + near + "?"
	}
	return err
}

// ParseQuestion reads a question from texts, which get gives by name: "filter", "by", "step", "last",
// "from", "to", "top" and "order". An empty text says nothing. The error is an [*Error].
func ParseQuestion(get func(name string) string, now time.Time, loc *time.Location) (Question, error) {
	q := Question{Filter: get("filter"), Order: get("order"), Location: loc}
	for name := range strings.SplitSeq(get("by"), ",") {
		if name = strings.TrimSpace(name); name != "" {
			q.By = append(q.By, name)
		}
	}
	for name, d := range map[string]*time.Duration{"step": &q.Step, "last": &q.Last} {
		if text := get(name); text != "" {
			v, err := units.ParseDuration(text)
			if err != nil || v <= 0 {
				return q, wrong(name, `%s is not a duration such as "90s", "10m", "24h" or "7d"`, quote(text))
			}
			*d = v
		}
	}
	for name, t := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		if text := get(name); text != "" {
			v, ok := parseTime(text, now, loc)
			if !ok {
				return q, notTime(name, text)
			}
			*t = v
		}
	}
	top, err := parseTop(get("top"))
	if err != nil {
		return q, err
	}
	q.Top = top
	return q, nil
}

// parseTop reads a number of groups, or "all".
func parseTop(text string) (int, error) {
	switch text {
	case "":
		return 0, nil
	case "all", "0":
		return AllGroups, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, wrong("top", `%s is not a number of rows or "all"`, quote(text))
	}
	return int(n), nil
}

// plan is a question that is ready to be put to tiers.
type plan struct {
	request store.Request
	// asked is the range as the user meant it.
	asked    messages.Span
	top      int
	order    measure
	location *time.Location
	// notes say where the question was not taken literally.
	notes []string
	// parts say which tier has answered for which part.
	parts []Part
}

// prepare checks a question. resolution is the length of the finest slices.
func (q *Question) prepare(now time.Time, resolution time.Duration) (*plan, error) {
	f, err := Bind(q.Filter)
	if err != nil {
		return nil, err
	}
	p := &plan{top: q.Top, location: q.Location, request: store.Request{Filter: f, MaxGroups: q.MaxGroups}}
	if p.location == nil {
		p.location = time.UTC
	}
	if p.top == 0 {
		p.top = DefaultTop
	}
	if p.request.MaxGroups <= 0 {
		p.request.MaxGroups = DefaultMaxGroups
	}
	if p.request.By, err = q.columns(); err != nil {
		return nil, err
	}
	var known bool
	if p.order, known = findMeasure(q.Order); !known {
		e := wrong("order", "there is no measure %s", quote(q.Order))
		e.Hint = "known are " + strings.Join(Measures(), ", ")
		return nil, e
	}
	if p.asked, err = q.span(now); err != nil {
		return nil, err
	}
	return p, p.align(q, resolution)
}

// columns finds the columns to group by.
func (q *Question) columns() ([]*columns.Column, error) {
	names := q.By
	switch {
	case len(names) == 0 && q.Step == 0:
		names = defaultBy()
	case slices.Equal(names, []string{NoColumns}):
		names = nil
	}
	if len(names) > MaxBy {
		return nil, wrong("by", "%d columns are too many: %d are the most", len(names), MaxBy)
	}
	by := make([]*columns.Column, 0, len(names))
	for _, name := range names {
		c, ok := columns.Lookup(name)
		if !ok {
			e := wrong("by", "there is no column %s", quote(name))
			e.Hint = nearestColumn(name)
			return nil, e
		}
		if slices.Contains(by, c) {
			return nil, wrong("by", "%s stands there twice", name)
		}
		by = append(by, c)
	}
	return by, nil
}

// defaultBy is who talked to whom, as far as this build knows.
func defaultBy() []string {
	var names []string
	for _, name := range []string{"local.ip", "remote.ip"} {
		if _, ok := columns.Lookup(name); ok {
			names = append(names, name)
		}
	}
	return names
}

// span works out the range.
func (q *Question) span(now time.Time) (messages.Span, error) {
	s := messages.Span{Start: q.From, End: q.To}
	last := q.Last
	if last < 0 {
		return s, wrong("last", "it is negative")
	}
	if last == 0 && q.From.IsZero() {
		last = DefaultLast
	}
	switch {
	case q.Last > 0 && !q.From.IsZero() && !q.To.IsZero():
		return s, wrong("last", "from and to say the range already")
	case q.From.IsZero():
		if q.To.IsZero() {
			s.End = now
		}
		s.Start = s.End.Add(-last)
	case q.Last > 0:
		s.End = s.Start.Add(last)
	case q.To.IsZero():
		s.End = now
	}
	if !s.Start.Before(s.End) {
		return s, wrong("from", "the range is empty: it begins at %s and ends at %s", stamp(s.Start), stamp(s.End))
	}
	for _, t := range []time.Time{s.Start, s.End} {
		if y := t.UTC().Year(); y < firstYear || y > lastYear {
			return s, wrong("from", "the range reaches the year %d: %d to %d are known", y, firstYear, lastYear)
		}
	}
	return s, nil
}

func stamp(t time.Time) string { return t.Format(time.RFC3339) }

// align lays range and steps onto whole slices.
func (p *plan) align(q *Question, resolution time.Duration) error {
	resolution = max(resolution, 1)
	p.request.Span = messages.Span{Start: floor(p.asked.Start, resolution, time.UTC), End: p.asked.End}
	p.request.Origin = p.request.Span.Start
	if q.Step == 0 {
		return nil
	}
	if q.Step < 0 || q.Step > maxStep {
		return wrong("step", "%s is not a length of a step", units.FormatDuration(q.Step))
	}
	step := q.Step
	if rest := step % resolution; rest != 0 {
		step += resolution - rest
		p.notes = append(p.notes, fmt.Sprintf("A step of %s was rounded up to %s, which is whole slices of %s.",
			units.FormatDuration(q.Step), units.FormatDuration(step), units.FormatDuration(resolution)))
	}
	p.request.Step = step
	p.request.Origin = floor(p.request.Span.Start, step, p.location)
	if n := p.request.Span.End.Sub(p.request.Origin)/step + 1; n > MaxSteps {
		return wrong("step", "%s makes %d steps of this range: %d are the most", units.FormatDuration(step), n,
			MaxSteps)
	}
	return nil
}

// floor is the last multiple of unit that is not after t, counted from a midnight in loc.
func floor(t time.Time, unit time.Duration, loc *time.Location) time.Time {
	_, offset := t.In(loc).Zone()
	shift := time.Duration(offset) * time.Second
	whole := t.Add(shift).Truncate(unit).Add(-shift)
	return whole.In(t.Location())
}
