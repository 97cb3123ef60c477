package deflate

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// titles are made of one of each list, "%" being one of the names.
var (
	patterns = []string{
		"% en concierto", "%", "%", "%", "% en directo", "%: gira 2021", "Tributo a %", "Concierto de %", "Homenaje a %",
		"Candlelight: lo mejor de %", "Candlelight: tributo a %", "Candlelight: Best of %", "Candlelight Spring: %",
		"% - The Experience", "%: The Exhibition", "An evening with %", "A Tribute to %", "The Music of %",
		"Festival % 2021", "% | Teatro de la Zarzuela", "% (Sala Apolo)", "% + banda invitada", "Visita guiada: %",
		"Noche de %", "Taller de cocina con %", "Exposición «%»", "%, el musical", "Monólogos: %", "Ciclo de cine: %",
		"% at the Roundhouse", "Brunch & Jazz: %", "Entrada general - %", "%: última función", "Abono % 2022",
		`Gala \"%\"`, `\"%\" de Lope de Vega`, "¡%!", "Cena con espectáculo: %", "Night tour: %", "Escape room: %",
	}
	names = strings.Split("Camela,Los Morancos,Pantomima Full,Juanito Valderrama,Vetusta Morla,Joaquín Sabina,Rosalía,"+
		"Niña Pastori,El Barrio,Estopa,Love of Lesbian,Manolo García,Ludovico Einaudi,Hans Zimmer,Queen,ABBA,Coldplay,"+
		"Taylor Swift,Mozart y Beethoven,Vivaldi's Four Seasons,Las cuatro estaciones de Vivaldi,El lago de los cisnes,"+
		"El cascanueces,The Nutcracker,Carmen,La traviata,Don Giovanni,El rey león,Mamma Mia,Billy Elliot,La casa de papel,"+
		"Harry Potter,Star Wars,Juego de tronos,Van Gogh,Frida Kahlo,Banksy,Klimt,Sorolla,Goya y su época,Museo del Prado,"+
		"Palacio Real,Sagrada Família,Alhambra de Granada,Alcázar de Sevilla,Mercado de San Miguel,Flamenco Tablao Cordobés,"+
		"Flamenco auténtico,Jazz,Stand-up comedy,Goyo Jiménez,Leo Harlem,Berto Romero,Dani Rovira,Eva Hache,Luis Piedrahita,"+
		"Ara Malikian,Pablo Alborán,Alejandro Sanz,Melendi,Fito & Fitipaldis,Extremoduro,Loquillo,Miguel Ríos,Raphael,"+
		"Isabel Pantoja,José Mercé,Diego el Cigala,Tomatito,Paco de Lucía,Camarón,Sara Baras,Eva Yerbabuena,Les Luthiers,"+
		"Circo del Sol,Cirque du Soleil,Circlassica,Magia potagia,Juan Tamariz,Jorge Blass,Cantajuego,Peppa Pig,La Patrulla Canina,"+
		"Mundo jurásico,Titanic,Tutankamón,Pompeya,Real Madrid - Valencia,Atlético de Madrid - Betis,FC Barcelona - Sevilla,"+
		"Baloncesto: Estudiantes,Mad Cool,Primavera Sound,Sónar,Arenal Sound,Viña Rock,BBK Live,Starlite,Noches del Botánico,"+
		"Bad Bunny,Karol G,C. Tangana,Nathy Peluso,Rozalén,Iván Ferreiro,Zahara,Viva Suecia,Arde Bogotá,La Oreja de Van Gogh,"+
		"Amaral,El Kanka,Rulo y la Contrabanda,Marea,Rock of Ages,The Wild Robot,Lost Frequencies,Wine tasting,Gin workshop,"+
		"Ópera Garnier,Orquesta Sinfónica de RTVE,Coro y Orquesta Nacionales de España,Réquiem de Verdi,Novena sinfonía", ",")
	// Some titles are neither Spanish nor English.
	others = []string{"Лебединое озеро", "東京フィルハーモニー交響楽団", "Ελευθερία Αρβανιτάκη", "Концерт Земфиры", "아이유 콘서트", "Noche 🎶 de verano 🌙"}
	prices = []int{0, 1000, 1200, 1500, 1635, 1800, 2000, 2250, 2500, 2890, 3000, 3050, 3500, 4000, 4500, 5000, 6000, 7500, 9999, 12000} // in cents
	clocks = []int{600, 690, 720, 960, 1050, 1080, 1140, 1170, 1200, 1230, 1260, 1290, 1320, 1380}                                       // in minutes
)

// corpus returns n summaries with the comma before each, in the order of their start:
// several on a day, some with one title in several places or at several times.
func corpus(seed uint64, n int) [][]byte {
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	day := time.Date(2021, time.Month(1+r.IntN(12)), 1, 0, 0, 0, 0, time.UTC)
	var title string
	texts := make([][]byte, 0, n)
	for len(texts) < n {
		starts := make([]int, 1+r.IntN(12))
		for i := range starts {
			starts[i] = clocks[r.IntN(len(clocks))]
		}
		slices.Sort(starts)
		for _, minutes := range starts[:min(len(starts), n-len(texts))] {
			start := day.Add(time.Duration(minutes) * time.Minute)
			end := start.Add(time.Duration(1+r.IntN(8)) * 30 * time.Minute)
			switch k := r.IntN(100); {
			case k < 10 && title != "": // the same again
			case k < 12:
				title = pick(others)
			default:
				title = strings.Replace(pick(patterns), "%", pick(names), 1)
			}
			lowest := prices[r.IntN(len(prices))]
			highest := lowest + min(1, r.IntN(3))*r.IntN(120)*50
			var id [16]byte
			binary.LittleEndian.PutUint64(id[:8], r.Uint64())
			binary.LittleEndian.PutUint64(id[8:], r.Uint64())
			id[6], id[8] = id[6]&15|0x50, id[8]&63|0x80 // version 5
			texts = append(texts, fmt.Appendf(nil, `,{"id":"%x-%x-%x-%x-%x","title":"%s","start_date":"%s","start_time":"%s",`+
				`"end_date":"%s","end_time":"%s","min_price":%g,"max_price":%g}`,
				id[:4], id[4:6], id[6:8], id[8:10], id[10:], title, start.Format(time.DateOnly), start.Format(time.TimeOnly),
				end.Format(time.DateOnly), end.Format(time.TimeOnly), float64(lowest)/100, float64(highest)/100))
		}
		day = day.AddDate(0, 0, 1+r.IntN(2)*r.IntN(3))
	}
	return texts
}
