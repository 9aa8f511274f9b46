package record

import (
	"context"
	"errors"
	"fmt"

	"github.com/triad-security/triad"
)

// keepReports is how many applied revisions of a scope are remembered, to know a repeat.
const keepReports = 64

// Apply implements triad.Store.
func (s *Store) Apply(ctx context.Context, r *triad.Report) (triad.Applied, error) {
	if err := r.Validate(); err != nil {
		return triad.Applied{}, err
	}
	var (
		applied triad.Applied
		refused error
	)
	err := s.update(ctx, func(tx *Tx) error {
		applied, refused = triad.Applied{}, nil
		a := &apply{
			s: s, tx: tx, log: s.newLog(tx, r.Tenant),
			tenant: r.Tenant, scope: r.Scope, report: r,
			cause: fmt.Sprintf("report %s@%d", r.Scope, r.Revision),
		}
		var err error
		applied, err = a.run(ctx)
		if errors.Is(err, triad.ErrWrongBase) {
			refused, err = err, nil // what was staged of it is dropped: commit that
		}
		return err
	})
	if err != nil {
		return triad.Applied{}, fmt.Errorf("applying report %s@%d: %w", r.Scope, r.Revision, err)
	}
	return applied, refused
}

// apply is one Apply at work.
type apply struct {
	s             *Store
	tx            *Tx
	log           *log
	tenant, scope string
	report        *triad.Report // its rows are one part's; its header is every part's
	cause         string

	known    bool                // this revision has been applied
	revision int64               // the scope's
	sections map[string]*section // the scope's, by name
	diff     *diff
	applied  triad.Applied
}

// section is the stored state of a section.
type section struct {
	triad.Section
	statusRevision, contentRevision int64
	fresh                           bool // not stored yet
}

func (a *apply) run(ctx context.Context) (triad.Applied, error) {
	if err := a.load(ctx); err != nil {
		return triad.Applied{}, err
	}
	if a.known || a.superseded() {
		return triad.Applied{Complete: true}, nil
	}
	if a.report.Base != 0 && a.revision > a.report.Base { // a scope's revision only grows
		return triad.Applied{}, a.refuse(ctx, a.checkBase())
	}
	parts := 1
	if a.report.Parts > 1 {
		whole, err := a.stage(ctx)
		if err != nil || !whole {
			return triad.Applied{}, err
		}
		parts = a.report.Parts
	}
	if err := a.checkBase(); err != nil {
		return triad.Applied{}, a.refuse(ctx, err)
	}
	a.diff = newDiff(a)
	if err := a.diff.load(ctx); err != nil {
		return triad.Applied{}, err
	}
	for part := 1; part <= parts; part++ {
		r := a.report
		if parts > 1 && part != r.Part {
			var err error
			if r, err = a.part(ctx, part); err != nil {
				return triad.Applied{}, err
			}
		}
		if err := a.diff.rows(ctx, r); err != nil {
			return triad.Applied{}, err
		}
	}
	if err := a.diff.finish(ctx); err != nil {
		return triad.Applied{}, err
	}
	if err := a.saveSections(ctx); err != nil {
		return triad.Applied{}, err
	}
	if err := a.diff.contests(ctx); err != nil {
		return triad.Applied{}, err
	}
	if err := a.saveScope(ctx); err != nil {
		return triad.Applied{}, err
	}
	if err := a.log.close(ctx); err != nil {
		return triad.Applied{}, err
	}
	a.applied.Complete, a.applied.First, a.applied.Last = true, a.log.first, a.log.last
	return a.applied, nil
}

