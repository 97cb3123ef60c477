//go:build browser

package page_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"fever/event"
	"fever/internal/postgrestest"
	"fever/provider/feed"
	"fever/store"
	"fever/store/bolt"
	"fever/store/postgres"
	"fever/store/storetest"
)

// A browser is one page of a real Chromium.
type browser struct {
	context.Context
	t *testing.T
}

// startBrowser starts Chromium. No other test may run beside it: until its program has
// begun, a process that is started shares what they have open, such as sockets that listen.
func startBrowser(t *testing.T) browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("the status page is tested in Chromium: install it (on Debian: apt-get install chromium): %v", err)
	}
	temporary := os.TempDir()
	if len(temporary) > 50 { // it leaves no room for a socket's path
		temporary = "/tmp"
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute) // for a browser that hangs
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx,
		chromedp.ExecPath(path), chromedp.WSURLReadTimeout(5*time.Minute),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Env("TMPDIR="+temporary), // it makes a socket there
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), // containers have little of it
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("force-color-profile", "srgb"),
		chromedp.Flag("lang", "en-GB"),
	)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := browser{ctx, t}
	b.do(chromedp.Navigate("about:blank")) // which has it start
	return b
}

func (b browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// evaluate returns the value of a JavaScript expression.
func evaluate[T any](b browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for a JavaScript expression to be true.
func (b browser) until(expression string) {
	b.t.Helper()
	if _, err := chromedp.Run(b, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(10*time.Minute))); err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
}

// listen returns a function that fails the test if the page has written to the console since,
// as browsers do for what the content security policy forbids.
func (b browser) listen() (said func()) {
	b.t.Helper()
	messages := chromedp.Console(b)
	return func() {
		b.t.Helper()
		b.do(chromedp.Evaluate[chromedp.Void](`console.info("that was all")`))
		for m, err := range messages {
			if err != nil {
				b.t.Fatal(err)
			}
			if m.Text == "that was all" {
				break
			}
			b.t.Errorf("the console says %s: %s (%s:%d)", m.Type, m.Text, m.URL, m.Line)
		}
	}
}

// colour returns a colour of an element as it is computed: red, green, blue.
func (b browser) colour(selector, property string) [3]float64 {
	b.t.Helper()
	text := evaluate[string](b, fmt.Sprintf("getComputedStyle(document.querySelector(%q)).getPropertyValue(%q)", selector, property))
	parts := regexp.MustCompile(`^rgba?\((\d+), (\d+), (\d+)`).FindStringSubmatch(text)
	if parts == nil {
		b.t.Fatalf("the %s of %s is %q", property, selector, text)
	}
	var c [3]float64
	for i := range c {
		c[i], _ = strconv.ParseFloat(parts[i+1], 64) // digits
	}
	return c
}

func reddish(c [3]float64) bool { return c[0] > 1.5*c[1] && c[0] > 1.5*c[2] && c[0] > 120 }

// luminance is that of WCAG 2.2.
func luminance(c [3]float64) float64 {
	l := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v := c[i] / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		l += weight * v
	}
	return l
}

func contrast(a, b [3]float64) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// shoot writes a picture of the whole page into the folder that FEVER_SCREENSHOTS names,
// if it does.
func (b browser) shoot(name string) {
	b.t.Helper()
	folder := os.Getenv("FEVER_SCREENSHOTS")
	if folder == "" {
		return
	}
	png, err := chromedp.Run(b, chromedp.FullScreenshot(100))
	if err == nil {
		err = errors.Join(os.MkdirAll(folder, 0o750), os.WriteFile(filepath.Join(folder, name+".png"), png, 0o600))
	}
	if err != nil {
		b.t.Error(err)
	}
}

// look sets the width of the window and the colours that the reader prefers.
func (b browser) look(width int64, scheme string) {
	b.t.Helper()
	b.do(
		chromedp.EmulateViewport(width, 900, chromedp.EmulateScale(2)),
		func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
			_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			return chromedp.Void{}, err
		},
	)
}

