package risk

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/risk/decision"
	"github.com/triad-security/triad/risk/graph"
)

const (
	changesAtOnce   = 2000
	decisionsAtOnce = 2000
)

// stored is what an earlier engine left in the store.
type stored struct {
	outcome triad.Outcome
	changed time.Time
	hash    uint64
}

// Load reads the whole estate, computes every decision and saves those that differ from the
// ones in the store. History gets the changes since the last save as the cause.
func (e *Engine) Load(ctx context.Context, store triad.Store) (*Update, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.load(ctx, store)
}

func (e *Engine) load(ctx context.Context, store triad.Store) (*Update, error) {
	start := time.Now()
	tenant := e.options.Tenant
	e.reset()
	e.stale = true // until all is saved
	e.table = nil
	e.packages = func(ctx context.Context, asset string, fn func(triad.Package) error) error {
		return store.Packages(ctx, tenant, asset, fn)
	}
	e.named = func(ctx context.Context, name string, fn func(triad.Package) error) error {
		return store.PackagesNamed(ctx, tenant, name, fn)
	}
	s := newStep()
	position, err := store.Estate(ctx, tenant, func(r triad.Row) error { return e.row(s, r) })
	if err != nil {
		return nil, fmt.Errorf("reading the estate of %s: %w", tenant, err)
	}
	e.position = position
	if err := e.rematch(ctx, s); err != nil {
		return nil, err
	}
	u := e.settle(s.roots, func(string, *state, []int) {})
	if err := e.save(ctx, store, u); err != nil {
		return nil, err
	}
	e.stale = false
	u.Took = time.Since(start)
	return u, nil
}

// row takes in one row of the store.
func (e *Engine) row(s *step, r triad.Row) error {
	switch r.Kind {
	case triad.RowPackage:
		asset, _, _ := strings.Cut(r.Key, "|")
		if s.packages[asset] == nil {
			s.packages[asset] = []int{}
		}
	case triad.RowFinding:
		var f triad.Finding
		if err := json.Unmarshal(r.Doc, &f); err != nil {
			return fmt.Errorf("decoding finding %s of %s: %w", r.Key, r.Scope, err)
		}
		e.putFinding(r.Scope, f, false)
		s.roots[f.Asset] = nil
	default:
		if _, err := e.estate.Put(r.Scope, r.Kind, r.Key, r.Doc); err != nil {
			return err
		}
		if r.Kind != triad.RowAsset {
			return nil
		}
		rows := e.estate.Rows(r.Key)
		i := slices.IndexFunc(rows, func(x *reach.Row) bool { return x.Asset != nil && x.Asset.ID == r.Key && x.Scope == r.Scope })
		if i >= 0 && candidate(rows[i].Asset) {
			s.roots[r.Key] = nil
		}
	}
	return nil
}

// save writes the decisions that differ from the store's, in pieces.
func (e *Engine) save(ctx context.Context, store triad.Store, u *Update) error {
	old, err := e.storedDecisions(ctx, store)
	if err != nil {
		return err
	}
	from, err := store.DecisionsPosition(ctx, e.options.Tenant)
	if err != nil {
		return err
	}
	causes, by, err := e.causesSince(ctx, store, from)
	if err != nil {
		return err
	}
	u.Cause = map[string]string{}
	now := time.Now().UTC()
	var put []triad.Decision
	flush := func(position int64, remove []string) error {
		err := store.SaveDecisions(ctx, e.options.Tenant, position, func(d triad.Decision) string { return u.Cause[d.ID] }, put, remove)
		u.Put = append(u.Put, put...)
		put = nil
		return err
	}
	for id, st := range e.states {
		text, at := causeText(slices.Clone(by[subjectID(id)]), causes)
		switch {
		case text == "" && from == 0:
			text, at = fmt.Sprintf("first look, at change %d", e.position), now
		case text == "":
			text, at = "advisories "+e.revision, now
		}
		for i := range st.Judged {
			d := st.decision(&st.Judged[i])
			was, had := old[d.ID]
			k := e.known[d.ID]
			k.subjects++
			k.since = at
			if had && was.outcome == d.Outcome {
				k.since = was.changed
			}
			e.known[d.ID] = k
			if had && was.hash == hashDecision(d) {
				continue
			}
			d.Changed = k.since
			put = append(put, d)
			u.Cause[d.ID] = text
		}
		if len(put) >= decisionsAtOnce {
			if err := flush(from, nil); err != nil {
				return fmt.Errorf("saving decisions: %w", err)
			}
		}
	}
	for id := range old {
		if e.known[id].subjects == 0 {
			u.Removed = append(u.Removed, id)
			u.Cause[id] = cmp.Or(everyCause(causes), "advisories "+e.revision)
		}
	}
	slices.Sort(u.Removed)
	if len(put) > 0 || len(u.Removed) > 0 || from != e.position {
		if err := flush(e.position, u.Removed); err != nil {
			return fmt.Errorf("saving decisions: %w", err)
		}
	}
	decision.Rank(u.Put)
	return nil
}

