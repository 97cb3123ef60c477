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
	loc, err := time.LoadLocation(name)
	if err != nil {
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
