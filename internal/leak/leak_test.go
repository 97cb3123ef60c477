package leak

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Check(m.Run())) }

// TestCheck is not parallel: it looks at all goroutines of the process.
func TestCheck(t *testing.T) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() { <-end; close(ended) }()
	if code := Check(0); code != 1 {
		t.Errorf("a goroutine is left behind: exit code %d", code)
	}
	if code := Check(3); code != 3 {
		t.Errorf("the tests have failed: exit code %d", code)
	}
	close(end)
	<-ended
	if code := Check(0); code != 0 {
		t.Errorf("nothing is left behind: exit code %d", code)
	}
}
