package provider

import (
	"net/netip"
	"testing"
)

func TestIsPublic(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"0.0.0.0":         false,
		"0.255.255.255":   false,
		"1.0.0.0":         true,
		"8.8.8.8":         true,
		"9.255.255.255":   true,
		"10.0.0.0":        false,
		"10.255.255.255":  false,
		"11.0.0.0":        true,
		"100.63.255.255":  true,
		"100.64.0.0":      false,
		"100.127.255.255": false,
		"100.128.0.0":     true,
		"126.255.255.255": true,
		"127.0.0.1":       false,
		"127.255.255.255": false,
		"128.0.0.0":       true,
		"169.253.0.0":     true,
		"169.254.169.254": false,
		"172.15.0.0":      true,
		"172.16.0.0":      false,
		"172.31.255.255":  false,
		"172.32.0.0":      true,
		"192.0.0.192":     false, // the metadata of a cloud, too
		"192.0.1.0":       true,
		"192.167.0.0":     true,
		"192.168.0.1":     false,
		"192.169.0.0":     true,
		"198.17.0.0":      true,
		"198.18.0.0":      false,
		"198.19.255.255":  false,
		"198.20.0.0":      true,
		"223.255.255.255": true,
		"224.0.0.1":       false,
		"239.255.255.255": false,
		"240.0.0.0":       false,
		"255.255.255.255": false,

		"::":                     false,
		"::1":                    false,
		"::2":                    false, // stands for 0.0.0.2
		"::8.8.8.8":              true,
		"::127.0.0.1":            false,
		"::ffff:8.8.8.8":         true,
		"::ffff:127.0.0.1":       false,
		"::ffff:10.0.0.1":        false,
		"::ffff:169.254.169.254": false,
		"::ffff:0:0":             false,
		"64:ff9b::8.8.8.8":       true,
		"64:ff9b::10.0.0.1":      false,
		"64:ff9b::169.254.0.1":   false,
		"64:ff9b:1::8.8.8.8":     false,
		"64:ff9c::10.0.0.1":      true,
		"100::1":                 false,
		"2001:4860:4860::8888":   true,
		"2002:808:808::":         true,
		"2002:a00:1::":           false, // of 10.0.0.1
		"2002:7f00:1::1":         false,
		"2a00:1450::1":           true,
		"fbff::1":                true,
		"fc00::1":                false,
		"fd12:3456::1":           false,
		"fdff:ffff::":            false,
		"fe00::1":                true,
		"fe80::1":                false,
		"fe80::1%eth0":           false,
		"fec0::1":                false,
		"ff02::1":                false,
	} {
		if got := isPublic(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is public: %t", address, got)
		}
	}
	if isPublic(netip.Addr{}) {
		t.Error("no address is public")
	}
}
