package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// extension is what sources and computations have in common: a table of their own.
type extension struct {
	name, doc string
	config    interface {
		Enabled() bool
		Validate() error
	}
}

// kind is a table that holds the tables of extensions.
type kind struct {
	// name is that of the table, one is what it holds, and field what Go calls it.
	name, one, field, doc string
	list                  []extension
}

// kinds lists the tables of extensions.
func (c *Config) kinds() []kind {
	s := kind{name: "sources", one: "source", field: "Sources", doc: "Where data come from."}
	for _, e := range c.Sources {
		s.list = append(s.list, extension{e.Name, e.Doc, e.Config})
	}
	n := kind{
		name: "computations", one: "computation", field: "Computations", doc: "What derives tags from what is known.",
	}
	for _, e := range c.Computations {
		n.list = append(n.list, extension{e.Name, e.Doc, e.Config})
	}
	return []kind{s, n}
}

// table has one field for each extension.
func (k *kind) table() reflect.Value {
	fields := make([]reflect.StructField, len(k.list))
	values := make([]reflect.Value, len(k.list))
	for i, e := range k.list {
		values[i] = reflect.ValueOf(e.config)
		fields[i] = reflect.StructField{
			Name: "E" + strconv.Itoa(i), Type: values[i].Type(),
			Tag: reflect.StructTag(`toml:` + strconv.Quote(e.name) + ` comment:` + strconv.Quote(e.doc)),
		}
	}
	return fill(fields, values)
}

// unknown says why a name means nothing: it lists the known ones, and names the build tag if this build left the
// extension out.
func (k *kind) unknown(name string, features []string) string {
	have := make([]string, 0, len(k.list))
	for _, e := range k.list {
		have = append(have, e.name)
	}
	list := "no " + k.name + " at all"
	if len(have) > 0 {
		list = strings.Join(have, ", ")
	}
	if tag := k.name + "_" + name; slices.Contains(features, tag) {
		return "this build left the " + k.one + " out: build with the tag " + tag + " to add it (this build has: " +
			list + ")"
	}
	hint := ""
	if near := nearest(name, have); near != "" {
		hint = "; did you mean " + strconv.Quote(near) + "?"
	}
	return "unknown " + k.one + "; this build has: " + list + hint
}

// validate asks the enabled extensions. If the error of one begins with the name of a key, it is about that key.
func (k *kind) validate(v *validator) {
	for _, e := range k.list {
		if !e.config.Enabled() {
			continue
		}
		if err := e.config.Validate(); err != nil {
			key, text := k.name+"."+e.name, err.Error()
			word, rest, _ := strings.Cut(text, " ")
			if word = strings.TrimSuffix(word, ":"); v.schema.byPath[key+"."+word].Path != "" {
				key, text = key+"."+word, rest
			}
			v.check(false, key, "%s", text)
		}
	}
}
