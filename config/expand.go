package config

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/pflag"
)

var variable = regexp.MustCompile(`\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}`)

// expand replaces each ${env:NAME} by the value of that environment variable. Its errors
// never repeat the text.
func expand(text string) (string, error) {
	values, err := variables(text)
	if err != nil {
		return "", err
	}
	return variable.ReplaceAllStringFunc(text, func(string) string {
		value := values[0].value
		values = values[1:]
		return value
	}), nil
}

// A reference is an environment variable that a text refers to, with its value.
type reference struct{ name, value string }

// variables returns the references in a text, in order.
func variables(text string) ([]reference, error) {
	matches := variable.FindAllStringSubmatch(text, -1)
	if strings.Count(text, "${") != len(matches) {
		return nil, errors.New("${ begins something else than ${env:NAME}")
	}
	var all []reference
	for _, match := range matches {
		value := os.Getenv(match[1])
		if value == "" {
			return nil, fmt.Errorf("the environment variable %s is not set, or empty", match[1])
		}
		all = append(all, reference{match[1], value})
	}
	return all, nil
}

// expandSetting expands the value of a flag if it came from the file. The shell has already
// expanded the others.
func expandSetting(flags *pflag.FlagSet, name string, expand func(string) (string, error)) error {
	flag := flags.Lookup(name)
	if flag.Changed || !isSet(flag) {
		return nil
	}
	text, err := expand(flag.Value.String())
	if err != nil {
		return fmt.Errorf("%s: %w", Origin(flags, name), err)
	}
	return flag.Value.Set(text)
}

// expandURL expands a URL. Each value is encoded for its position, so that it cannot end
// the user, segment or parameter that it is in, and cannot change the host. A text that
// consists of one variable is different: the value is then the whole URL.
func expandURL(text string) (string, error) {
	values, err := variables(text)
	switch {
	case err != nil:
		return "", err
	case len(values) == 0:
		return text, nil
	case variable.FindString(text) == text:
		return values[0].value, nil
	}
	return newTemplate(text, values).url()
}

// A template is a URL with a mark in the place of each value. Marks consist of letters and
// digits, since these need no encoding in any part of a URL.
type template struct {
	text   string
	marks  *regexp.Regexp
	values []reference // in the order of the marks' numbers
	failed error       // the first error of fill
}

func newTemplate(text string, values []reference) *template {
	mark := "envx"
	for strings.Contains(strings.ToLower(text), mark) { // url.Parse lowers the case of a scheme
		mark += "x"
	}
	n := 0
	return &template{
		text: variable.ReplaceAllStringFunc(text, func(string) string {
			n++
			return mark + strconv.Itoa(n-1) + "z"
		}),
		marks:  regexp.MustCompile(mark + `([0-9]+)z`),
		values: values,
	}
}

// fill replaces the marks in a part of the URL by the encoded values. If encode refuses a
// value, fill records an error that names the variable and the reason.
func (t *template) fill(part string, encode func(value string) (encoded, refused string)) string {
	return t.marks.ReplaceAllStringFunc(part, func(mark string) string {
		n, _ := strconv.Atoi(t.marks.FindStringSubmatch(mark)[1]) // digits
		encoded, refused := encode(t.values[n].value)
		if refused != "" && t.failed == nil {
			t.failed = fmt.Errorf("the environment variable %s %s", t.values[n].name, refused)
		}
		return encoded
	})
}

// refuse records an error if a part of the URL has a mark.
func (t *template) refuse(part, why string) {
	t.fill(part, func(string) (string, string) { return "", why })
}

// url returns the URL with the values in it.
func (t *template) url() (string, error) {
	u, err := url.Parse(t.text)
	if err != nil {
		// The parser's message repeats parts of the URL, so it is dropped. The usual cause is a
		// variable in the place of the port, where the parser wants digits.
		t.refuse(port(t.text), "cannot stand in the port")
		return "", cmp.Or(t.failed, errors.New("it is not a URL"))
	}
	t.refuse(u.Scheme, "cannot stand in the scheme")
	t.refuse(u.Opaque, "cannot stand in what has no host")
	t.refuse(u.Fragment, "cannot stand in what follows #, which is never sent")
	u.Host = t.fill(u.Host, hostValue)
	if u.User != nil {
		name := t.fill(u.User.Username(), userValue)
		if password, ok := u.User.Password(); ok {
			u.User = url.UserPassword(name, t.fill(password, passwordValue))
		} else {
			u.User = url.User(name)
		}
	}
	u.RawPath = t.path(u.EscapedPath())
	u.RawQuery = t.fill(u.RawQuery, func(value string) (string, string) {
		// Some servers decode a plus to a blank, others do not. %20 is a blank to all.
		return strings.ReplaceAll(url.QueryEscape(value), "+", "%20"), ""
	})
	if t.failed != nil {
		return "", t.failed
	}
	u.Path, err = url.PathUnescape(u.RawPath)
	return u.String(), err // the error is nil, since all of RawPath is encoded
}

// port returns what follows the host in a URL, which may be malformed.
func port(text string) string {
	_, rest, _ := strings.Cut(text, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	rest = rest[strings.LastIndex(rest, "@")+1:]
	return rest[strings.LastIndex(rest, ":")+1:]
}

var plainHost = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$`)

// hostValue allows only values that are plain host names or parts of them.
func hostValue(value string) (encoded, refused string) {
	if !plainHost.MatchString(value) || strings.Contains(value, "..") {
		return "", "stands in the host, and is not a plain host name"
	}
	return value, ""
}

// userValue and passwordValue refuse what RFC 7617 section 2 excludes.
func userValue(value string) (encoded, refused string) {
	if strings.Contains(value, ":") {
		return "", "holds a colon, which a user cannot have: it would end the user"
	}
	return passwordValue(value)
}

func passwordValue(value string) (encoded, refused string) {
	if strings.ContainsFunc(value, unicode.IsControl) {
		return "", "holds a control character, such as a line feed, which a user or a password cannot have"
	}
	return value, ""
}

// path fills an encoded path. It refuses values that make a segment of one or two dots:
// clients and servers resolve such segments, even encoded ones (RFC 3986 section 5.2.4).
func (t *template) path(escaped string) string {
	segments := strings.Split(escaped, "/")
	for i, segment := range segments {
		segments[i] = t.fill(segment, func(value string) (string, string) { return url.PathEscape(value), "" })
		if plain, _ := url.PathUnescape(segments[i]); plain == "." || plain == ".." {
			t.refuse(segment, "makes a part of the path that leads elsewhere")
		}
	}
	return strings.Join(segments, "/")
}
