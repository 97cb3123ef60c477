package replay_test

import (
	"os"
	"testing"

	"fever/internal/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m.Run())) }
