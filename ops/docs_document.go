package ops

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A document is what the page of API documentation shows of an OpenAPI 3.0 document.
type document struct {
	Info struct {
		Title       string
		Version     string
		Description string
	}
	Paths      ordered[ordered[operation]] // by path and method
	Components struct {
		Parameters ordered[parameter]
		Responses  ordered[response]
		Headers    ordered[parameter]
		Schemas    ordered[schema]
	}
}

// resolve puts what operations refer to in its place, where people look for it, but for
// schemas and headers: the page has those once, with links.
func (d *document) resolve() {
	for _, path := range d.Paths {
		for _, operation := range path.Value {
			for i, p := range operation.Value.Parameters {
				operation.Value.Parameters[i] = d.Components.Parameters.resolved(p.Ref, p)
			}
			for i, r := range operation.Value.Responses {
				operation.Value.Responses[i].Value = d.Components.Responses.resolved(r.Value.Ref, r.Value)
			}
		}
	}
}

type operation struct {
	Summary     string
	Description string
	Parameters  []parameter
	Responses   ordered[response]
}

// A parameter is one of a request, or a header field of a response.
type parameter struct {
	Ref         string `yaml:"$ref"`
	Name        string
	In          string
	Description string
	Schema      schema
	Example     sample
}

type response struct {
	Ref         string `yaml:"$ref"`
	Description string
	Headers     ordered[parameter]
	Content     ordered[content]
}

type content struct {
	Schema   schema
	Example  sample
	Examples ordered[struct {
		Summary string
		Value   sample
	}]
}

type schema struct {
	Ref         string `yaml:"$ref"`
	Type        string
	Format      string
	Description string
	Nullable    bool
	Enum        []any
	Properties  ordered[schema]
	Items       *schema
	Example     sample
}

// ordered is a mapping whose order counts: that in which people read it.
type ordered[T any] []named[T]

type named[T any] struct {
	Name  string
	Value T
}

// resolved returns what a reference leads to, or v when there is none.
func (o ordered[T]) resolved(ref string, v T) T {
	for _, element := range o {
		if element.Name == anchor(ref) {
			return element.Value
		}
	}
	return v
}

// UnmarshalYAML reads a mapping.
func (o *ordered[T]) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a mapping is expected here", node.Line)
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		element := named[T]{Name: node.Content[i].Value}
		if err := node.Content[i+1].Decode(&element.Value); err != nil {
			return err
		}
		*o = append(*o, element)
	}
	return nil
}

// A sample is a value as JSON, with its fields in the order of the document, or a text
// as it is.
type sample string

// UnmarshalYAML reads any value.
func (s *sample) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*s = sample(node.Value)
		return nil
	}
	var compact, indented bytes.Buffer
	if err := appendJSON(&compact, node); err != nil {
		return err
	}
	if err := json.Indent(&indented, compact.Bytes(), "", "  "); err != nil {
		return err
	}
	*s = sample(indented.String())
	return nil
}

// appendJSON writes a YAML node as JSON.
func appendJSON(b *bytes.Buffer, node *yaml.Node) error {
	brackets, step := "", 1
	switch node.Kind {
	case yaml.MappingNode:
		brackets, step = "{}", 2
	case yaml.SequenceNode:
		brackets = "[]"
	default:
		var value any
		if err := node.Decode(&value); err != nil {
			return err
		}
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		b.Write(text)
		return nil
	}
	b.WriteByte(brackets[0])
	for i := 0; i < len(node.Content); i += step {
		if i > 0 {
			b.WriteByte(',')
		}
		if step == 2 {
			name, err := json.Marshal(node.Content[i].Value)
			if err != nil {
				return err
			}
			b.Write(append(name, ':'))
		}
		if err := appendJSON(b, node.Content[i+step-1]); err != nil {
			return err
		}
	}
	b.WriteByte(brackets[1])
	return nil
}

// A field is a row of the table that shows a schema.
type field struct {
	Name   string // with the names of those that it is in, such as data.events
	Schema schema
}

// fields lists everything in a schema but what it refers to.
func fields(s schema) []field { return appendFields(nil, "", s) }

func appendFields(list []field, within string, s schema) []field {
	for _, p := range s.Properties {
		list = append(list, field{within + p.Name, p.Value})
		list = appendFields(list, within+p.Name+".", p.Value)
	}
	return list
}

// A kind says in words what values a schema takes.
type kind struct {
	Text string
	Link string // the name of another schema, which ends the words; empty: none does
}

func kindOf(s schema) kind {
	switch {
	case s.Ref != "":
		return kind{Link: anchor(s.Ref)}
	case s.Items != nil:
		items := kindOf(*s.Items)
		return kind{Text: s.Type + " of " + items.Text, Link: items.Link}
	}
	words := s.Type
	if s.Format != "" {
		words += " (" + s.Format + ")"
	}
	var values []string
	for _, v := range s.Enum {
		if v == nil { // the only value: what the type says is beside the point
			return kind{Text: "null"}
		}
		values = append(values, fmt.Sprint(v))
	}
	if len(values) > 0 {
		words += ": " + strings.Join(values, ", ")
	}
	if s.Nullable {
		words += ", or null"
	}
	return kind{Text: words}
}

// anchor returns the last part of a reference, which is the name of what it refers to.
func anchor(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }
