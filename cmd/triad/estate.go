package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/server"
	"github.com/triad-security/triad/server/api"
	"github.com/triad-security/triad/server/client"
	"github.com/triad-security/triad/server/datadir"
)

// estate is what commands read and write: a server by URL, the process that holds the data
// directory, or the store in it, opened for the length of one command.
type estate interface {
	Keep(ctx context.Context, reports []*triad.Report) error
	Risks(ctx context.Context, f triad.DecisionFilter) ([]triad.Decision, error)
	Decision(ctx context.Context, id string) (triad.Decision, error)
	History(ctx context.Context, id string) ([]triad.Change, error)
	// Unread says what no decision can speak of, up to date after Risks.
	Unread(ctx context.Context) ([]triad.Unread, error)
	// RunningImages lists the images of a repository that run now.
	RunningImages(ctx context.Context, repository string) ([]api.RunningImage, error)
	// Registries lists the repositories that images run from.
	Registries(ctx context.Context) ([]api.RepositoryInUse, error)
	NewToken(ctx context.Context, t api.NewToken) (api.CreatedToken, error)
	Close() error
}

func (a *app) estate(ctx context.Context) (estate, error) {
	if a.server != "" {
		c, err := client.New(a.server, a.token)
		if err != nil {
			return nil, err
		}
		return remote{c}, nil
	}
	dir := datadir.Dir(a.data)
	lock, err := datadir.Acquire(dir)
	if errors.Is(err, datadir.ErrHeld) {
		c := client.OverSocket(dir.Socket())
		if _, e := c.Status(ctx); e != nil {
			return nil, triad.Errorf(triad.CodeUnavailable, "%w and does not answer on its socket; wait for it to end, or name another directory with --data", err)
		}
		return remote{c}, nil
	}
	if err != nil {
		return nil, err
	}
	core, err := server.OpenCore(ctx, dir, a.store, a.tenant)
	if err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	return local{core, lock, a.tenant}, nil
}

// keep hands reports to the estate.
func (a *app) keep(ctx context.Context, reports ...*triad.Report) (err error) {
	e, err := a.estate(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return e.Keep(ctx, reports)
}

// local is the embedded store, held while the command runs.
type local struct {
	core   *server.Core
	lock   *datadir.Lock
	tenant string
}

func (l local) Keep(ctx context.Context, reports []*triad.Report) error {
	_, err := l.core.Keep(ctx, reports...)
	return err
}

func (l local) Risks(ctx context.Context, f triad.DecisionFilter) ([]triad.Decision, error) {
	if _, err := l.core.CatchUp(ctx); err != nil { // advisories may be new
		return nil, err
	}
	return l.core.Decisions(ctx, f)
}

func (l local) Decision(ctx context.Context, id string) (triad.Decision, error) {
	if _, err := l.core.CatchUp(ctx); err != nil {
		return triad.Decision{}, err
	}
	d, _, err := l.core.Decision(ctx, id)
	return d, err
}

func (l local) History(ctx context.Context, id string) ([]triad.Change, error) {
	_, history, err := l.core.Decision(ctx, id)
	return history, err
}

func (l local) Unread(context.Context) ([]triad.Unread, error) { return l.core.Unread(), nil }

func (l local) RunningImages(ctx context.Context, repository string) (images []api.RunningImage, err error) {
	if _, err := l.core.CatchUp(ctx); err != nil {
		return nil, err
	}
	var failed error
	err = l.core.Estate(l.tenant, func(v reach.View) { images, failed = api.Running(ctx, v, repository) })
	return images, errors.Join(err, failed)
}

func (l local) Registries(ctx context.Context) (list []api.RepositoryInUse, err error) {
	if _, err := l.core.CatchUp(ctx); err != nil {
		return nil, err
	}
	err = l.core.Estate(l.tenant, func(v reach.View) { list = api.Registries(v) })
	return list, err
}

func (l local) NewToken(ctx context.Context, t api.NewToken) (api.CreatedToken, error) {
	secret, expires, err := l.core.NewToken(ctx, t.Name, t.Role, t.Scopes, time.Duration(t.Hours)*time.Hour)
	return api.CreatedToken{Secret: secret, Expires: expires}, err
}

func (l local) Close() error { return errors.Join(l.core.Close(), l.lock.Release()) }

// remote is a server.
type remote struct{ *client.Client }

// rowsPerPart keeps a part's body below what a server takes in one piece.
const rowsPerPart = 20_000

func (r remote) Keep(ctx context.Context, reports []*triad.Report) error {
	for _, report := range reports {
		for _, part := range report.Split(rowsPerPart) {
			if err := r.Client.Keep(ctx, part); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r remote) Risks(ctx context.Context, f triad.DecisionFilter) ([]triad.Decision, error) {
	return r.Decisions(ctx, f)
}

func (r remote) Decision(ctx context.Context, id string) (triad.Decision, error) {
	d, _, err := r.Client.Decision(ctx, id)
	return d, err
}

func (r remote) History(ctx context.Context, id string) ([]triad.Change, error) {
	_, history, err := r.Client.Decision(ctx, id)
	return history, err
}

func (r remote) Unread(ctx context.Context) ([]triad.Unread, error) {
	status, err := r.Status(ctx)
	return status.Unread, err
}

func (r remote) Close() error { return nil }

// sayUnread tells people what no decision speaks of, so that nobody takes it for clean.
func (a *app) sayUnread(ctx context.Context, e estate) error {
	const shown = 5
	list, err := e.Unread(ctx)
	if err != nil {
		return err
	}
	for i, u := range list {
		if i == shown {
			a.say("… and %d more not read", len(list)-shown)
			break
		}
		a.say("not read: %s: %s", strings.TrimSpace(u.Scope+" "+u.Section), u.Reason)
	}
	return nil
}