// history records runs of a provider as if they had been in the last hours.
func (s *shown) history(t *testing.T, name string, runs int) {
	t.Helper()
	for i := range runs {
		began := time.Now().Add(time.Duration(i-runs) * 5 * time.Minute)
		job, err := s.Store.Begin(t.Context(), store.Job{Provider: name, Trigger: store.Schedule, Started: began})
		if err != nil {
			t.Fatal(err)
		}
		job.Attempts, job.HTTPStatus = 1, http.StatusOK
		job.Finished = began.Add(time.Duration(300+i*i%11*70) * time.Millisecond)
		if i%13 == 5 {
			job.State, job.Kind, job.Message = store.Failed, "http_status", "status 503"
			err = s.Store.Finish(t.Context(), job, nil)
		} else {
			snap := store.Snapshot{Provider: name, TimeZone: "UTC", Taken: began}
			for n := range 3 + i*7%40 {
				date := began.AddDate(0, 0, n*n*(i+3)%400-150).Format(time.DateOnly)
				snap.Events = append(snap.Events, gig(name, fmt.Sprint(i*1000+n), date, "Event"))
			}
			job.Seen = len(snap.Events)
			_, _, err = s.Store.Apply(t.Context(), snap, job)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestPageInBrowser looks at one service, first when all is well and then when a provider
// fails, as people do who have it open.
func TestPageInBrowser(t *testing.T) {
	b := startBrowser(t)
	t.Parallel()
	s := show(t, time.Minute, "feverup", "opera", "stadium")
	program := func(name string) *feed.Feed {
		f := feedOf(gig(name, "now", "2030-05-03", "Camela en concierto "+evil))
		for n := range 40 {
			f.Events = append(f.Events, gig(name, fmt.Sprint(n), "2030-04-01", "Aida"))
		}
		return f
	}
	for i, name := range []string{"feverup", "opera", "stadium"} {
		s.history(t, name, 40-9*i)
		s.set(name, program(name))
	}
	s.feeds["opera"].Rejected = 2 // no more than a tenth
	s.feeds["opera"].Rejections = []feed.Rejection{
		{BaseID: "444", EventID: "1642", Line: 31, Reason: `the start "2021-09-31T20:00:00" names a day that does not exist`},
		{BaseID: "17", EventID: "12", Line: 112, Reason: "no title " + evil},
	}
	s.run(t)
	for i := range 500 {
		s.Metrics.Search(http.StatusOK, time.Duration(60+i%70)*time.Microsecond)
	}

	said := b.listen()
	b.look(1100, "light")
	b.do(chromedp.Navigate(s.url + "/"))
	if title := evaluate[string](b, "document.title"); title != "All is well · fever" {
		t.Errorf("the title is %q", title)
	}
	if n := evaluate[int](b, `document.querySelectorAll(".card.ok svg rect.time").length`); n < 60 {
		t.Errorf("the charts have %d runs", n)
	}
	if n := evaluate[int](b, `document.querySelectorAll(".calendar rect").length`); n < 365 || n > 366 {
		t.Errorf("the calendar has %d days", n)
	}
	b.shoot("well-light")

	// The search box answers without a new page.
	b.do(chromedp.Evaluate[chromedp.Void](`document.marked = true; document.querySelector("[name=starts_at]").value = "2030-05-01T00:00"`))
	b.do(chromedp.Click("#try button"))
	b.until(`document.querySelectorAll("#answer tbody tr").length === 3`)
	if text := evaluate[string](b, `document.getElementById("answer").textContent`); !regexp.MustCompile(`(?s)GET /search\?starts_at=2030-05-01T00%3A00%3A00Z.*200.*[0-9.]+ [µm]s.*3.*<script>`).MatchString(text) {
		t.Errorf("the answer is %q", text)
	}
	if !evaluate[bool](b, "document.marked === true") {
		t.Error("the search loaded another page")
	}

	// Beside it, people ask why an event is not in the answer.
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("[name=starts_at]").value = "2031-05-01T00:00"; document.querySelector("[name=event]").value = "camela"`))
	b.do(chromedp.Click("#try button"))
	b.until(`document.querySelector("#answer .known") !== null`)
	if text := evaluate[string](b, `document.getElementById("answer").textContent`); !regexp.MustCompile(`(?s)found\s*no: it starts 2030-05-.*days before starts_at.*sold now\s*yes`).MatchString(text) {
		t.Errorf("it explains %q", text)
	}
	if !evaluate[bool](b, "document.documentElement.scrollWidth <= document.documentElement.clientWidth") {
		t.Error("what is known of an event is wider than the page")
	}
	b.shoot("explained-light")
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("[name=starts_at]").value = "2030-05-01T00:00"; document.querySelector("[name=event]").value = ""`))
	b.do(chromedp.Click("#try button"))
	b.until(`document.querySelectorAll("#answer tbody tr").length === 3`)

	// What the reader has opened stays open when the page brings itself up to date.
	b.do(chromedp.Click("#rejected-opera summary"))
	s.set("stadium", nil)
	s.collect(t, "stadium", "stadium", "stadium", "stadium")
	b.do(returned)
	b.until(`document.title === "1 provider is failing · fever"`)
	if !evaluate[bool](b, `document.getElementById("rejected-opera").open && document.activeElement.matches("#rejected-opera summary")`) {
		t.Error("the list of rejected rows was closed, or lost the focus")
	}
	if n := evaluate[int](b, `document.querySelectorAll("#answer tbody tr").length`); n != 3 {
		t.Errorf("the answer has %d rows now", n)
	}

	for _, look := range []struct {
		name, scheme string
		width        int64
	}{{"failing-light", "light", 1100}, {"failing-dark", "dark", 1100}, {"failing-narrow-dark", "dark", 360}, {"failing-narrow-light", "light", 360}} {
		b.look(look.width, look.scheme)
		b.assertFailing(look.scheme)
		if width := evaluate[int64](b, "document.documentElement.scrollWidth"); width > look.width {
			t.Errorf("%s: the page is %d wide", look.name, width)
		}
		b.shoot(look.name)
	}

	s.set("stadium", program("stadium"))
	s.collect(t, "stadium")
	b.do(chromedp.Navigate(s.url + "/?starts_at=2030-05-01T00:00&provider=opera"))
	if title := evaluate[string](b, "document.title"); title != "All is well · fever" {
		t.Errorf("the title is %q", title)
	}
	b.shoot("well-narrow-light")
	b.look(360, "dark")
	b.shoot("well-narrow-dark")

	said()

	// What is shown stays when fever is gone, and says so.
	s.stop()
	b.do(returned)
	b.until(`!document.getElementById("lost").hidden && document.querySelectorAll(".card").length === 3`)
}

// returned makes the page think that the reader comes back to it.
var returned = chromedp.Evaluate[chromedp.Void](`document.dispatchEvent(new Event("visibilitychange"))`)

// assertFailing asserts that the page says which provider fails: in words, with a shape and
// in red, all of which can be read.
func (b browser) assertFailing(scheme string) {
	b.t.Helper()
	if text := evaluate[string](b, `document.querySelector("#provider-stadium.card.bad.failing .state").textContent`); text != "Failing" {
		b.t.Errorf("%s: the state is %q", scheme, text)
	}
	if !evaluate[bool](b, `document.querySelector("#provider-stadium h3 .icon path.shape") !== null && document.querySelector("#provider-opera h3 .icon circle") !== null`) {
		b.t.Errorf("%s: the shapes are the same", scheme)
	}
	for _, selector := range []string{"#verdict h1", "#provider-stadium .state"} {
		if c := b.colour(selector, "color"); !reddish(c) && (scheme == "light" || c[0] < c[1]+40) {
			b.t.Errorf("%s: %s is %v", scheme, selector, c)
		}
	}
	if c := b.colour("#provider-opera .state", "color"); c[0] > c[1] {
		b.t.Errorf("%s: what is fine is %v", scheme, c)
	}
	back, card := b.colour("body", "background-color"), b.colour(".card", "background-color")
	if dark := luminance(back) < 0.1; dark != (scheme == "dark") {
		b.t.Errorf("%s: the page is %v", scheme, back)
	}
	const readable = 4.5 // WCAG 2.2, level AA
	for selector, behind := range map[string][3]float64{
		"#verdict h1": b.colour("#verdict", "background-color"), "#verdict p": b.colour("#verdict", "background-color"),
		".asof": back, "footer": back, "footer a": back, "h2": back,
		".card .state": card, "#provider-stadium .state": card, ".outcome": card, "dt": card, "figcaption": card, ".choices a": card, ".legend": card, "td": card, "th": card, "small": card,
		".message": b.colour(".message", "background-color"), ".message b": b.colour(".message", "background-color"),
		"button": b.colour("button", "background-color"), "input": b.colour("input", "background-color"),
	} {
		if ratio := contrast(b.colour(selector, "color"), behind); ratio < readable {
			b.t.Errorf("%s: the contrast of %s is %.2f", scheme, selector, ratio)
		}
	}
}

// TestTryInBrowser pastes a document and settings, as people do who integrate a provider.
func TestTryInBrowser(t *testing.T) {
	s := show(t, never)
	s.load(t)
	b := startBrowser(t)
	said := b.listen()
	b.do(chromedp.Navigate(s.url + "/try"))
	send := func() { // and wait for the page that answers
		t.Helper()
		if _, err := chromedp.RunResponse(b, chromedp.Click("form button")); err != nil {
			t.Fatal(err)
		}
	}
	b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector("[name=entry]").value = "format: fever\ntimezone: Europe/Madrid";
		document.querySelector("textarea[name=document]").value = %q; document.querySelector("[name=row]").value = "1"`, ndjson)))
	send()
	b.until(`document.querySelectorAll("#rows tbody tr").length === 2`)
	for selector, want := range map[string]string{
		"#summary":                `^2 rows: 1 read as 1 event, 0 ignored, 1 rejected \(1 reason\)$`,
		"#rows tbody tr":          `^1.*1.*ok.*b/1.*Tosca <b>.*2999-01-01 20:00:00.*no end.*no price$`,
		"#rows tbody tr + tr":     `REJECTED.*names a day that does not exist`,
		"#look":                   `no event has an end`,
		"#row pre":                `"title": "Tosca <b>"`,
		"textarea[name=document]": `"Norma"`,
	} {
		if text := evaluate[string](b, fmt.Sprintf(`document.querySelector(%q).textContent.replace(/\s+/g, " ").trim()`, selector)); !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("%s is %q", selector, text)
		}
	}
	for _, look := range []struct {
		name, scheme string
		width        int64
	}{{"try-light", "light", 1100}, {"try-narrow-dark", "dark", 360}} {
		b.look(look.width, look.scheme)
		if width := evaluate[int64](b, "document.documentElement.scrollWidth"); width > look.width {
			t.Errorf("%s: the page is %d wide", look.name, width)
		}
		card := b.colour("#try", "background-color")
		for selector, behind := range map[string][3]float64{
			"#summary": b.colour("body", "background-color"), "#look li": b.colour("body", "background-color"),
			"td": b.colour("body", "background-color"), "label": card, "textarea": b.colour("textarea", "background-color"), "pre": b.colour("pre", "background-color"),
		} {
			if ratio := contrast(b.colour(selector, "color"), behind); ratio < 4.5 { // WCAG 2.2, level AA
				t.Errorf("%s: the contrast of %s is %.2f", look.name, selector, ratio)
			}
		}
		b.shoot(look.name)
	}
	said()

	// A mistake in the settings is told, and nothing that was pasted is lost.
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("[name=entry]").value = "format: fevr"`))
	send()
	b.until(`document.querySelector(".message") !== null && document.querySelector(".message").textContent.includes("entry:1: format:")`)
	if !evaluate[bool](b, `document.querySelector("textarea[name=document]").value.includes("Norma")`) {
		t.Error("the document is lost")
	}
}

