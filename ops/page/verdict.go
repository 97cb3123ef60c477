package page

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"fever/provider/feed"
)

// A level is how bad something is. It is also the name of a class, an icon and a file.
type level string

const (
	levelOK   level = "ok"
	levelWait level = "wait" // not as it should be, but no reason to get up at night
	levelBad  level = "bad"
	levelOff  level = "off" // nothing to judge
)

// A verdict sums the page up in two sentences.
type verdict struct {
	Level    level
	Headline string
	Detail   string
}

// judge returns the worst of what the page shows.
func judge(service string, problems []error, outage string, searches Traffic, cards []card, differ bool, unarchived int) verdict {
	goesOn := " Searches are answered from what is stored."
	if service == "collecting" {
		goesOn = " Not ready: first snapshots are missing, and searches should be sent elsewhere."
	}
	by := make(map[state][]card)
	for _, c := range cards {
		by[c.State] = append(by[c.State], c)
	}
	failing, stale, suspect, rejecting := by[stateFailing], by[stateStale], by[stateSuspect], by[stateRejecting]
	unstored := slices.IndexFunc(cards, func(c card) bool { return c.Kind == feed.KindStore })
	switch {
	case service == "stopping":
		return verdict{levelWait, "Stopping", "Searches under way are answered. Nothing new begins."}
	case service == "draining":
		return verdict{levelWait, "Draining", "Searches are answered, and should be sent elsewhere. No job begins."}
	case service == "loading":
		return verdict{levelWait, "Starting", "What is stored is being loaded. Until then searches wait."}
	case outage != "":
		return verdict{levelBad, "The database does not answer", outage + " Searches are answered from memory. Nothing is collected."}
	case len(problems) > 0:
		return verdict{levelBad, "The data file cannot be read", errors.Join(problems...).Error()}
	case unstored >= 0:
		return verdict{levelBad, "The data file cannot be written", cards[unstored].Message + "." + goesOn}
	case searches.Failed > 0:
		return verdict{levelBad, "Searches fail", fmt.Sprintf("%s in the last minute got 500, which is a bug: the log has each.", number(searches.Failed))}
	case len(failing) > 0 && len(stale) > 0:
		return verdict{levelBad, are(failing) + " failing", about(failing) + " Stale: " + about(stale) + goesOn}
	case len(failing) > 0:
		return verdict{levelBad, are(failing) + " failing", about(failing) + goesOn}
	case len(stale) > 0:
		return verdict{levelBad, are(stale) + " stale", about(stale) + goesOn}
	case searches.Shed > 0:
		return verdict{levelBad, "Searches are turned away", fmt.Sprintf("%s in the last minute got 503: there were more at once than may be.", number(searches.Shed))}
	case len(suspect) > 0:
		return verdict{worst(suspect), are(suspect) + " suspect", about(suspect) + " What was sold stays searchable."}
	case len(rejecting) > 0:
		return verdict{worst(rejecting), "Rows are rejected", about(rejecting) + " Their events keep their last values."}
	case unarchived > 0:
		return verdict{levelWait, "The archive has faults", amount(unarchived, "error") + " since this process began, which the log has. Documents may be missing. What is stored is not affected."}
	case differ:
		return verdict{levelWait, "Replicas have different settings", "What is stored depends on who collects it: give all processes on the database the same settings."}
	case len(by[stateNew]) > 0:
		return verdict{levelWait, "Waiting for the first data", about(by[stateNew]) + goesOn}
	case len(by[stateOff]) == len(cards):
		return verdict{levelOK, "All is well", "Nothing is collected." + goesOn}
	default:
		return verdict{levelOK, "All is well", "What is stored is up to date."}
	}
}

// worst returns the worst level of some cards.
func worst(cards []card) level {
	if slices.ContainsFunc(cards, func(c card) bool { return c.Level == levelBad }) {
		return levelBad
	}
	return levelWait
}

// are returns the beginning of a headline about some providers.
func are(cards []card) string {
	if len(cards) == 1 {
		return "1 provider is"
	}
	return amount(len(cards), "provider") + " are"
}

// about describes what is wrong with a single provider. Of several it names the first.
func about(cards []card) string {
	if len(cards) == 1 {
		return cards[0].Name + ": " + cards[0].trouble() + "."
	}
	const most = 3
	var names []string
	for _, c := range cards[:min(len(cards), most)] {
		names = append(names, c.Name)
	}
	text := strings.Join(names, ", ")
	if more := len(cards) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text + "."
}
