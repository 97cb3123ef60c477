package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"
)

// maxFileBytes bounds a configuration file. A thousand providers need a quarter of it.
const maxFileBytes = 1 << 20 // 1 MiB, as a message says

// A file is a configuration file in YAML. Its keys are the names of fever serve's flags, and
// "providers". An unknown key is an error. Each error names the file, the line and the key.
type file struct {
	path     string
	lines    []string
	settings []field
	// providers are the entries of the list. It is empty when there is no list or no file.
	providers []*yaml.Node
	variables []string // environment variables that it refers to
}

// A field is a key of a mapping with its value.
type field struct {
	key   string
	path  string // such as "providers[1].every"
	where string // such as "fever.yaml:12: providers[1].every"
	value *yaml.Node
}

// readFile reads a configuration file. An empty path gives an empty file.
func readFile(path string) (*file, error) {
	if path == "" {
		return &file{}, nil
	}
	text, err := readText(path)
	if err != nil {
		return nil, err
	}
	return parseFile(path, text)
}

// readText returns the text of a configuration file.
func readText(path string) ([]byte, error) {
	opened, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer func() { _ = opened.Close() }() // opened for reading
	text, err := io.ReadAll(io.LimitReader(opened, maxFileBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the configuration: %w", err)
	case len(text) > maxFileBytes:
		return nil, fmt.Errorf("read the configuration: %s has more than 1 MiB", path)
	}
	return text, nil
}

// parseFile parses a configuration file, except for the entries of its list of providers.
func parseFile(path string, text []byte) (*file, error) {
	f := &file{path: path, lines: strings.Split(string(text), "\n")}
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
	for _, of := range fields {
		flag := known.Lookup(of.key)
		switch {
		case of.key == "providers" && of.value.Kind != yaml.SequenceNode:
			return nil, fmt.Errorf("%s: it is %s, where a list is needed", of.where, kindOf(of.value))
		case of.key == "providers" && len(of.value.Content) == 0:
			return nil, fmt.Errorf("%s: the list is empty; leave the key out to collect from the default provider", of.where)
		case of.key == "providers":
			f.providers = of.value.Content
			continue
		case of.key == "config" || flag == nil:
			return nil, unknownKey(of, known, "providers")
		}
		// A command uses only the settings that it has flags for, but all must be valid.
		if err := of.set(flag); err != nil {
			return nil, err
		}
		f.settings = append(f.settings, of)
	}
	return f, nil
}

// document returns the value of the only YAML document in a text; nil: it is empty.
func (f *file) document(text []byte) (*yaml.Node, error) {
	var documents []yaml.Node
	err := yaml.Load(text, &documents, yaml.WithAllDocuments())
	switch {
	case err != nil:
		return nil, f.notYAML(err)
	case len(documents) > 1:
		return nil, fmt.Errorf("%s: a second document begins, where one is enough", f.at(&documents[1], ""))
	case len(documents) == 0 || documents[0].Content[0].ShortTag() == "!!null":
		return nil, nil
	}
	return documents[0].Content[0], nil
}

// notYAML adds the file's name to the parser's error. The message about an unknown anchor is
// replaced: it repeats the anchor, which may be a secret that begins with *. No other
// message of the parser repeats the text.
func (f *file) notYAML(err error) error {
	cause, ok := errors.AsType[*yaml.LoadError](err)
	switch {
	case !ok:
		return fmt.Errorf("%s: it is not YAML that can be read", f.path)
	case strings.Contains(cause.Message, "anchor"):
		return fmt.Errorf("%s:%d: it is not YAML that can be read; put text that begins with * or & in quotes", f.path, cause.Mark.Line)
	}
	line := cause.Mark.Line
	if cause.Message == "found unexpected end of stream" {
		line = cause.ContextMark.Line // of the quote that is not closed
	}
	return fmt.Errorf("%s:%d: it is not YAML, there or just before: %s", f.path, max(line, 1), cause.Message)
}

// at returns the position of a node, with its key unless that is empty.
func (f *file) at(n *yaml.Node, key string) string {
	return strings.TrimSuffix(fmt.Sprintf("%s:%d: %s", f.path, n.Line, key), ": ")
}

// nameOfKey matches the names of header fields (RFC 9110 section 5.6.2), which include those
// of settings, and the merge key <<, for a message that names it.
var nameOfKey = regexp.MustCompile("^([-A-Za-z0-9!#$%&'*+.^_`|~]+|<<)$")

// fields returns the keys and values of a mapping. It refuses duplicate keys, and keys that
// are not names. The latter are not repeated, since one may be a misplaced secret.
func (f *file) fields(mapping *yaml.Node, path string) ([]field, error) {
	if mapping.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s: it is %s, where keys with values are needed", f.at(mapping, path), kindOf(mapping))
	}
	lines := make(map[string]int)
	var fields []field
	for pair := range slices.Chunk(mapping.Content, 2) {
		key, value := pair[0], pair[1]
		switch {
		case key.Kind != yaml.ScalarNode:
			return nil, fmt.Errorf("%s: a key is %s, where text is needed", f.at(key, path), kindOf(key))
		case !nameOfKey.MatchString(key.Value):
			return nil, fmt.Errorf("%s: a key is no name, such as url or X-Key", f.at(key, path))
		}
		name := strings.TrimPrefix(path+"."+key.Value, ".")
		if line, ok := lines[key.Value]; ok {
			return nil, fmt.Errorf("%s: it stands on line %d already", f.at(key, name), line)
		}
		lines[key.Value] = key.Line
		fields = append(fields, field{key.Value, name, f.at(key, name), value})
	}
	return fields, nil
}

