package config

import (
	"net/url"
	"strings"

	"github.com/spf13/pflag"
)

// A Place is where a store is: the path of a data file, or the URL of a PostgreSQL database
// (postgres:// or postgresql://). The URL may have a password, which formatting leaves out.
type Place string

// Database reports whether the place is a database.
func (p Place) Database() bool {
	return strings.HasPrefix(string(p), "postgres://") || strings.HasPrefix(string(p), "postgresql://")
}

// String returns the path, or what of the URL is no secret: the host, the port and the name of
// the database.
func (p Place) String() string {
	if !p.Database() {
		return string(p)
	}
	u, err := url.Parse(string(p))
	if err != nil || strings.Contains(u.Host+u.Path, "@") { // a password with an unescaped @ or /
		return "the database"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// expandPlace expands the flag --db if it came from the file, and is the URL of a database, or a
// variable alone. The names of files are taken as they are.
func expandPlace(flags *pflag.FlagSet) error {
	return expandSetting(flags, "db", func(text string) (string, error) {
		if Place(text).Database() || variable.FindString(text) == text {
			return expandURL(text)
		}
		return text, nil
	})
}