func (e *Engine) storedDecisions(ctx context.Context, store triad.Store) (map[string]stored, error) {
	list, err := store.Decisions(ctx, e.options.Tenant, triad.DecisionFilter{})
	if err != nil {
		return nil, fmt.Errorf("reading the decisions of %s: %w", e.options.Tenant, err)
	}
	old := make(map[string]stored, len(list))
	for _, d := range list {
		old[d.ID] = stored{d.Outcome, d.Changed, hashDecision(d)}
	}
	return old, nil
}

// hashDecision covers everything but Changed.
func hashDecision(d triad.Decision) uint64 {
	d.Changed = time.Time{}
	h := fnv.New64a()
	_ = json.NewEncoder(h).Encode(d) // a Decision always encodes
	return h.Sum64()
}

// causesSince finds which subjects the changes since a position touched. The estate already
// holds them, so what they touched is what reads their keys now.
func (e *Engine) causesSince(ctx context.Context, store triad.Store, from int64) ([]cause, map[graph.ID][]int, error) {
	if from == 0 { // nothing was ever decided
		return nil, nil, nil
	}
	var causes []cause
	for from < e.position {
		changes, err := store.Changes(ctx, e.options.Tenant, from, changesAtOnce)
		if err != nil {
			return nil, nil, fmt.Errorf("reading the change log after %d: %w", from, err)
		}
		if len(changes) == 0 {
			break
		}
		for _, c := range changes {
			if from = c.Seq; c.Seq > e.position || c.Kind == triad.RowDecision {
				continue
			}
			causes = append(causes, causeOf(c))
			e.graph.Note(e.keysOf(c), len(causes)-1)
		}
	}
	return causes, e.graph.Settle(), nil
}

// CatchUp takes in the changes after the engine's position and saves the decisions that they
// change. It loads first when the engine is new.
func (e *Engine) CatchUp(ctx context.Context, store triad.Store) (*Update, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.table != nil || e.stale {
		return e.load(ctx, store)
	}
	start := time.Now()
	s := newStep()
	e.stale = true // until all is saved
	for {
		changes, err := store.Changes(ctx, e.options.Tenant, e.position, changesAtOnce)
		if err != nil {
			return nil, fmt.Errorf("reading the change log after %d: %w", e.position, err)
		}
		for _, c := range changes {
			if err := e.take(s, c); err != nil {
				return nil, err
			}
		}
		if len(changes) < changesAtOnce {
			break
		}
	}
	u, err := e.finish(ctx, s, start)
	if err != nil {
		return nil, err
	}
	if len(s.causes) > 0 {
		cause := func(d triad.Decision) string { return u.Cause[d.ID] }
		if err := store.SaveDecisions(ctx, e.options.Tenant, e.position, cause, u.Put, u.Removed); err != nil {
			return nil, fmt.Errorf("saving decisions: %w", err)
		}
	}
	e.stale = false
	u.Took = time.Since(start)
	return u, nil
}
