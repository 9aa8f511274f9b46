package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/bus"
	"github.com/triad-security/triad/console"
	"github.com/triad-security/triad/risk"
	"github.com/triad-security/triad/server/api"
	"github.com/triad-security/triad/server/auth"
	"github.com/triad-security/triad/server/datadir"
	"github.com/triad-security/triad/server/ingest"
)

// Config says where a server keeps things and listens.
type Config struct {
	Dir    datadir.Dir
	Store  string // address; empty for the embedded store
	Bus    string // nats://…; empty for the embedded bus
	Listen string // address of the API and the console
	Tenant string
	// Version is shown to people.
	Version string
	Log     *slog.Logger
}

// Server is the platform in one process.
type Server struct {
	*Core
	config  Config
	lock    *datadir.Lock
	bus     triad.Bus
	ingest  *ingest.Ingest
	auth    *auth.Authorizer
	started time.Time
	notes   atomic.Pointer[[]string]
	demo    atomic.Bool
	last    atomic.Pointer[risk.Update]
	tcp     net.Listener
	unix    net.Listener
}

// Open locks the data directory, opens store and bus, computes the decisions of what is
// stored, and begins to listen. Nothing is served before Run.
func Open(ctx context.Context, c Config) (_ *Server, err error) {
	s := &Server{config: c, started: time.Now().UTC()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.lock, err = datadir.Acquire(c.Dir); err != nil {
		return nil, err
	}
	if s.Core, err = OpenCore(ctx, c.Dir, c.Store, c.Tenant); err != nil {
		return nil, err
	}
	s.Affected = func(revision string, workloads []triad.AssetRef) {
		if n := len(workloads); n > 0 {
			c.Log.Info("new advisories", "revision", revision, "workloads", n, "first", workloads[0].Name)
		}
	}
	if c.Bus == "" {
		s.bus, err = bus.Embedded(c.Dir.Bus())
	} else {
		s.bus, err = bus.Connect(c.Bus)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the bus: %w", err)
	}
	s.ingest = ingest.New(s.Store, s.bus, c.Log)
	if s.auth, err = auth.New(s.Store); err != nil {
		return nil, err
	}
	if err := s.catchUp(ctx); err != nil {
		return nil, err
	}
	var listen net.ListenConfig
	if s.tcp, err = listen.Listen(ctx, "tcp", c.Listen); err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "listening on %s: %w; choose another with --listen", c.Listen, err)
	}
	if err := os.Remove(c.Dir.Socket()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if s.unix, err = listen.Listen(ctx, "unix", c.Dir.Socket()); err != nil {
		return nil, fmt.Errorf("listening on the data directory's socket: %w", err)
	}
	return s, nil
}

// Address is where the API and the console listen.
func (s *Server) Address() string { return "http://" + s.tcp.Addr().String() }

// Accept takes a report durably; a worker applies it.
func (s *Server) Accept(ctx context.Context, r *triad.Report) (api.Acknowledgement, error) {
	ack, err := s.ingest.Accept(ctx, r)
	if err != nil {
		return api.Acknowledgement{}, err
	}
	return api.Acknowledgement{Scope: ack.Scope, Revision: ack.Revision}, nil
}

// Note sets what people should know of how the server runs: what was not found, or not read.
func (s *Server) Note(notes []string) { s.notes.Store(&notes) }

// MarkDemo says that the estate holds the bundled demonstration.
func (s *Server) MarkDemo() { s.demo.Store(true) }

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error { return s.ingest.Work(ctx) })
	work.Go(func() error { return s.follow(ctx) })
	service := &api.Service{
		Store: s.Store, Bus: s.bus, Auth: s.auth, Version: s.config.Version, Log: s.config.Log,
		Accept: s.Accept, Status: s.Status, Estate: s.Estate, Console: console.Handler(),
	}
	work.Go(func() error { return serve(ctx, s.tcp, api.New(service)) })
	// The socket lies in a directory that only its owner may enter.
	owner := *service
	owner.Trusted = &triad.Token{Tenant: s.tenant, Hash: "socket", Name: "owner of the data directory", Role: auth.RoleAdmin}
	work.Go(func() error { return serve(ctx, s.unix, api.New(&owner)) })
	err := work.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// serve answers on a listener until ctx ends, and gives requests in flight a moment to finish.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }, // ends event streams too
	}
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		_ = server.Shutdown(grace)
	})
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// sweep is how often the engine looks without being woken: new advisories come without a
// change, and a wake-up can be lost.
const sweep = 500 * time.Millisecond

// follow keeps the decisions up to date with the change log and the advisories.
func (s *Server) follow(ctx context.Context) error {
	wake, err := s.bus.Listen(ctx, ingest.Topic)
	if err != nil {
		return fmt.Errorf("listening for changes: %w", err)
	}
	tick := time.NewTicker(sweep)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wake:
		case <-tick.C:
		}
		if err := s.catchUp(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s.config.Log.Error("bringing decisions up to date", "error", err)
		}
	}
}

func (s *Server) catchUp(ctx context.Context) error {
	u, err := s.CatchUp(ctx)
	if err != nil {
		return err
	}
	if s.last.Load() == nil || u.Recomputed > 0 {
		s.last.Store(u)
	}
	if len(u.Put)+len(u.Removed) == 0 {
		return nil
	}
	s.config.Log.Debug("decisions changed", "changed", len(u.Put), "removed", len(u.Removed), "recomputed", u.Recomputed, "of", u.Subjects, "took", u.Took)
	return s.bus.Notify(api.DecisionsTopic, nil)
}

// Status says how the server is.
func (s *Server) Status(ctx context.Context, tenant string) (api.Status, error) {
	scopes, err := s.Store.Scopes(ctx, tenant)
	if err != nil {
		return api.Status{}, err
	}
	dead, err := s.bus.DeadLetters(ctx, 1000)
	if err != nil {
		return api.Status{}, err
	}
	status := api.Status{
		Version: s.config.Version, Position: s.Engine.Position(), Demo: s.demo.Load(), Advisories: s.advice.Revision(),
		Scopes: scopes, Dead: len(dead), Started: s.started, Notes: []string{}, Unread: []triad.Unread{},
	}
	if u := s.last.Load(); u != nil {
		status.Recomputed, status.Assets = u.Recomputed, u.Subjects
	}
	if n := s.notes.Load(); n != nil {
		status.Notes = slices.Clone(*n)
	}
	status.Unread = append(status.Unread, s.Unread()...)
	return status, nil
}

// Close lets everything go that Open took.
func (s *Server) Close() error {
	var errs []error
	for _, l := range []net.Listener{s.tcp, s.unix} {
		if l != nil {
			if err := l.Close(); !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if s.bus != nil {
		errs = append(errs, s.bus.Close())
	}
	if s.Core != nil {
		errs = append(errs, s.Core.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Release())
	}
	return errors.Join(errs...)
}
