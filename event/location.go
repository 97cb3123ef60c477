package event

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of [LoadLocation]. The IANA database has some 600 names of 32 bytes at most.
const (
	maxTimeZoneBytes = 64
	maxLocations     = 1 << 10
)

// locations has what LoadLocation has loaded, by name. A change is a new map, so that many
// goroutines can read it at once. A feed may name any zone, so the map has a bound.
var (
	locations atomic.Pointer[map[string]*time.Location]
	loading   sync.Mutex // held to change it

	// unknown is the last name that was not found. That takes long, and a feed may name the same
	// zone in each of its rows.
	unknown atomic.Pointer[string]
)

// LoadLocation returns the location of the time zone with an IANA name, such as Europe/Madrid
// or UTC. Unlike [time.LoadLocation] it remembers what it has loaded, and it refuses the names
// that mean something else on each machine: "", "Local", and other files beside the database.
func LoadLocation(name string) (*time.Location, error) {
	if all := locations.Load(); all != nil && (*all)[name] != nil {
		return (*all)[name], nil
	}
	if !isTimeZone(name) {
		return nil, fmt.Errorf("time zone %s is not an IANA name such as Europe/Madrid or UTC", quote(name))
	}
	return load(strings.Clone(name)) // it may be a part of a long text
}

func load(name string) (*time.Location, error) {
	var loc *time.Location
	if last := unknown.Load(); last == nil || *last != name {
		loc, _ = time.LoadLocation(name) // what is wrong makes no difference
	}
	if loc == nil {
		unknown.Store(&name)
		return nil, fmt.Errorf("time zone %s is not known", quote(name))
	}
	loading.Lock()
	defer loading.Unlock()
	all := make(map[string]*time.Location)
	if old := locations.Load(); old != nil {
		all = maps.Clone(*old)
	}
	if len(all) < maxLocations {
		all[name] = loc
		locations.Store(&all)
	}
	return loc, nil
}

// isTimeZone reports whether the IANA database can have a zone of this name. In the folder of
// the database many systems also have the machine's own zone (localtime), and copies of all
// zones with other rules (posix, right).
func isTimeZone(name string) bool {
	if len(name) > maxTimeZoneBytes || name == "Local" {
		return false
	}
	for i, part := range strings.Split(name, "/") {
		if part == "" || i == 0 && (part[0] < 'A' || part[0] > 'Z') { // posix, right and localtime are in lower case
			return false
		}
		for _, c := range []byte(part) {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '+' && c != '_' {
				return false
			}
		}
	}
	return true
}
