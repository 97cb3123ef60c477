package config

import (
	"fmt"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"

	"fever/provider"
)

// pages reads how the feed of a provider goes on from page to page. It notes where each key
// is, under "pages.KEY".
func (f *file) pages(of field, at map[string]string) (*provider.Pages, error) {
	var p provider.Pages
	var first int
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.StringVar(&p.Next, "next", "", "")
	flags.StringVar(&p.Number, "number", "", "")
	flags.StringVar(&p.Offset, "offset", "", "")
	flags.StringVar(&p.Cursor, "cursor", "", "")
	flags.StringVar(&p.Parameter, "parameter", "", "")
	flags.IntVar(&first, "first", 0, "")
	flags.IntVar(&p.Size, "size", 0, "")
	flags.StringVar(&p.Flag, "flag", "", "")
	flags.StringVar(&p.Total, "total", "", "")
	flags.IntVar(&p.End, "end", 0, "")
	flags.BoolVar(&p.FirstPageTells, "first-page-tells", false, "")
	fields, err := f.fields(of.value, of.path)
	if err != nil {
		return nil, err
	}
	at["pages"] = of.where
	for _, of := range fields {
		at["pages."+of.key] = of.where
		flag := flags.Lookup(of.key)
		switch {
		case of.key == "hosts":
			p.Hosts, err = f.texts(of)
		case flag == nil:
			err = unknownKey(of, flags, "hosts")
		default:
			err = of.set(flag)
			if value := flag.Value.String(); err == nil && (value == "" || value == "0" && of.key != "first") {
				err = fmt.Errorf("%s: %q would be as if the key were not there", of.where, value)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if at["pages.first"] != "" {
		p.First = &first
	}
	return &p, nil
}

// texts reads a list of texts.
func (f *file) texts(of field) (texts []string, err error) {
	if of.value.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("%s: it is %s, where a list is needed", of.where, kindOf(of.value))
	}
	for _, element := range of.value.Content {
		if element.Kind != yaml.ScalarNode || element.ShortTag() != "!!str" {
			return nil, fmt.Errorf("%s: an element is %s, where text is needed", f.at(element, of.path), kindOf(element))
		}
		texts = append(texts, element.Value)
	}
	return texts, nil
}
