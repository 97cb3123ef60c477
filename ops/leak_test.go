package ops

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(patient{m}) }

// patient are the tests, and time for goroutines that are about to end, which may have to
// wait for their turn longer than goleak does.
type patient struct{ *testing.M }

// Run is for [goleak.VerifyTestMain].
func (p patient) Run() int {
	code := p.M.Run()
	for range 20 {
		if code != 0 || goleak.Find() == nil {
			break
		}
	}
	return code
}
