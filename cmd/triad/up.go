package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/advisory"
	"github.com/triad-security/triad/demo"
	"github.com/triad-security/triad/server"
	"github.com/triad-security/triad/server/api"
	"github.com/triad-security/triad/server/auth"
	"github.com/triad-security/triad/server/datadir"
)

// up is one run of the whole platform on this machine.
type up struct {
	*app
	listen   string
	bus      string
	mirror   string
	demo     bool
	every    time.Duration
	patience time.Duration
	verbose  bool

	server  *server.Server
	sources []source
	// watching are the goroutines that read sources.
	watching sync.WaitGroup
	mu       sync.Mutex
	notes    []string
	said     map[string]bool
}

// maxSaid bounds what is remembered as said, for reasons may name what changes.
const maxSaid = 1000

func newUpCommand(a *app) *cobra.Command {
	u := &up{app: a, patience: 15 * time.Second, said: map[string]bool{}}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run the whole platform on this machine",
		Long: `Runs the server with its store and bus, the console, and collectors for what is found here:
this machine, a Docker engine, a kubeconfig, cloud credentials. Prints the ranked risks and
the console's address, and goes on watching.

Where there is no cluster and no cloud, or no advisories can be had, the bundled demonstration
estate is shown beside what was found, and marked as such.`,
		Example: `  triad up
  triad up --demo
  triad up --store postgres://triad@db/triad --bus nats://nats:4222`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return u.run(cmd.Context()) },
	}
	f := cmd.Flags()
	f.StringVar(&u.listen, "listen", "127.0.0.1:8420", "address of the API and the console")
	f.StringVar(&u.bus, "bus", "", "address of a NATS JetStream cluster; default one inside the process")
	f.StringVar(&u.mirror, "mirror", "", "mirror to fetch advisories from")
	f.BoolVar(&u.demo, "demo", false, "add the bundled demonstration estate")
	f.DurationVar(&u.every, "every", 5*time.Minute, "how often collectors read again")
	f.BoolVarP(&u.verbose, "verbose", "v", false, "log what the server does")
	return cmd
}

func (u *up) run(ctx context.Context) (err error) {
	level := slog.LevelWarn
	if u.verbose {
		level = slog.LevelDebug
	}
	var registries trustedRegistries
	trusted, err := registries.read(u.app)
	if err != nil {
		return err
	}
	var missing []string
	u.sources, missing = u.discover(trusted)
	if len(u.sources) < 2 {
		u.demo = true // nothing here but this machine: the first run is never an empty page
	}
	for _, m := range missing {
		u.note(m)
	}
	u.server, err = server.Open(ctx, server.Config{
		Dir: datadir.Dir(u.data), Store: u.app.store, Bus: u.bus, Listen: u.listen, Tenant: u.tenant, Version: version,
		Log: slog.New(slog.NewTextHandler(u.stderr, &slog.HandlerOptions{Level: level})),
	})
	if err != nil {
		return err
	}
	secret, _, err := u.server.NewToken(ctx, "console", auth.RoleAdmin, nil, 30*24*time.Hour)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- u.server.Run(ctx) }()

	// The demonstration's advisories go in first where there are none: they are there at once.
	u.advisories(ctx)
	u.watch(ctx)
	if err := u.show(ctx, secret); err != nil {
		return err
	}
	err = <-ended
	stop()
	u.watching.Wait()
	return errors.Join(err, u.server.Close())
}

// advisories makes sure that there are some, and fetches new ones meanwhile.
func (u *up) advisories(ctx context.Context) {
	dir := datadir.Dir(u.data).Advisories()
	db, err := advisory.Open(dir)
	switch {
	case err == nil:
		db.Close()
	case triad.ErrorCode(err) == triad.CodeNotFound:
		if err := u.bundledAdvisories(ctx, dir); err != nil {
			u.note("no advisories: " + err.Error())
		}
	default:
		u.note(err.Error())
	}
	go func() {
		if _, err := advisory.Update(ctx, dir, u.updateOptions()); err != nil && ctx.Err() == nil {
			u.note(fmt.Sprintf("advisories could not be updated: %v", err))
		}
	}()
}

// updateOptions fetch from the mirror, where one is given.
func (u *up) updateOptions() (opt advisory.UpdateOptions) {
	if u.mirror != "" {
		opt.Mirrors = []string{u.mirror}
	}
	return opt
}