// load locks the scope and reads its state.
func (a *apply) load(ctx context.Context) error {
	// The row exists from the first part on, so that there is something to lock;
	// revision zero says that nothing was applied.
	if _, err := a.tx.ExecContext(ctx, `insert into scopes (tenant, scope, collector, revision, taken) values ($1, $2, $3, 0, 0) on conflict do nothing`,
		a.tenant, a.scope, a.report.Collector); err != nil {
		return fmt.Errorf("locking the scope: %w", err)
	}
	if err := a.tx.QueryRowContext(ctx, `select revision from scopes where tenant = $1 and scope = $2`+a.s.dialect.Lock(),
		a.tenant, a.scope).Scan(&a.revision); err != nil {
		return fmt.Errorf("locking the scope: %w", err)
	}
	var n int
	if err := a.tx.QueryRowContext(ctx, `select count(*) from reports where tenant = $1 and scope = $2 and revision = $3`,
		a.tenant, a.scope, a.report.Revision).Scan(&n); err != nil {
		return fmt.Errorf("reading applied reports: %w", err)
	}
	a.known = n > 0
	a.sections = map[string]*section{}
	rows, err := a.tx.QueryContext(ctx, `select name, status, reason, status_revision, content_revision from sections where tenant = $1 and scope = $2`, a.tenant, a.scope)
	if err != nil {
		return fmt.Errorf("reading sections: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		s := new(section)
		if err := rows.Scan(&s.Name, &s.Status, &s.Reason, &s.statusRevision, &s.contentRevision); err != nil {
			return fmt.Errorf("reading sections: %w", err)
		}
		a.sections[s.Name] = s
	}
	return rows.Err()
}

// superseded says that nothing of the report could have an effect any more: each of its
// sections was read whole, and spoken of, by this or a later report.
func (a *apply) superseded() bool {
	if a.report.Base != 0 {
		return false // a delta that is not known was refused, and is again
	}
	return superseded(a.sections, a.report.Sections, a.report.Revision) && a.revision >= a.report.Revision
}

func superseded(stored map[string]*section, listed []triad.Section, revision int64) bool {
	for _, l := range listed {
		s := stored[l.Name]
		if s == nil || s.statusRevision < revision || l.Status != triad.SectionAbsent && s.contentRevision < revision {
			return false
		}
	}
	return true
}

// checkBase refuses a delta that does not stand on what is stored.
func (a *apply) checkBase() error {
	r := a.report
	if r.Base == 0 {
		return nil
	}
	if a.revision != r.Base {
		return triad.Errorf(triad.CodeWrongBase, "delta %s@%d stands on revision %d, the scope is at %d: send a full report", r.Scope, r.Revision, r.Base, a.revision)
	}
	for _, l := range r.Sections {
		if s := a.sections[l.Name]; s == nil || s.Status != triad.SectionComplete {
			return triad.Errorf(triad.CodeWrongBase, "delta %s@%d changes section %s, which was not read whole before: send a full report", r.Scope, r.Revision, l.Name)
		}
	}
	return nil
}

// refuse drops what waits of the report and returns why it is refused.
func (a *apply) refuse(ctx context.Context, why error) error {
	if err := a.unstage(ctx, a.report.Revision); err != nil {
		return err
	}
	return why
}

// saveSections moves the listed sections to what the report says of them, where it is the
// newest that speaks of them, and logs what changed.
func (a *apply) saveSections(ctx context.Context) error {
	r := a.report
	e := newEncoder()
	for _, l := range r.Sections {
		s := a.sections[l.Name]
		if s == nil {
			s = &section{Section: triad.Section{Name: l.Name}, fresh: true}
			a.sections[l.Name] = s
		}
		before := s.Section
		stored := *s
		if r.Revision > s.statusRevision {
			s.Status, s.Reason, s.statusRevision = l.Status, cleanText(l.Reason), r.Revision
		}
		if l.Status == triad.SectionComplete && r.Revision > s.contentRevision {
			s.contentRevision = r.Revision
		}
		if *s == stored {
			continue
		}
		if _, err := a.tx.ExecContext(ctx, `insert into sections (tenant, scope, name, status, reason, status_revision, content_revision) values ($1, $2, $3, $4, $5, $6, $7)
			on conflict (tenant, scope, name) do update set status = excluded.status, reason = excluded.reason,
			status_revision = excluded.status_revision, content_revision = excluded.content_revision`,
			a.tenant, a.scope, s.Name, string(s.Status), s.Reason, s.statusRevision, s.contentRevision); err != nil {
			return fmt.Errorf("saving section %s: %w", s.Name, err)
		}
		if s.Section == before {
			continue
		}
		entry := Entry{Scope: a.scope, Kind: string(triad.RowSection), Key: s.Name, Cause: a.cause}
		var err error
		if !s.fresh {
			if entry.Before, err = e.json(before); err != nil {
				return err
			}
		}
		if entry.After, err = e.json(s.Section); err != nil {
			return err
		}
		if err := a.log.add(ctx, entry); err != nil {
			return err
		}
		s.fresh = false
	}
	return nil
}

// saveScope moves the scope to the report's revision if it is the newest, remembers the
// report and drops staged parts that can have no effect any more.
func (a *apply) saveScope(ctx context.Context) error {
	r := a.report
	if r.Revision > a.revision {
		a.revision = r.Revision
		if _, err := a.tx.ExecContext(ctx, `update scopes set collector = $3, revision = $4, taken = $5 where tenant = $1 and scope = $2`,
			a.tenant, a.scope, r.Collector, r.Revision, r.Taken.UnixMilli()); err != nil {
			return fmt.Errorf("saving the scope: %w", err)
		}
	}
	if _, err := a.tx.ExecContext(ctx, `insert into reports (tenant, scope, revision) values ($1, $2, $3) on conflict do nothing`, a.tenant, a.scope, r.Revision); err != nil {
		return fmt.Errorf("remembering the report: %w", err)
	}
	if _, err := a.tx.ExecContext(ctx, `delete from reports where tenant = $1 and scope = $2 and revision <
		(select min(revision) from (select revision from reports where tenant = $1 and scope = $2 order by revision desc limit $3) newest)`,
		a.tenant, a.scope, keepReports); err != nil {
		return fmt.Errorf("forgetting old reports: %w", err)
	}
	return a.unstageSuperseded(ctx)
}
