package provider

import "net/url"

// At returns the provider with another URL, for somebody who tries one. The credentials go
// along only if the new URL has the host of the old one, as with a redirect.
func (p *Provider) At(address string) (*Provider, error) {
	c := p.Config
	c.URL = address
	u, err := url.Parse(address)
	if err != nil || !sameHost(p.url, u) {
		c.Header, c.ClientCert, c.ClientKey = nil, "", ""
		return New(c)
	}
	if u.User == nil {
		u.User = p.url.User
		c.URL = u.String()
	}
	return New(c)
}
