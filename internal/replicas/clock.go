package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fever/internal/harness"
)

// skewVariable is the environment variable that says by how many seconds the clock of a process
// of [skewed] is ahead.
const skewVariable = "CLOCK_IS_AHEAD"

// skewed builds fever with a clock that is off, and returns the path of the binary. The program is
// static, so no library can be put in between: its package time is another one.
func skewed(ctx context.Context, dir string) (binary string, err error) {
	root, err := harness.Output(harness.Command(ctx, "go", "env", "GOROOT"))
	if err != nil {
		return "", err
	}
	original := filepath.Join(strings.TrimSpace(root), "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	const reads = "\tsec, nsec, mono := runtimeNow()\n"
	before, after, found := strings.Cut(string(source), "func Now() Time {\n"+reads)
	if !found {
		return "", fmt.Errorf("%s does not read the clock as it did", original)
	}
	files := map[string]string{
		original: before + "func Now() Time {\n" + reads + "\tsec += ahead\n" + after,
		filepath.Join(filepath.Dir(original), "ahead.go"): `package time

import "syscall"

var ahead = func() int64 {
	value, _ := syscall.Getenv("` + skewVariable + `")
	seconds, _ := atoi(value)
	return int64(seconds)
}()
`,
	}
	overlay := map[string]string{}
	for name, text := range files {
		copied := filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(copied, []byte(text), 0o600); err != nil {
			return "", err
		}
		overlay[name] = copied
	}
	list, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return "", err
	}
	binary, path := filepath.Join(dir, "fever"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, list, 0o600); err != nil {
		return "", err
	}
	_, err = harness.Output(harness.Command(ctx, "go", "build", "-overlay", path, "-o", binary, "fever"))
	return binary, err
}
