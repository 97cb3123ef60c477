package provider

import (
	"errors"
	"net/url"
	"strings"
)

// errLink is returned for a Link header that cannot be read. Another one might be the end of
// the feed, so it is not ignored.
var errLink = errors.New("its Link header is malformed")

// nextLink returns the target of the first link to the next page (RFC 8288 section 3), or ""
// if there is none. Fields are those of the header, and base is the URL of the document.
func nextLink(fields []string, base *url.URL) (string, error) {
	rest := strings.Join(fields, ",")
	for {
		rest = strings.TrimLeft(rest, " \t,") // empty elements: RFC 9110 section 5.6.1
		if rest == "" {
			return "", nil
		}
		target, after, closed := strings.Cut(rest, ">")
		if rest[0] != '<' || !closed {
			return "", errLink
		}
		params, after, ok := linkParams(after)
		if !ok {
			return "", errLink
		}
		if isNext(params, base) {
			return target[1:], nil
		}
		rest = after
	}
}

// isNext reports whether a link with these parameters leads from the document to the next one.
func isNext(params map[string]string, base *url.URL) bool {
	if anchor, ok := params["anchor"]; ok { // the link may begin elsewhere, section 3.2
		from, err := base.Parse(anchor)
		if err != nil || from.String() != base.String() {
			return false
		}
	}
	for rel := range strings.FieldsSeq(params["rel"]) { // section 3.3
		if strings.EqualFold(rel, "next") {
			return true
		}
	}
	return false
}

// linkParams reads the parameters of a link, and returns what follows its comma. The first of
// several with one name counts.
func linkParams(text string) (params map[string]string, rest string, ok bool) {
	params = make(map[string]string)
	for {
		text = strings.TrimLeft(text, " \t")
		switch {
		case text == "" || text[0] == ',':
			return params, text, true
		case text[0] != ';':
			return nil, "", false
		}
		text = strings.TrimLeft(text[1:], " \t")
		end := strings.IndexAny(text+";", "=;, \t")
		name, value := strings.ToLower(text[:end]), ""
		text = strings.TrimLeft(text[end:], " \t")
		if strings.HasPrefix(text, "=") {
			if value, text, ok = linkValue(strings.TrimLeft(text[1:], " \t")); !ok {
				return nil, "", false
			}
		}
		if _, again := params[name]; !again && name != "" {
			params[name] = value
		}
	}
}

// linkValue reads a token or a quoted string (RFC 9110 section 5.6.4).
func linkValue(text string) (value, rest string, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text+";", ";, \t")
		return text[:end], text[end:], true
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return b.String(), text[i+1:], true
		case '\\':
			if i++; i == len(text) {
				return "", "", false
			}
		}
		b.WriteByte(text[i])
	}
	return "", "", false
}
