package inspect

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// The members of rows, by their paths such as "place.name" or "dates[].begin".
type members map[string]*member

// A member counts the rows in which a member of theirs has a value that tells something.
type member struct {
	last      int // the number of the last row in which it was seen
	times     int // rows with a time of day in it, other than those that stand for none
	amounts   int // rows with an amount of money in it
	cancelled int // rows in which it says that the event is cancelled or deleted
	said      string
}

const (
	maxMembers     = 1000 // paths
	maxMemberDepth = 4
	maxElements    = 100 // of a list in a row
	maxShort       = 64  // bytes of a text that is a value and not prose
)

var (
	timeOfDay = regexp.MustCompile(`(?:^|[T\s])([01]?[0-9]|2[0-3])[:.h]([0-5][0-9])(?:\D|$)`)
	money     = regexp.MustCompile(`[0-9].*(?:[€$£]|(?i:\b(?:eur|usd|gbp|euros?)\b))|[€$£].*[0-9]`)
	moneyName = regexp.MustCompile(`(?i)pri[cxs]|preis|prec[ií]o|prezzo|preço|tarif|cost|amount|hinta|fee\b|importe`)
	// In the languages of feeds that were seen.
	cancelled     = regexp.MustCompile(`(?i)^\W*(?:event)?(?:cancel|anulad|annul|abgesagt|peruttu|suspendid|deleted|postpon|aplazad)`)
	cancelledName = regexp.MustCompile(`(?i)cancel|anulad|annul|deleted|removed`)
)

// add looks at the members of a row.
func (m members) add(row any, number int) {
	object, ok := row.(map[string]any)
	if !ok {
		return
	}
	for name, value := range object {
		m.look(name, name, value, number, 1)
	}
}

func (m members) look(path, name string, value any, number, depth int) {
	if depth > maxMemberDepth {
		return
	}
	switch value := value.(type) {
	case map[string]any:
		for name, of := range value {
			m.look(path+"."+name, name, of, number, depth+1)
		}
	case []any:
		for _, of := range value[:min(len(value), maxElements)] {
			m.look(path+"[]", name, of, number, depth+1)
		}
	}
	of := m[path]
	if of == nil {
		if len(m) == maxMembers {
			return
		}
		of = new(member)
		m[path] = of
	}
	if of.last == number { // another element of a list
		return
	}
	of.last = number
	of.count(name, value)
}

// count looks at the value in one more row.
func (of *member) count(name string, value any) {
	switch value := value.(type) {
	case string:
		if len(value) > maxShort {
			return
		}
		if at := timeOfDay.FindStringSubmatch(value); at != nil && !isFiller(at[1]+":"+at[2]) {
			of.times++
		}
		if money.MatchString(value) || moneyName.MatchString(name) && strings.ContainsAny(value, "0123456789") {
			of.amounts++
		}
		if cancelled.MatchString(value) {
			of.cancelled++
			of.said = cmp.Or(of.said, value)
		}
	case json.Number, float64, int:
		if moneyName.MatchString(name) {
			of.amounts++
		}
	case bool:
		if value && cancelledName.MatchString(name) {
			of.cancelled++
			of.said = "true"
		}
	}
}

// isFiller reports whether a time of day stands for no time in many feeds.
func isFiller(clock string) bool {
	return strings.TrimLeft(clock, "0") == ":00" || clock == "23:59"
}

// best returns the path for which count is greatest, and that number; 0: there is none.
func (m members) best(count func(*member) int) (path string, rows int) {
	for _, p := range slices.Sorted(maps.Keys(m)) {
		if n := count(m[p]); n > rows {
			path, rows = p, n
		}
	}
	return path, rows
}

// isRead reports whether a program that reads members with certain names can see the value at
// a path: it may take the object around it as a whole.
func isRead(path string, reads func(string) bool) bool {
	return slices.ContainsFunc(strings.Split(strings.ReplaceAll(path, "[]", ""), "."), reads)
}

// unread returns the members of the rows themselves that are never read.
func (m members) unread(reads func(string) bool) []string {
	names := []string{}
	for _, path := range slices.Sorted(maps.Keys(m)) {
		if !strings.ContainsAny(path, ".[") && !reads(path) {
			names = append(names, path)
		}
	}
	return names
}

// in says how many rows have something in the member where most have it; "" if none has.
func (m members) in(what string, count func(*member) int) string {
	path, rows := m.best(count)
	if rows == 0 {
		return ""
	}
	return fmt.Sprintf(", and %s %s in `%s`", agree(rows, "row", "has", "have"), what, path)
}
