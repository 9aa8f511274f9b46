// Command triad finds which container risks can really be exploited, proves it hop by hop,
// and names the smallest fix.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set at link time.
var version = "dev"

func main() {
	os.Exit(run(os.Args[1:]))
}

// run is main without the process, so that testscript can call it.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{stdout: os.Stdout, stderr: os.Stderr}
	root := newRootCommand(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var status exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	}
	fmt.Fprintln(a.stderr, "triad:", err)
	return 1
}

// exitStatus ends the command with a status and no further message.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "triad",
		Short: "Which of your container risks can really be exploited, how, and the smallest fix",
		Long: `Triad joins what you build, deploy and run with the cloud around it. It finds which
vulnerabilities the internet can really reach, proves it hop by hop, and names the
smallest change that stops it.`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	a.flags(root)
	for _, command := range commands {
		root.AddCommand(command(a))
	}
	return root
}

// commands lists the commands, one file each.
var commands = []func(*app) *cobra.Command{
	newUpCommand,
	newDBCommand,
	newScanCommand,
	newCollectCommand,
	newReachCommand,
	newRisksCommand,
	newExplainCommand,
	newTokenCommand,
}
