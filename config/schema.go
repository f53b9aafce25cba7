package config

import (
	"encoding"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Key is one key of the configuration, in any table.
type Key struct {
	// Path is the dotted name: "memory.flows".
	Path string
	// Env is the variable that sets it: "WEIR_MEMORY_FLOWS". It is empty for keys in a list of tables.
	Env string
	// Doc is the comment of the key.
	Doc string
	// typ is the type of the value.
	typ reflect.Type
	// list is the path of the list of tables that it is in; empty if it is in none.
	list string
}

// expecter is a value type that can say in words what it reads.
type expecter interface{ Expects() string }

// Expects says in words what the key takes.
func (k Key) Expects() string {
	if e, ok := reflect.New(k.typ).Interface().(expecter); ok {
		return e.Expects()
	}
	switch k.typ.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number, not negative"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list of texts"
	default:
		return "a text in quotes"
	}
}

// quoted says whether a value of the key is written in quotes.
func (k Key) quoted() bool {
	switch k.typ.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Float32, reflect.Float64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Int64:
		return isText(k.typ)
	default:
		return true
	}
}

// takes says whether a value of this kind may stand in the file. Only of what is read from texts all is
// known here; the rest is left to the decoder.
func (k Key) takes(kind unstable.Kind) bool {
	if !isText(k.typ) {
		return true
	}
	switch kind {
	case unstable.String:
		return true
	case unstable.Integer:
		return k.typ.Kind() == reflect.Int64
	case unstable.Array:
		return k.typ.Kind() == reflect.Slice
	default:
		return false
	}
}

func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// Keys lists all keys of this build in the order in which they are printed.
func (c *Config) Keys() []Key { return keysOf("", reflect.TypeOf(c.document()).Elem()) }

// keysOf walks a struct type.
func keysOf(prefix string, t reflect.Type) []Key {
	var keys []Key
	for f := range fieldsOf(t) {
		name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		path := prefix + name
		ft := deref(f.Type)
		switch {
		case isTableType(ft):
			keys = append(keys, keysOf(path+".", ft)...)
		case isListType(ft):
			for _, k := range keysOf(path+".", ft.Elem()) {
				k.Env, k.list = "", path
				keys = append(keys, k)
			}
		default:
			keys = append(keys, Key{Path: path, Env: envName(path), Doc: f.Tag.Get("comment"), typ: ft})
		}
	}
	return keys
}

// isTableType says that a type is a table in the file, isListType that it is a list of tables.
func isTableType(t reflect.Type) bool { return t.Kind() == reflect.Struct && !isText(t) }

func isListType(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && !isText(t) && isTableType(t.Elem())
}

// fieldsOf yields the fields that stand in the file.
func fieldsOf(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for f := range t.Fields() {
			if name := f.Tag.Get("toml"); name == "" || name == "-" {
				continue
			}
			if !yield(f) {
				return
			}
		}
	}
}

// document gives the whole file as a pointer to a struct whose fields point into c: those of Config and a
// table for each kind of extension. It is made at run time because the extensions are known only then.
func (c *Config) document() any {
	var fields []reflect.StructField
	var values []reflect.Value
	own := reflect.ValueOf(c).Elem()
	for f := range fieldsOf(own.Type()) {
		values = append(values, own.FieldByIndex(f.Index).Addr())
		fields = append(fields, reflect.StructField{Name: f.Name, Type: reflect.PointerTo(f.Type), Tag: f.Tag})
	}
	for _, k := range c.kinds() {
		if len(k.list) == 0 {
			continue
		}
		table := k.table()
		values = append(values, table)
		fields = append(fields, reflect.StructField{
			Name: k.field, Type: table.Type(),
			Tag: reflect.StructTag(`toml:` + strconv.Quote(k.name) + ` comment:` + strconv.Quote(k.doc)),
		})
	}
	return fill(fields, values).Interface()
}

// fill makes a struct of these fields and returns a pointer to it.
func fill(fields []reflect.StructField, values []reflect.Value) reflect.Value {
	p := reflect.New(reflect.StructOf(fields))
	for i, v := range values {
		p.Elem().Field(i).Set(v)
	}
	return p
}

func deref(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// schema answers questions about keys by their path.
type schema struct {
	keys   []Key
	byPath map[string]Key
	// tables are the proper prefixes of paths, such as "sources" and "sources.conntrack". lists are those of them
	// of which there may be several.
	tables, lists []string
}

func newSchema(c *Config) *schema {
	s := &schema{keys: c.Keys(), byPath: map[string]Key{}}
	for _, k := range s.keys {
		s.byPath[k.Path] = k
		if k.list != "" {
			s.lists = append(s.lists, k.list)
		}
		for i, r := range k.Path {
			if r == '.' {
				s.tables = append(s.tables, k.Path[:i])
			}
		}
	}
	for _, k := range c.kinds() {
		s.tables = append(s.tables, k.name)
		for _, e := range k.list {
			s.tables = append(s.tables, k.name+"."+e.name)
		}
	}
	slices.Sort(s.tables)
	s.tables = slices.Compact(s.tables)
	return s
}

func (s *schema) isTable(path string) bool {
	_, ok := slices.BinarySearch(s.tables, path)
	return ok
}

// isList says that a table is one of a list.
func (s *schema) isList(path string) bool { return slices.Contains(s.lists, path) }

// names lists all that may stand in the file, for the search of the nearest.
func (s *schema) names() []string {
	names := slices.Clone(s.tables)
	for _, k := range s.keys {
		names = append(names, k.Path)
	}
	return names
}
