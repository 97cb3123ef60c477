package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// maxFileBytes bounds a configuration file. A thousand providers need a quarter of it.
const maxFileBytes = 1 << 20

// A file is a configuration file in YAML. Its keys are the names of flags of fever
// serve, and providers. Nothing in it is let pass that is not understood, and what is
// wrong is told with its line and key.
type file struct {
	path     string
	settings []field
	// providers has an element for each entry of the list. It is empty when the file has
	// no list, as when there is no file.
	providers []*yaml.Node
	variables []string // of the environment, that it refers to
}

// A field is a key of a mapping with its value.
type field struct {
	key   string
	path  string // such as "providers[1].every"
	where string // such as "fever.yaml:12: providers[1].every"
	value *yaml.Node
}

// readFile reads a configuration file. Without a path there is nothing in it.
func readFile(path string) (*file, error) {
	if path == "" {
		return &file{}, nil
	}
	opened, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer func() { _ = opened.Close() }() // only read from
	text, err := io.ReadAll(io.LimitReader(opened, maxFileBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the configuration: %w", err)
	case len(text) > maxFileBytes:
		return nil, fmt.Errorf("read the configuration: %s has more than %s", path, size(maxFileBytes))
	}
	return parseFile(path, text)
}

// parseFile parses all of a configuration file but the entries of its list of
// providers.
func parseFile(path string, text []byte) (*file, error) {
	f := &file{path: path}
	for _, match := range variable.FindAllSubmatch(text, -1) {
		f.variables = append(f.variables, string(match[1]))
	}
	root, err := f.document(text)
	if err != nil || root == nil {
		return f, err
	}
	fields, err := f.fields(root, "")
	if err != nil {
		return nil, err
	}
	known := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(Serve).Register(known)
	for _, field := range fields {
		if field.key == "providers" {
			if f.providers, err = elements(field); err != nil {
				return nil, err
			}
			continue
		}
		// A command takes the settings that it has a flag for; the others are to be in
		// order all the same.
		if field.key == "config" || known.Lookup(field.key) == nil {
			return nil, unknownKey(field, append(names(known), "providers"))
		}
		if err := field.set(known.Lookup(field.key)); err != nil {
			return nil, err
		}
		f.settings = append(f.settings, field)
	}
	return f, nil
}

// document returns what the one document of the file consists of, or nil when there
// is nothing in it.
func (f *file) document(text []byte) (*yaml.Node, error) {
	var document, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil // there is nothing, and nothing wrong with that
	case err != nil:
		return nil, f.notYAML(err)
	}
	switch err := decoder.Decode(&more); {
	case err == nil:
		return nil, f.errorf(&more, "", "a second document begins, where one is enough")
	case !errors.Is(err, io.EOF):
		return nil, f.notYAML(err)
	}
	root := document.Content[0]
	if root.ShortTag() == "!!null" {
		return nil, nil
	}
	return root, nil
}

var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// notYAML is the parser's error with the file's name. The parser leaves out the first
// line's number.
func (f *file) notYAML(err error) error {
	parts := yamlError.FindStringSubmatch(err.Error())
	if parts == nil || strings.Contains(parts[2], "anchor") { // repeats its name, which may be a secret that begins with *
		return fmt.Errorf("%s: it is not YAML that can be read; put text that begins with * or & in quotes", f.path)
	}
	return fmt.Errorf("%s:%s: it is not YAML, there or just before: %s", f.path, cmp.Or(parts[1], "1"), parts[2])
}

// errorf is what is wrong with a key, or with all of the file when that is "".
func (f *file) errorf(n *yaml.Node, key, format string, args ...any) error {
	return fmt.Errorf("%s: %w", f.where(n, key), fmt.Errorf(format, args...))
}

func (f *file) where(n *yaml.Node, key string) string {
	if key == "" {
		return fmt.Sprintf("%s:%d", f.path, n.Line)
	}
	return fmt.Sprintf("%s:%d: %s", f.path, n.Line, key)
}

// fields returns what is in a mapping, each key once.
func (f *file) fields(mapping *yaml.Node, path string) ([]field, error) {
	if mapping.Kind != yaml.MappingNode {
		return nil, f.errorf(mapping, path, "it is %s, where keys with values are needed", kindOf(mapping))
	}
	lines := make(map[string]int)
	var fields []field
	for pair := range slices.Chunk(mapping.Content, 2) {
		key, value := pair[0], pair[1]
		if key.Kind != yaml.ScalarNode {
			return nil, f.errorf(key, path, "a key is %s, where text is needed", kindOf(key))
		}
		name := strings.TrimPrefix(path+"."+key.Value, ".")
		if line, ok := lines[key.Value]; ok {
			return nil, f.errorf(key, name, "it stands on line %d already", line)
		}
		lines[key.Value] = key.Line
		fields = append(fields, field{key.Value, name, f.where(key, name), value})
	}
	return fields, nil
}

// elements returns the elements of a list, at least one.
func elements(of field) ([]*yaml.Node, error) {
	if of.value.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("%s: it is %s, where a list is needed", of.where, kindOf(of.value))
	}
	if len(of.value.Content) == 0 {
		return nil, fmt.Errorf("%s: the list is empty; leave the key out to collect from the default provider", of.where)
	}
	return of.value.Content, nil
}

// apply gives the flags that neither the command line nor the environment has set
// their values in the file.
func (f *file) apply(flags *pflag.FlagSet) error {
	for _, field := range f.settings {
		if flag := flags.Lookup(field.key); flag != nil && !flag.Changed {
			if err := field.set(flag); err != nil {
				return err
			}
		}
	}
	return nil
}

// set gives a flag the field's value.
func (of field) set(flag *pflag.Flag) error {
	text, err := of.scalar()
	if err != nil {
		return err
	}
	kind, tag := flag.Value.Type(), of.value.ShortTag()
	if kind != "string" && tag == "!!str" { // in quotes, as templates write all: it counts as what it is without them
		plain := *of.value
		plain.Tag, plain.Style = "", 0
		tag = plain.ShortTag()
	}
	switch {
	case kind == "string" && tag != "!!str":
		return fmt.Errorf("%s: it is %s, where text is needed: put it in quotes", of.where, kindOf(of.value))
	case kind == "int" && tag != "!!int", kind == "bool" && tag != "!!bool":
		err = errors.New("wrong type")
	default:
		err = flag.Value.Set(text)
	}
	if err != nil {
		return fmt.Errorf("%s: %.40q: %w", of.where, text, invalid(flag, err))
	}
	setOrigin(flag, of.where)
	return nil
}

// scalar returns the field's value as it is written, without its quotes.
func (of field) scalar() (string, error) {
	if of.value.Kind != yaml.ScalarNode {
		return "", fmt.Errorf("%s: it is %s, where one value is needed", of.where, kindOf(of.value))
	}
	if of.value.ShortTag() == "!!null" {
		return "", fmt.Errorf("%s: it has no value", of.where)
	}
	return of.value.Value, nil
}

// kindOf says what stands at a place where something else should.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias (write it out)"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!str":
		return "text"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	}
	return "of a type of its own"
}

func unknownKey(of field, known []string) error {
	slices.Sort(known)
	return fmt.Errorf("%s: there is no such key; there are %s", of.where, strings.Join(known, ", "))
}

// names returns the names of the flags that a file may set.
func names(flags *pflag.FlagSet) (all []string) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name != "config" {
			all = append(all, f.Name)
		}
	})
	return all
}
