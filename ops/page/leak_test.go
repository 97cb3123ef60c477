package page

import (
	"fmt"
	"os"
	"testing"

	"fever/config"
	"fever/ingest/sandbox"
	"fever/internal/feedtest"
	"fever/internal/leak"
	"fever/provider"
)

// TestMain makes the tests a child, too, which decodes.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "decode" {
		if err := sandbox.Serve(os.Stdin, os.NewFile(3, "answers"), os.Stdout, fragile, sandbox.Confine()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(leak.Check(m.Run()))
}

// fragile makes a provider of a recipe whose format has bugs.
func fragile(recipe []byte) (*provider.Provider, error) {
	p, err := config.ReadRecipe(recipe)
	if err == nil {
		p.Format = feedtest.Fragile(p.Format)
	}
	return p, err
}
