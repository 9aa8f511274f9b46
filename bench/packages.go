package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// packageSection runs the packages' own benchmarks.
func packageSection(*bench) error {
	fmt.Printf("\n### Inside the process (go test -bench)\n\n")
	for _, p := range []string{"./build/match", "./build/advisory", "./reach/exposure", "./e2e", "./risk", "./store/sqlite", "./store/postgres", "./deploy/kubernetes"} {
		cmd := exec.CommandContext(context.Background(), "go", "test", p, "-run", "^$", "-bench", ".", "-benchtime", "2s", "-timeout", "20m")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", p, err, tail(out))
		}
		lines := bufio.NewScanner(bytes.NewReader(out))
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "Benchmark") {
				fmt.Printf("    %s  %s\n", p, strings.Join(strings.Fields(lines.Text()), " "))
			}
		}
	}
	return nil
}