// TestReplicasInBrowser looks at one of two replicas: while their settings differ, when they no
// longer do, and when their database is away.
func TestReplicasInBrowser(t *testing.T) {
	postgrestest.Need(t)
	server, err := postgrestest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	place := server.Database(t)
	var stores [2]*postgres.Store
	for i := range stores {
		if stores[i], err = postgres.Open(t.Context(), place, 100); err != nil {
			t.Fatal(err)
		}
	}
	s := showStore(t, stores[0], never, "opera")
	s.set("opera", feedOf(gig("opera", "1", "2030-05-03", "Tosca")))
	s.run(t)
	other := func(settings string) {
		t.Helper()
		if _, err := stores[1].Report(t.Context(), store.Replica{Version: "v1.2.4", Revision: 1, Settings: settings}); err != nil {
			t.Fatal(err)
		}
	}
	other("xyz")
	ctx, cancel := context.WithCancel(t.Context())
	var reporting sync.WaitGroup
	t.Cleanup(reporting.Wait)
	t.Cleanup(cancel)
	reporting.Go(func() { s.Metrics.Replicas.Run(ctx) })

	b := startBrowser(t)
	said := b.listen()
	b.do(chromedp.Navigate(s.url + "/"))
	b.until(`document.title === "Replicas have different settings · fever"`)
	if text := evaluate[string](b, `[...document.querySelectorAll("#replicas tbody tr")].map(r => [...r.cells].slice(1, 5).map(c => c.textContent).join(" ")).sort().join("; ")`); text != "v1.2.3 abc 1 –; v1.2.4 xyz 1 –" {
		t.Errorf("the replicas are %q", text)
	}
	if n := evaluate[int](b, `document.querySelectorAll("#replicas tbody small").length`); n != 1 {
		t.Errorf("%d of them are this one", n)
	}
	for _, look := range []struct {
		name, scheme string
		width        int64
	}{{"replicas-light", "light", 1100}, {"replicas-narrow-dark", "dark", 360}} {
		b.look(look.width, look.scheme)
		if width := evaluate[int64](b, "document.documentElement.scrollWidth"); width > look.width {
			t.Errorf("%s: the page is %d wide", look.name, width)
		}
		back := b.colour("body", "background-color")
		for selector, behind := range map[string][3]float64{
			"#replicas h2": back, "#replicas th": back, "#replicas td": back, "#replicas small": back,
			"#replicas .message": b.colour("#replicas .message", "background-color"), "#verdict h1": b.colour("#verdict", "background-color"),
		} {
			if ratio := contrast(b.colour(selector, "color"), behind); ratio < 4.5 { // WCAG 2.2, level AA
				t.Errorf("%s: the contrast of %s is %.2f", look.name, selector, ratio)
			}
		}
		b.shoot(look.name)
	}

	// The page brings itself up to date, and so does the list of replicas.
	other("abc")
	b.until(`document.title === "All is well · fever" && document.querySelector("#replicas .message") === null`)
	if err := errors.Join(stores[1].Close(), server.Down(postgrestest.Fast)); err != nil {
		t.Fatal(err)
	}
	b.until(`document.title === "The database does not answer · fever"`)
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("[name=starts_at]").value = "2030-05-01T00:00"`))
	b.do(chromedp.Click("#try button"))
	b.until(`document.querySelectorAll("#answer tbody tr").length === 1`)
	b.shoot("outage-narrow-dark")
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	b.until(`document.title === "All is well · fever" && document.querySelectorAll("#replicas tbody tr").length === 1`)
	said()
}

// TestPastInBrowser looks at the picture of what an event cost and how many tickets it had, in a wide
// window and on a phone.
func TestPastInBrowser(t *testing.T) {
	b := startBrowser(t)
	t.Parallel()
	st, err := bolt.Open(filepath.Join(t.TempDir(), "fever.db"), 100)
	if err != nil {
		t.Fatal(err)
	}
	st.History = 90 * 24 * time.Hour
	s := showStore(t, st, never)
	now := time.Now()
	for _, version := range []struct {
		days     int
		price    string
		capacity int64
	}{{10, "40", 100}, {5, "20", 50}, {2, "20", 0}} {
		price, err := event.ParsePrice(version.price)
		if err != nil {
			t.Fatal(err)
		}
		e := gig("a", "1", "2030-05-03", "Aida")
		e.Zones = []event.Zone{{Capacity: version.capacity, Price: price}}
		storetest.Apply(t, s.Store, store.Snapshot{Provider: "a", TimeZone: "UTC", Events: []event.Event{e}, Taken: now.AddDate(0, 0, -version.days)})
	}
	s.load(t)
	said := b.listen()
	for _, look := range []struct {
		name, scheme string
		width        int64
	}{{"past-light", "light", 1100}, {"past-dark", "dark", 1100}, {"past-narrow-light", "light", 360}, {"past-narrow-dark", "dark", 360}} {
		b.look(look.width, look.scheme)
		b.do(chromedp.Navigate(s.url + "/?event=aida"))
		// Where it is on the screen: within the window, and no smaller than can be seen.
		box := evaluate[struct{ Left, Right, Width, Height float64 }](b, `(({left, right, width, height}) => ({left, right, width, height}))(document.querySelector(".past svg").getBoundingClientRect())`)
		if box.Left < 0 || box.Right > float64(look.width) || box.Width < 250 || box.Height < 40 {
			t.Errorf("%s: the picture is at %+v", look.name, box)
		}
		if text := evaluate[string](b, `document.querySelector(".past figcaption").innerText`); text != "lowest price, up to 40\ntickets left, up to 100" {
			t.Errorf("%s: it says %q", look.name, text)
		}
		if pixels := evaluate[float64](b, `parseFloat(getComputedStyle(document.querySelector(".past figcaption")).fontSize)`); pixels < 12 {
			t.Errorf("%s: its text has %v pixels", look.name, pixels)
		}
		// Lines need a contrast of 3 (WCAG 2.2, success criterion 1.4.11).
		for _, line := range []string{".past .price", ".past .tickets"} {
			if c := contrast(b.colour(line, "stroke"), b.colour("body", "background-color")); c < 3 {
				t.Errorf("%s: %s has a contrast of %.1f", look.name, line, c)
			}
		}
		// In the middle of each version the lines have its values. No ticket has a price at last.
		const height, margin = 80, 4
		for _, point := range []struct {
			line    string
			version int
			part    float64 // of the height; negative: there is no line
		}{
			{"price", 0, 1},
			{"price", 1, 0.5},
			{"price", 2, -1},
			{"tickets", 0, 1},
			{"tickets", 1, 0.5},
			{"tickets", 2, 0},
		} {
			for _, part := range []float64{0, 0.5, 1} {
				want := part == point.part
				y := height - margin - part*(height-2*margin)
				got := evaluate[bool](b, fmt.Sprintf(`(() => {
					const step = document.querySelectorAll(".past .step")[%d].getBBox(), line = document.querySelector(".past .%s")
					line.style.strokeDasharray = "none"
					return line.isPointInStroke(new DOMPoint(step.x + step.width / 2, %v))
				})()`, point.version, point.line, y))
				if got != want {
					t.Errorf("%s: version %d: the line of the %s is at %v of its height: %t, want %t", look.name, point.version, point.line, part, got, want)
				}
			}
		}
		titles := evaluate[string](b, `Array.from(document.querySelectorAll(".past .step title"), title => title.textContent).join("; ")`)
		if !regexp.MustCompile(`^[^;]*: price 40, 100 tickets; [^;]*: price 20, 50 tickets; [^;]*: price none, 0 tickets$`).MatchString(titles) {
			t.Errorf("%s: the versions are called %q", look.name, titles)
		}
		if width := evaluate[int64](b, "document.documentElement.scrollWidth"); width > look.width {
			t.Errorf("%s: the page is %d wide", look.name, width)
		}
		b.shoot(look.name)
	}
	said()
}
