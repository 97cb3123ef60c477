package provider

import (
	"os"
	"testing"

	"fever/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Check(m.Run())) }
