// Command triad-code analyses one Go module with gosec. `triad scan --scanners code` starts it
// without network; it is found beside triad, or in PATH.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/triad-security/triad/build/code/worker"
)

func main() {
	if len(os.Args) != 2 || os.Args[1] == "--help" {
		fmt.Fprintln(os.Stderr, "usage: triad-code MODULE\n\nWrites what gosec finds in a Go module as JSON, a message a line. It is started by `triad scan --scanners code`.")
		os.Exit(1)
	}
	if err := worker.Work(context.Background(), os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "triad-code:", err)
		os.Exit(1)
	}
}
