package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Problem is one mistake in the configuration.
type Problem struct { //nolint:errname // It is a line of a report first.
	// Where says in which file, line and column, or in which variable or flag; empty for a default.
	Where string
	// Key is the dotted name, as far as there is one.
	Key string
	// Text says what is wrong and what was expected.
	Text string
}

// Error puts the three together.
func (p *Problem) Error() string {
	parts := slices.DeleteFunc([]string{p.Where, p.Key, p.Text}, func(s string) bool { return s == "" })
	return strings.Join(parts, ": ")
}

// explain says in the user's words why the decoder refused a value.
func (l *loader) explain(de *toml.DecodeError) string {
	text := strings.TrimPrefix(de.Error(), "toml: ")
	path := strings.Join(de.Key(), ".")
	got := ""
	if rest, ok := strings.CutPrefix(text, "cannot decode TOML "); ok {
		got, _, _ = strings.Cut(rest, " into ")
	} else if rest, ok := strings.CutPrefix(text, "cannot store "); ok {
		_, rest, _ = strings.Cut(rest, " ")
		got, _, _ = strings.Cut(rest, " in ")
	}
	switch k, isKey := l.schema.byPath[path]; {
	case got == "":
		return text
	case isKey:
		return fmt.Sprintf("expected %s, not %s", k.Expects(), withArticle(got))
	case l.schema.isList(path):
		return fmt.Sprintf("expected tables [[%s]], not %s", path, withArticle(got))
	case l.schema.isTable(path):
		return fmt.Sprintf("expected a table [%s], not %s", path, withArticle(got))
	default:
		return text
	}
}

func withArticle(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

// mistyped finds values of the wrong kind for keys whose values are read from texts. The decoder would hand
// them the text of a number too, and lose the place of the error.
func (l *loader) mistyped(prefix string, list []entry) error {
	for _, e := range list {
		if e.table && !e.item && l.schema.isList(e.path()) {
			return &Problem{
				Where: prefix + e.pos.String(), Key: e.path(),
				Text: fmt.Sprintf("expected tables [[%s]], of which there may be several, not [%[1]s]", e.path()),
			}
		}
		k, isKey := l.schema.byPath[e.path()]
		if isKey && !k.takes(e.kind) {
			return &Problem{
				Where: prefix + e.value.String(), Key: k.Path,
				Text: fmt.Sprintf("expected %s, not %s", k.Expects(), withArticle(strings.ToLower(e.kind.String()))),
			}
		}
	}
	return nil
}

// unknown finds the keys that mean nothing. Of a table that is unknown only the first mention is told.
func (l *loader) unknown(prefix string, list []entry) error {
	var problems []error
	told := map[string]bool{}
	for _, e := range list {
		path := e.path()
		_, isKey := l.schema.byPath[path]
		if isKey && !e.table || l.schema.isTable(path) {
			continue
		}
		short := l.shortest(e.parts)
		if told[short] {
			continue
		}
		told[short] = true
		problems = append(problems, &Problem{
			Where: prefix + e.pos.String(), Key: short, Text: l.explainUnknown(strings.Split(short, ".")),
		})
	}
	return errors.Join(problems...)
}

// shortest cuts a path after the first part that means nothing or cannot have parts below it.
func (l *loader) shortest(parts []string) string {
	for i := range parts {
		if path := strings.Join(parts[:i+1], "."); !l.schema.isTable(path) {
			return path
		}
	}
	return strings.Join(parts, ".")
}

// explainUnknown says why a path means nothing, and what may have been meant.
func (l *loader) explainUnknown(parts []string) string {
	path := strings.Join(parts, ".")
	if k, ok := l.schema.byPath[path]; ok {
		return fmt.Sprintf("expected %s, not a table", k.Expects())
	}
	for _, k := range l.config.kinds() {
		if len(parts) >= 2 && parts[0] == k.name && !l.schema.isTable(k.name+"."+parts[1]) {
			return k.unknown(parts[1], l.features)
		}
	}
	if near := nearest(path, l.schema.names()); near != "" {
		return fmt.Sprintf("unknown key; did you mean %q?", near)
	}
	return "unknown key; `weir config --defaults` lists all"
}

// unknownVariable is the warning about a variable that sets nothing.
func (l *loader) unknownVariable(name string) string {
	names := make([]string, 0, len(l.schema.keys))
	for _, k := range l.schema.keys {
		if k.list != "" && strings.HasPrefix(name, envName(k.list)) {
			return fmt.Sprintf("environment %s: sets nothing; tables of a list can be set in a file alone", name)
		}
		names = append(names, strings.ToLower(k.Env))
	}
	if near := nearest(name, names); near != "" {
		return fmt.Sprintf("environment %s: sets nothing; did you mean %s?", name, strings.ToUpper(near))
	}
	return fmt.Sprintf("environment %s: sets nothing", name)
}
