package control

import (
	"net/url"
	"strconv"

	"fever/store"
)

// An answer is the shape of all answers in JSON but for those of health.
type answer struct {
	Data  any       `json:"data"`
	Error *struct{} `json:"error"`
}

// Providers is the data of GET /providers.
type Providers struct {
	Providers []ProviderStatus `json:"providers"`
}

// Jobs is the data of GET /jobs.
type Jobs struct {
	Jobs []store.Job `json:"jobs"` // the newest first
	Next *uint64     `json:"next"` // the value of before for what follows; null: nothing does
}

// Synced is the data of POST /sync.
type Synced struct {
	Jobs []store.Job `json:"jobs"` // as far as they are; those that wait for a worker have no id
	Busy []string    `json:"busy"` // providers left out, as their last job still runs
}

// Taken is the data of POST /snapshots.
type Taken struct {
	Job store.Job `json:"job"`
}

// Events is the query of GET /events. Times are of RFC 3339; empty: there is no bound.
type Events struct {
	Provider         string // empty: all of them
	StartsAt, EndsAt string
	Limit            int // 0: all
}

func (e Events) values() url.Values {
	query := url.Values{"limit": {strconv.Itoa(e.Limit)}}
	for name, value := range map[string]string{"provider": e.Provider, "starts_at": e.StartsAt, "ends_at": e.EndsAt} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return query
}
