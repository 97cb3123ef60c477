//go:build linux

package main

import "strings"

// Parts of titles. They have the lengths, the accents and the characters to escape of real
// titles.
var (
	kinds = []string{
		"Candlelight:", "Concierto:", "Exposición", "Monólogos:", "Taller de cocina:", "Visita guiada:", "Cata de vinos:",
		"Cine de verano:", "Musical", "Festival", "Ballet:", "Teatro:", "Escape room", "Brunch &", "Jam session:", "Ópera:",
	}
	subjects = []string{
		"lo mejor de Coldplay", "homenaje a Rocío Jurado", "«La casa de Bernarda Alba»", "Van Gogh, el sueño", "las cuatro estaciones",
		"noche de flamenco", "El Principito", "bandas sonoras", "años 80 & 90", "magia de cerca", "jazz & soul", "los niños del coro",
		"Queen sinfónico", "música para el corazón", "el fantasma del Liceu", "Mañana será otro día",
	}
	places = []string{
		"en Madrid", "en Málaga", "en A Coruña", "en el Palau", "en Cádiz", "en León", "en Gijón", "en Donostia", "en Alcalá", "en Logroño",
		"en Sevilla", "en La Cañada", "en València", "en Jaén", "en el Matadero", "bajo las estrellas",
	}
	seats = []string{"Platea", "Anfiteatro", "Grada alta", "Palco nº 3", "Visión reducida"}
)

// title returns the title of the base plan.
func (e event) title() string {
	b := event{number: e.number >> 1}
	return strings.Join([]string{
		kinds[b.dice('k')%len(kinds)], subjects[b.dice('s')%len(subjects)], places[b.dice('p')%len(places)],
	}, " ")
}

// A seating is a price zone.
type seating struct{ capacity, cents int }

const zonesOfBigFeed = 300

// zones returns the zones of an event, in the order of their prices. Events of the changing
// feed, with negative numbers, have many zones. The price of the first differs between
// versions, but not in length.
func (e event) zones(version int) []seating {
	if e.number >= 0 {
		lowest := 1000 + e.dice('l')%80*50
		zones := []seating{{e.dice('c')%20*7 + 1, lowest}, {e.dice('e')%20*7 + 1, lowest + e.dice('u')%4*750}}
		if e.dice('z')%20 == 0 {
			zones[0].capacity, zones[1].capacity = 0, 0
		}
		return zones
	}
	zones := []seating{{50, firstPrice(e.number, version)}}
	for z := 1; z < zonesOfBigFeed; z++ {
		zones = append(zones, seating{10 + z, 4000 + z*5900/(zonesOfBigFeed-1)/100*100})
	}
	return zones
}

// One in changeShare plans of the big feed changes from one version to the next.
const changeShare = 100

// firstPrice returns the lowest price of a plan of the changing feed, from 10.00 to 39.00. It
// changes each time that it is the plan's turn.
func firstPrice(number int32, version int) int {
	turn := int(-number) % changeShare
	turns := (version + changeShare - turn) / changeShare // of those up to version; one of turn 0 is in version 0
	return 1000 + (int(-number)*7+turns)%30*100
}

// changes reports whether a plan in this version differs from the version before.
func changes(number int32, version int) bool { return int(-number)%changeShare == version%changeShare }