func (u *up) bundledAdvisories(ctx context.Context, dir string) error {
	files := filepath.Join(u.data, "demo")
	if err := demo.Unpack(files); err != nil {
		return err
	}
	if _, err := advisory.Import(ctx, dir, filepath.Join(files, demo.Advisories), func(string) {}); err != nil {
		return err
	}
	u.note("advisories: only the few bundled with the demonstration until an update succeeds; what they do not name is not proven clean")
	u.demo = true
	return nil
}

// watch reads every source again and again, side by side, and waits a while until each was
// read once.
func (u *up) watch(ctx context.Context) {
	if u.demo {
		u.sources = append(u.sources, u.demoSource(filepath.Join(u.data, "demo")))
		u.server.MarkDemo()
	}
	var first sync.WaitGroup
	for _, s := range u.sources {
		first.Add(1)
		u.watching.Go(func() {
			u.round(ctx, s)
			first.Done()
			tick := time.NewTicker(u.every)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					u.round(ctx, s)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { first.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(u.patience):
		u.say("some collectors are still reading; their risks appear in the console as they come")
	case <-ctx.Done():
	}
}

// round reads one source and hands its reports in.
func (u *up) round(ctx context.Context, s source) {
	reports, err := s.read(ctx)
	if err != nil {
		if ctx.Err() == nil {
			u.note(fmt.Sprintf("%s could not be read: %v", s.name, err))
		}
		return
	}
	var last api.Acknowledgement
	for _, r := range reports {
		r.Tenant = u.tenant
		for _, part := range r.Split(rowsPerPart) {
			if last, err = u.server.Accept(ctx, part); err != nil {
				u.note(fmt.Sprintf("the report of %s was not accepted: %v", r.Scope, err))
				return
			}
		}
	}
	u.say("read %s: %d reports", s.name, len(reports))
	if s.name != demoEstate {
		u.unread(reports)
	}
	u.applied(ctx, last)
}

// unread says once what a source's reports could not read and what they left out.
func (u *up) unread(reports []*triad.Report) {
	for _, r := range reports {
		for _, s := range r.Sections {
			if s.Status == triad.SectionUnread {
				u.once("%s: %s is unread: %s", r.Scope, s.Name, s.Reason)
			}
		}
		for _, note := range r.Notes {
			u.once("%s: %s", r.Scope, note)
		}
	}
}

// once says what was not said before.
func (u *up) once(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.said) < maxSaid && !u.said[text] {
		u.said[text] = true
		u.say("%s", text)
	}
}

// applied waits until a report's decisions are there, or a moment has passed.
func (u *up) applied(ctx context.Context, ack api.Acknowledgement) {
	deadline := time.Now().Add(u.patience)
	for time.Now().Before(deadline) && ctx.Err() == nil {
		scopes, err := u.server.Store.Scopes(ctx, u.tenant)
		if err != nil {
			return
		}
		i := slices.IndexFunc(scopes, func(s triad.ScopeState) bool { return s.Scope == ack.Scope })
		if i >= 0 && scopes[i].Revision >= ack.Revision {
			position, err := u.server.Store.Position(ctx, u.tenant)
			if err == nil && u.server.Engine.Position() >= position {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// note remembers what people should know, for the terminal and the console.
func (u *up) note(text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if slices.Contains(u.notes, text) {
		return
	}
	u.notes = append(u.notes, text)
	u.say("%s", text)
	if u.server != nil {
		u.server.Note(slices.Clone(u.notes))
	}
}

// show prints the ranked risks and the console's address.
func (u *up) show(ctx context.Context, secret string) error {
	const shown = 20
	risks, err := u.server.Decisions(ctx, triad.DecisionFilter{Limit: shown})
	if err != nil {
		return err
	}
	u.server.Note(slices.Clone(u.notes))
	if u.demo {
		u.say("the risks of cluster lighthouse, host i-0de0000000000000d and account 210987654321 are the demonstration's")
	}
	if err := u.result(listAll(risks), func(w io.Writer) error { return printRisks(w, risks) }, nil); err != nil {
		return err
	}
	u.say("\nconsole: %s/#token=%s", u.server.Address(), secret)
	u.say("stop with Ctrl-C")
	return nil
}
