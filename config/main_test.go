package config

import (
	"os"
	"strings"
	"testing"

	"fever/internal/leak"
)

func TestMain(m *testing.M) {
	for _, setting := range os.Environ() { // of whoever runs the tests
		name, _, _ := strings.Cut(setting, "=")
		if strings.HasPrefix(name, VariablePrefix) || strings.HasSuffix(strings.ToLower(name), "_proxy") {
			if err := os.Unsetenv(name); err != nil {
				panic(err)
			}
		}
	}
	os.Exit(leak.Check(m.Run()))
}
