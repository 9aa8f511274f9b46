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
smallest change that stops it.

Every flag can be set by the environment: --data is TRIAD_DATA, --exit-code TRIAD_EXIT_CODE.
The status is 0 when done and 1 when not; scan --exit-code sets one for findings.`,
		Version: version,
		Example: `  triad up                                        everything that is found on this machine
  triad scan image registry.example.com/shop:1.0  one image
  triad collect kubernetes && triad risks         what to fix first in a cluster`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	a.flags(root)
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, command := range g.commands {
			c := command(a)
			c.GroupID = g.id
			refuseUnknown(c)
			root.AddCommand(c)
		}
	}
	root.SetHelpCommandGroupID("run")
	root.SetCompletionCommandGroupID("run")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, c.CommandPath())
	})
	return root
}

// refuseUnknown makes a command that only holds others fail on one that it does not have;
// cobra would show its help and succeed, and a pipeline go on.
func refuseUnknown(c *cobra.Command) {
	if c.Runnable() || !c.HasSubCommands() {
		return
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("unknown command %q; see %s --help", args[0], c.CommandPath())
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
}

// groups lists the commands, one file each, as help shows them.
var groups = []struct {
	id, title string
	commands  []func(*app) *cobra.Command
}{
	{"decide", "What to fix first, and why:", []func(*app) *cobra.Command{
		newRisksCommand,
		newExplainCommand,
		newReachCommand,
	}},
	{"look", "Look at what you build, deploy and run:", []func(*app) *cobra.Command{
		newScanCommand,
		newGateCommand,
		newPolicyCommand,
		newTrustCommand,
		newRegistriesCommand,
		newCollectCommand,
	}},
	{"run", "Run Triad:", []func(*app) *cobra.Command{
		newUpCommand,
		newDBCommand,
		newTokenCommand,
	}},
}
