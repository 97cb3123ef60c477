package ical

import (
	"flag"
	"testing"

	"fever/internal/feedtest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestGolden(t *testing.T) {
	t.Parallel()
	feedtest.Golden(t, New(), *update, feedtest.Documents(t, 3, "testdata/*.ics"))
}
