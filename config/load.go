package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// maxFile bounds what is read of a configuration file.
const maxFile = 1 << 20

// Options say from where to load.
type Options struct {
	// File is the file to read. If it is empty, DefaultFile is read if there is one.
	File string
	// Environ is the environment, as os.Environ gives it.
	Environ []string
	// Set are the flags, each "key=value"; a later one counts.
	Set []string
	// Features are the names of all extensions that the program's source has, linked or not:
	// "sources_conntrack". They only serve to explain what is missing.
	Features []string
}

// Loaded is a configuration and how it came about.
type Loaded struct {
	*Config
	// File is the file that was read; empty if there was none.
	File string
	// Warnings are what the user should know but need not mend.
	Warnings []string
}

// Load reads the configuration: the defaults, then the file, then the environment, then the flags. The error
// joins one [Problem] for each mistake.
func Load(o Options) (*Loaded, error) {
	l := newLoader(Default(), o.Features)
	file, err := l.file(o.File)
	if err != nil {
		return nil, err
	}
	warnings, err := l.environment(o.Environ)
	if err != nil {
		return nil, err
	}
	for _, s := range o.Set {
		if err := l.flag(s); err != nil {
			return nil, err
		}
	}
	l.fillLadder()
	if err := l.validate(); err != nil {
		return nil, err
	}
	return &Loaded{Config: l.config, File: file, Warnings: warnings}, nil
}

// loader puts the layers on each other.
type loader struct {
	config   *Config
	schema   *schema
	features []string
	// origin says for each key or table that was set, where.
	origin map[string]string
}

func newLoader(c *Config, features []string) *loader {
	return &loader{config: c, schema: newSchema(c), features: features, origin: map[string]string{}}
}

// file reads the named file, or the default one if it exists, and says which.
func (l *loader) file(name string) (string, error) {
	named := name != ""
	if !named {
		name = DefaultFile
	}
	doc, err := readFile(name)
	if !named && errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read configuration: %w", err)
	}
	return name, l.document(name+": ", doc)
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	doc, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(doc) > maxFile {
		err = fmt.Errorf("%s is larger than 1MiB", name)
	}
	return doc, err
}

// document puts a whole file over what is there; prefix is put before positions.
func (l *loader) document(prefix string, doc []byte) error {
	doc = bytes.TrimPrefix(doc, []byte("\xef\xbb\xbf"))
	list := entries(doc)
	if err := l.unknown(prefix, list); err != nil {
		return err
	}
	if err := l.mistyped(prefix, list); err != nil {
		return err
	}
	for _, e := range list {
		l.origin[e.place] = prefix + e.pos.String()
		l.origin[e.path()] = prefix + e.pos.String()
	}
	return l.decode(doc, func(p position) string { return prefix + p.String() })
}

// environment puts the variables over what is there. Variables that begin with WEIR_ and mean nothing are
// warned of: they are typing mistakes, or meant for another version.
func (l *loader) environment(environ []string) (warnings []string, err error) {
	byEnv := map[string]Key{}
	for _, k := range l.schema.keys {
		if k.Env != "" {
			byEnv[k.Env] = k
		}
	}
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, "WEIR_") || name == FileVariable || value == "" {
			continue
		}
		k, known := byEnv[name]
		if !known {
			warnings = append(warnings, l.unknownVariable(name))
			continue
		}
		if err := l.set(k, value, "environment "+name); err != nil {
			return nil, err
		}
	}
	return warnings, nil
}

// FileVariable names the configuration file in the environment.
const FileVariable = "WEIR_CONFIG"

// envName gives the variable that sets a key.
func envName(path string) string {
	return "WEIR_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(path))
}

// flag puts one "key=value" over what is there.
func (l *loader) flag(s string) error {
	path, value, ok := strings.Cut(s, "=")
	path = strings.TrimSpace(path)
	if !ok {
		return &Problem{Where: "--set " + s, Text: "expected key=value"}
	}
	k, known := l.schema.byPath[path]
	if l.schema.isList(path) || k.list != "" {
		return &Problem{Where: "--set", Key: path, Text: "tables of a list can be set in a file alone"}
	}
	if !known {
		return &Problem{Where: "--set", Key: path, Text: l.explainUnknown(strings.Split(path, "."))}
	}
	return l.set(k, strings.TrimSpace(value), "--set")
}

// set gives one key a value that is written without quotes.
func (l *loader) set(k Key, value, where string) error {
	l.origin[k.Path] = where
	doc := []byte(k.Path + " = " + k.literal(value))
	return l.decode(doc, func(position) string { return where })
}

// literal writes a bare value as TOML does.
func (k Key) literal(value string) string {
	switch {
	case k.typ.Kind() == reflect.Slice:
		return listLiteral(value)
	case k.quoted():
		return quote(value)
	case isBare(value):
		return value
	default: // Quoted it is refused, with the right words.
		return quote(value)
	}
}

// isBare says whether the text is a boolean or a number.
func isBare(value string) bool {
	if value == "true" || value == "false" {
		return true
	}
	return value != "" && strings.ContainsRune("-0123456789", rune(value[0])) && json.Valid([]byte(value))
}

// listLiteral turns "a, b" into a list; a list in brackets is taken as it is written on one line.
func listLiteral(value string) string {
	if strings.HasPrefix(value, "[") && !strings.ContainsAny(value, "\r\n") {
		return value
	}
	var items []string
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, quote(item))
		}
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// quote writes a text in quotes; what JSON escapes, TOML reads.
func quote(s string) string {
	b, _ := json.Marshal(s) //nolint:errchkjson // A string always has a JSON form.
	return string(b)
}

// decode reads a document into the configuration.
func (l *loader) decode(doc []byte, where func(position) string) error {
	err := toml.NewDecoder(bytes.NewReader(doc)).DisallowUnknownFields().Decode(l.config.document())
	var de *toml.DecodeError
	if err == nil || !errors.As(err, &de) {
		return err
	}
	line, column := de.Position()
	return &Problem{
		Where: where(position{line: line, column: column}),
		Key:   strings.Join(de.Key(), "."),
		Text:  l.explain(de),
	}
}
