package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/advisory"
	"github.com/triad-security/triad/build/match"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/reach/exposure"
	"github.com/triad-security/triad/risk"
	"github.com/triad-security/triad/server/auth"
	"github.com/triad-security/triad/server/datadir"
	"github.com/triad-security/triad/store"
)

// Core is one tenant's record and the engine that decides over it.
type Core struct {
	Store  triad.Store
	Engine *risk.Engine
	tenant string
	advice *advice
	// Affected, where set, is told which workloads a change of the advisories is about, before
	// their decisions are made.
	Affected func(revision string, workloads []triad.AssetRef)
}

// OpenCore opens the store at an address, the embedded one of the data directory when it is
// empty, and an engine that has read nothing yet.
func OpenCore(ctx context.Context, dir datadir.Dir, address, tenant string) (*Core, error) {
	if address == "" {
		address = "sqlite:" + dir.Store()
	}
	s, err := store.Open(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	c := &Core{Store: s, tenant: tenant, advice: &advice{dir: dir.Advisories()}}
	c.Engine = newEngine(tenant, c.advice, func(revision string, workloads []triad.AssetRef) {
		if c.Affected != nil {
			c.Affected(revision, workloads)
		}
	})
	return c, nil
}

// NewEngine returns a risk engine with every adapter and way that this build knows.
func NewEngine(tenant string, m triad.Matcher) *risk.Engine { return newEngine(tenant, m, nil) }

func newEngine(tenant string, m triad.Matcher, affected func(string, []triad.AssetRef)) *risk.Engine {
	return risk.NewEngine(risk.Options{
		Tenant:   tenant,
		Affected: affected,
		Indexes:  exposure.Indexes(),
		Ways: risk.Ways{
			Container: exposure.Of,
			Function:  exposure.Function,
			Host:      exposure.Host,
			DataStore: exposure.DataStore,
			Connect:   exposure.Connect,
			Ports:     exposure.Ports,
		},
		Matcher: m,
	})
}

// NewEstate returns an estate with every adapter's index, for questions of reachability that
// need no store.
func NewEstate() *reach.Estate { return reach.NewEstate(exposure.Indexes()...) }

// Keep applies a report and brings the decisions up to date.
func (c *Core) Keep(ctx context.Context, reports ...*triad.Report) (*risk.Update, error) {
	for _, r := range reports {
		r.Tenant = c.tenant
		if _, err := c.Store.Apply(ctx, r); err != nil {
			return nil, fmt.Errorf("keeping the report of %s: %w", r.Scope, err)
		}
	}
	return c.CatchUp(ctx)
}

// CatchUp takes in what the change log and the advisories have that the engine has not.
func (c *Core) CatchUp(ctx context.Context) (*risk.Update, error) {
	return c.Engine.CatchUp(ctx, c.Store)
}

// Estate calls fn with the estate, which stands still meanwhile. The engine holds that of one
// tenant; another's is CodeDenied.
func (c *Core) Estate(tenant string, fn func(reach.View)) error {
	if tenant != c.tenant {
		return triad.Errorf(triad.CodeDenied, "this server answers questions of reachability for tenant %s only", c.tenant)
	}
	c.Engine.Read(fn)
	return nil
}

// NewToken makes an access token and stores its hash; the secret is returned and kept nowhere.
func (c *Core) NewToken(ctx context.Context, name, role string, scopes []string, lifetime time.Duration) (string, time.Time, error) {
	secret, token, err := auth.NewSecret(c.tenant, name, role, scopes, lifetime)
	if err != nil {
		return "", time.Time{}, err
	}
	return secret, token.Expires, c.Store.PutToken(ctx, token)
}

// Unread says what no decision can speak of: what runs and was never scanned, and packages
// that could not be held against the advisories. None of it is clean.
func (c *Core) Unread() []triad.Unread {
	return append(c.Engine.Unscanned(), c.advice.Unread()...)
}

// Decisions lists ranked decisions.
func (c *Core) Decisions(ctx context.Context, f triad.DecisionFilter) ([]triad.Decision, error) {
	return c.Store.Decisions(ctx, c.tenant, f)
}

// Decision returns one decision with its history, oldest first.
func (c *Core) Decision(ctx context.Context, id string) (triad.Decision, []triad.Change, error) {
	d, err := c.Store.Decision(ctx, c.tenant, id)
	if err != nil {
		return d, nil, err
	}
	history, err := c.Store.History(ctx, c.tenant, triad.RowDecision, id)
	return d, history, err
}

// Close closes the store and the advisories.
func (c *Core) Close() error { return errors.Join(c.advice.Close(), c.Store.Close()) }

// advice matches against the advisory database, which may not be there yet and may be
// replaced at any time.
type advice struct {
	dir    string
	mu     sync.Mutex
	db     *advisory.DB
	unread map[string][]triad.Unread // by asset: packages that could not be compared
}

// open returns a matcher, nil while there is no database.
func (a *advice) open() (*match.Matcher, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.db == nil {
		db, err := advisory.Open(a.dir)
		if errors.Is(err, advisory.ErrNone) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("opening the advisories: %w", err)
		}
		a.db = db
	}
	return match.New(a.db), nil
}

