package bestname

import (
	_ "embed" // The curated list is part of the program.
	"fmt"
	"maps"
	"strings"

	"weir/columns/name"
	"weir/columns/text"
	"weir/computations"
)

// curated is the list that comes with weir.
//
//go:embed curated.list
var curated []byte

// Bounds of the lists. Who writes them is trusted, but a wrong file must not take all memory.
const (
	maxRules  = 100_000
	maxLine   = 1024
	maxErrors = 100
)

// rules say under which names hosts go. They never change.
type rules struct {
	// exact are for hosts, below for all hosts beneath a domain.
	exact, below map[string]rule
}

// rule is what a line of a list says of its hosts.
type rule struct {
	name string // empty: the host's own name
	// vague says that the name tells nothing of the service: any other one is better.
	vague bool
}

// The names in a list that are none.
const (
	ownName  = "-"
	vagueHas = "?"
)

func noRules() *rules { return &rules{exact: map[string]rule{}, below: map[string]rule{}} }

// with gives the rules and beside them those of lists; of two with the same pattern the later one counts.
func (r *rules) with(files []computations.File) (*rules, []error) {
	r = &rules{exact: maps.Clone(r.exact), below: maps.Clone(r.below)}
	errs := make([]error, 0, len(files))
	for _, f := range files {
		errs = append(errs, r.read(f)...)
	}
	return r, errs
}

func (r *rules) read(f computations.File) (errs []error) {
	number := 0
	for line := range strings.Lines(string(f.Content)) {
		number++
		err := r.line(line)
		if err == nil {
			continue
		}
		errs = append(errs, fmt.Errorf("%s:%d: %w", f.Path, number, err))
		if len(errs) == maxErrors {
			return append(errs, fmt.Errorf("%s:%d: too many mistakes: the rest is not read", f.Path, number))
		}
	}
	return errs
}

// line takes one line in: a pattern and a name, or nothing.
func (r *rules) line(line string) error {
	if len(line) > maxLine {
		return fmt.Errorf("the line is longer than %d bytes", maxLine)
	}
	line, _, _ = strings.Cut(line, "#")
	words := strings.Fields(strings.TrimPrefix(line, "\ufeff"))
	switch len(words) {
	case 0:
		return nil
	case 2:
	default:
		return fmt.Errorf("a rule is two words, the hosts and their name, not %d", len(words))
	}
	if len(r.exact)+len(r.below) >= maxRules {
		return fmt.Errorf("more than %d rules", maxRules)
	}
	to, err := parseTarget(words[1])
	if err != nil {
		return err
	}
	host, exact, below, err := parsePattern(words[0])
	if err != nil {
		return err
	}
	if exact {
		r.exact[host] = to
	}
	if below {
		r.below[host] = to
	}
	return nil
}

func parseTarget(word string) (rule, error) {
	switch word {
	case ownName:
		return rule{}, nil
	case vagueHas:
		return rule{vague: true}, nil
	}
	n := name.Clean(word)
	if n == "" || n != text.ToLower(strings.TrimSuffix(word, ".")) {
		return rule{}, fmt.Errorf("%.80q is not a name, %s (the host's own) or %s (a name that tells nothing)",
			word, ownName, vagueHas)
	}
	return rule{name: n}, nil
}

// parsePattern reads host.example (that host), *.host.example (all beneath it) or .host.example (both).
func parsePattern(word string) (host string, exact, below bool, err error) {
	host, exact = word, true
	if rest, ok := strings.CutPrefix(word, "*."); ok {
		host, exact, below = rest, false, true
	} else if rest, ok := strings.CutPrefix(word, "."); ok {
		host, below = rest, true
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if !hostname(host) {
		err = fmt.Errorf("%.80q is not host.example, *.host.example (all beneath it) or .host.example (both)", word)
	}
	return host, exact, below, err
}

// find gives what the rules say of a host: the rule of the host itself, or else of the longest domain above
// it that has one. It is the zero rule if there is none.
func (r *rules) find(host string) rule {
	if to, ok := r.exact[host]; ok {
		return to
	}
	for rest := host; ; {
		_, above, ok := strings.Cut(rest, ".")
		if !ok {
			return rule{}
		}
		if to, ok := r.below[above]; ok {
			return to
		}
		rest = above
	}
}

func (r *rules) len() int { return len(r.exact) + len(r.below) }

// curatedRules are those that come with weir. They are part of the program: a test says that they hold no
// mistakes.
func curatedRules() *rules {
	r, _ := noRules().with([]computations.File{{Path: "curated.list", Content: curated}})
	return r
}