// apply sets the flags that neither the command line nor the environment has set.
func (f *file) apply(flags *pflag.FlagSet) error {
	for _, of := range f.settings {
		if flag := flags.Lookup(of.key); flag != nil && !flag.Changed {
			if err := of.set(flag); err != nil {
				return err
			}
		}
	}
	return nil
}

// set sets a flag to the field's value. Quotes around a number do not matter, since
// templates often quote everything.
func (of field) set(flag *pflag.Flag) error {
	text, kind, tag := of.value.Value, flag.Value.Type(), of.value.ShortTag()
	var err error
	switch {
	case of.value.Kind != yaml.ScalarNode:
		return fmt.Errorf("%s: it is %s, where one value is needed", of.where, kindOf(of.value))
	case tag == "!!null":
		return fmt.Errorf("%s: it has no value", of.where)
	case kind == "string" && tag != "!!str":
		return fmt.Errorf("%s: it is %s, where text is needed: put it in quotes", of.where, kindOf(of.value))
	case kind == "bool" && !strings.EqualFold(text, "true") && !strings.EqualFold(text, "false"): // a flag also takes 1, t and the like
		err = errors.ErrUnsupported
	default:
		err = flag.Value.Set(text)
	}
	if err != nil {
		return fmt.Errorf("%s: %.40q: %w", of.where, text, Invalid(flag, err))
	}
	setOrigin(flag, of.where)
	return nil
}

// kindOf describes a node that is of the wrong kind.
func kindOf(n *yaml.Node) string {
	if n.Kind == yaml.AliasNode {
		return "an alias (write it out)"
	}
	kinds := map[string]string{
		"!!map": "a mapping", "!!seq": "a list", "!!null": "nothing", "!!str": "text", "!!int": "a number", "!!float": "a number",
		"!!bool": "true or false", "!!timestamp": "a date",
	}
	return cmp.Or(kinds[n.ShortTag()], "of a type of its own")
}

// unknownKey is the error of a key that no flag has. More are the keys that are valid beside the flags.
func unknownKey(of field, flags *pflag.FlagSet, more ...string) error {
	known := slices.Clone(more)
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Name != "config" {
			known = append(known, flag.Name)
		}
	})
	slices.Sort(known)
	return fmt.Errorf("%s: there is no such key; there are %s", of.where, strings.Join(known, ", "))
}