// Match implements triad.Matcher. Without advisories nothing is found, and Revision is empty.
func (a *advice) Match(ctx context.Context, packages []triad.Package) ([]triad.Vulnerability, error) {
	m, err := a.open()
	if m == nil || err != nil {
		return nil, err
	}
	result, err := m.Check(ctx, packages)
	if err != nil || len(packages) == 0 {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	// All packages of one asset say all that is unread of it; some of several say what is unread too.
	asset := packages[0].Asset
	if !slices.ContainsFunc(packages, func(p triad.Package) bool { return p.Asset != asset }) {
		delete(a.unread, asset)
	}
	byAsset := map[string]*match.Result{}
	for _, u := range result.Uncompared {
		r := byAsset[u.Package.Asset]
		if r == nil {
			r = &match.Result{}
			byAsset[u.Package.Asset] = r
		}
		r.Uncompared = append(r.Uncompared, u)
	}
	for asset, r := range byAsset {
		if a.unread == nil {
			a.unread = map[string][]triad.Unread{}
		}
		for _, u := range r.Unread() {
			if !slices.Contains(a.unread[asset], u) {
				a.unread[asset] = append(a.unread[asset], u)
			}
		}
	}
	return result.Vulnerabilities, nil
}

// Unread sums up over all assets what could not be compared.
func (a *advice) Unread() []triad.Unread {
	a.mu.Lock()
	defer a.mu.Unlock()
	assets := map[triad.Unread]int{}
	for _, list := range a.unread {
		for _, u := range list {
			assets[triad.Unread{Section: u.Section, Reason: u.Reason}]++
		}
	}
	list := make([]triad.Unread, 0, len(assets))
	for u, n := range assets {
		if n > 1 {
			u.Reason += fmt.Sprintf(" (in %d images, hosts or functions)", n)
		}
		list = append(list, u)
	}
	slices.SortFunc(list, func(a, b triad.Unread) int {
		return cmp.Or(cmp.Compare(a.Section, b.Section), cmp.Compare(a.Reason, b.Reason))
	})
	return list
}

// Revision implements triad.Matcher.
func (a *advice) Revision() string {
	m, err := a.open()
	if m == nil || err != nil {
		return ""
	}
	return m.Revision()
}

// Changed implements triad.Matcher.
func (a *advice) Changed(since string) (triad.AdvisoryChange, bool) {
	m, err := a.open()
	if m == nil || err != nil {
		return triad.AdvisoryChange{}, false
	}
	return m.Changed(since)
}

// Close lets the database go.
func (a *advice) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.db == nil {
		return nil
	}
	return a.db.Close()
}
