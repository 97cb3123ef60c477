package config

import (
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

// expand puts the values of environment variables in the place of ${env:NAME}. It
// never repeats the text.
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

// A reference is to an environment variable that is set.
type reference struct{ name, value string }

// variables returns those that a text refers to, in order.
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

// expandSetting does so with a setting that is from the file. What is in the others, a
// shell has seen to.
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

// expandURL expands a URL. A value stays one value: it is encoded for the place where it
// stands, so that nothing in it ends that, and the host is the one of the template. Only
// a text that is nothing but one variable has a value that is the URL itself.
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

// A template is a URL with marks in it where values are to stand. The marks are letters
// and digits, which mean the same everywhere.
type template struct {
	text   string
	marks  *regexp.Regexp
	values []reference // in the order of the marks' numbers
}

func newTemplate(text string, values []reference) *template {
	mark := "envx"
	for strings.Contains(strings.ToLower(text), mark) { // the scheme is read in lower case
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

// marked returns the name of the first variable in a part of the URL, or "".
func (t *template) marked(part string) string {
	if match := t.marks.FindStringSubmatch(part); match != nil {
		n, _ := strconv.Atoi(match[1]) // digits
		return t.values[n].name
	}
	return ""
}

// fill puts the values, as encode returns them, in the place of the marks.
func (t *template) fill(part string, encode func(reference) (string, error)) (string, error) {
	var failed error
	filled := t.marks.ReplaceAllStringFunc(part, func(mark string) string {
		n, _ := strconv.Atoi(t.marks.FindStringSubmatch(mark)[1]) // digits
		value, err := encode(t.values[n])
		if err != nil && failed == nil {
			failed = err
		}
		return value
	})
	return filled, failed
}

// url returns the URL with the values in it.
func (t *template) url() (string, error) {
	u, err := url.Parse(t.text)
	if err != nil {
		// The parser's message repeats parts of the URL. What it finds most often is a port
		// that is no number, since a variable is in its place.
		if name := t.marked(port(t.text)); name != "" {
			return "", misplaced(name, "the port")
		}
		return "", errors.New("it is not a URL")
	}
	for _, place := range []struct{ what, text string }{
		{"the scheme", u.Scheme}, {"what has no host", u.Opaque}, {"what follows #, which is never sent", u.Fragment},
	} {
		if name := t.marked(place.text); name != "" {
			return "", misplaced(name, place.what)
		}
	}
	if u.Host, err = t.fill(u.Host, hostName); err != nil {
		return "", err
	}
	if err := t.user(u); err != nil {
		return "", err
	}
	if err := t.path(u); err != nil {
		return "", err
	}
	u.RawQuery, err = t.fill(u.RawQuery, func(v reference) (string, error) {
		// A plus is a blank to some servers and a plus to others: neither is left.
		return strings.ReplaceAll(url.QueryEscape(v.value), "+", "%20"), nil
	})
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

func misplaced(name, where string) error {
	return fmt.Errorf("the environment variable %s cannot stand in %s", name, where)
}

// port returns what follows the host in a URL that may not be right.
func port(text string) string {
	_, rest, _ := strings.Cut(text, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	rest = rest[strings.LastIndex(rest, "@")+1:]
	return rest[strings.LastIndex(rest, ":")+1:]
}

var plainHost = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$`)

// hostName lets a value stand in the host when it can be nothing else.
func hostName(v reference) (string, error) {
	if !plainHost.MatchString(v.value) || strings.Contains(v.value, "..") {
		return "", fmt.Errorf("the environment variable %s stands in the host, and is not a plain host name", v.name)
	}
	return v.value, nil
}

// user fills the user and the password, which RFC 7617 section 2 keeps from holding
// some characters.
func (t *template) user(u *url.URL) error {
	if u.User == nil {
		return nil
	}
	plain := func(v reference) (string, error) {
		if strings.ContainsFunc(v.value, unicode.IsControl) {
			return "", fmt.Errorf("the environment variable %s holds a control character, such as a line feed, which a user or a password cannot have", v.name)
		}
		return v.value, nil
	}
	name, err := t.fill(u.User.Username(), func(v reference) (string, error) {
		if strings.Contains(v.value, ":") {
			return "", fmt.Errorf("the environment variable %s holds a colon, which a user cannot have: it would end the user", v.name)
		}
		return plain(v)
	})
	if err != nil {
		return err
	}
	password, ok := u.User.Password()
	if !ok {
		u.User = url.User(name)
		return nil
	}
	if password, err = t.fill(password, plain); err != nil {
		return err
	}
	u.User = url.UserPassword(name, password)
	return nil
}

// path fills the path. A segment that is nothing but dots would be resolved, also when
// these are encoded (RFC 3986 section 5.2.4).
func (t *template) path(u *url.URL) error {
	segments := strings.Split(u.EscapedPath(), "/")
	for i, segment := range segments {
		filled, err := t.fill(segment, func(v reference) (string, error) { return url.PathEscape(v.value), nil })
		if err != nil {
			return err
		}
		if plain, _ := url.PathUnescape(filled); filled != segment && (plain == "." || plain == "..") {
			return fmt.Errorf("the environment variable %s makes a part of the path that leads elsewhere", t.marked(segment))
		}
		segments[i] = filled
	}
	u.RawPath = strings.Join(segments, "/")
	var err error
	u.Path, err = url.PathUnescape(u.RawPath)
	return err // never: all of it is encoded
}
