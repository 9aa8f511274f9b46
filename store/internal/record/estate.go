package record

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/triad-security/triad"
)

// Estate implements triad.Store.
func (s *Store) Estate(ctx context.Context, tenant string, fn func(triad.Row) error) (int64, error) {
	var at int64
	err := s.view(ctx, func(tx *sql.Tx) error {
		var err error
		if at, err = position(ctx, tx, tenant, positionChanges, ""); err != nil {
			return err
		}
		scopes, err := s.scopes(ctx, tx, tenant, "")
		if err != nil {
			return err
		}
		e := newEncoder()
		for _, scope := range scopes {
			for name, section := range scope.Sections {
				doc, err := e.json(section)
				if err != nil {
					return err
				}
				if err := fn(triad.Row{Scope: scope.Scope, Kind: triad.RowSection, Key: name, Doc: json.RawMessage(doc)}); err != nil {
					return err
				}
			}
		}
		rows, err := tx.QueryContext(ctx, `select scope, kind, key, doc from estate where tenant = $1 and hidden = 0`, tenant)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var row triad.Row
			var doc sql.RawBytes
			if err := rows.Scan(&row.Scope, &row.Kind, &row.Key, &doc); err != nil {
				return err
			}
			row.Doc = json.RawMessage(doc)
			if row.Key, err = publicKey(row.Kind, row.Key, doc); err != nil {
				return err
			}
			if err := fn(row); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		return 0, fmt.Errorf("reading the estate of tenant %s: %w", tenant, err)
	}
	return at, nil
}

// Packages implements triad.Store.
func (s *Store) Packages(ctx context.Context, tenant, asset string, fn func(triad.Package) error) error {
	err := s.view(ctx, func(tx *sql.Tx) error {
		return documents(ctx, tx, fn, `select doc from estate where tenant = $1 and asset = $2 and kind = 'package' and hidden = 0 order by scope, key`,
			tenant, indexKey(asset))
	})
	if err != nil {
		return fmt.Errorf("reading the packages of %s: %w", asset, err)
	}
	return nil
}

// PackagesNamed implements triad.Store.
func (s *Store) PackagesNamed(ctx context.Context, tenant, name string, fn func(triad.Package) error) error {
	key := indexKey(triad.LookupName(name))
	if key == "" {
		return nil
	}
	err := s.view(ctx, func(tx *sql.Tx) error {
		// Two statements, for SQLite uses one index in each.
		for _, where := range []string{`kind = 'package' and name = $2`, `kind = 'package' and source <> '' and source = $2`} {
			if err := documents(ctx, tx, fn, `select doc from estate where tenant = $1 and hidden = 0 and `+where, tenant, key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the packages named %s: %w", name, err)
	}
	return nil
}

// documents calls fn for each document of a query that selects one column.
func documents[T any](ctx context.Context, tx *sql.Tx, fn func(T) error, query string, args ...any) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var doc sql.RawBytes
		if err := rows.Scan(&doc); err != nil {
			return err
		}
		var v T
		if err := json.Unmarshal(doc, &v); err != nil {
			return err
		}
		if err := fn(v); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Scopes implements triad.Store.
func (s *Store) Scopes(ctx context.Context, tenant string) ([]triad.ScopeState, error) {
	var all []triad.ScopeState
	err := s.view(ctx, func(tx *sql.Tx) (err error) {
		all, err = s.scopes(ctx, tx, tenant, "")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the scopes of tenant %s: %w", tenant, err)
	}
	return all, nil
}

// Scope implements triad.Store.
func (s *Store) Scope(ctx context.Context, tenant, scope string) (triad.ScopeState, error) {
	var all []triad.ScopeState
	err := s.view(ctx, func(tx *sql.Tx) (err error) {
		all, err = s.scopes(ctx, tx, tenant, "and s.scope = $2", scope)
		return err
	})
	switch {
	case err != nil:
		return triad.ScopeState{}, fmt.Errorf("reading scope %s: %w", scope, err)
	case len(all) == 0:
		return triad.ScopeState{}, triad.Errorf(triad.CodeNotFound, "scope %s has never reported", scope)
	}
	return all[0], nil
}

func (s *Store) scopes(ctx context.Context, tx *sql.Tx, tenant, and string, args ...any) ([]triad.ScopeState, error) {
	rows, err := tx.QueryContext(ctx, `select s.scope, s.collector, s.revision, s.taken, n.name, n.status, n.reason from scopes s
		left join sections n on n.tenant = s.tenant and n.scope = s.scope
		where s.tenant = $1 and s.revision > 0 `+and+` order by s.scope, n.name`, append([]any{tenant}, args...)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []triad.ScopeState
	for rows.Next() {
		var (
			scope                triad.ScopeState
			taken                int64
			name, status, reason sql.NullString
		)
		if err := rows.Scan(&scope.Scope, &scope.Collector, &scope.Revision, &taken, &name, &status, &reason); err != nil {
			return nil, err
		}
		if len(all) == 0 || all[len(all)-1].Scope != scope.Scope {
			scope.Taken, scope.Sections = time.UnixMilli(taken).UTC(), map[string]triad.Section{}
			all = append(all, scope)
		}
		if name.Valid {
			all[len(all)-1].Sections[name.String] = triad.Section{
				Name: name.String, Status: triad.SectionStatus(status.String), Reason: reason.String,
			}
		}
	}
	return all, rows.Err()
}

// Position implements triad.Store.
func (s *Store) Position(ctx context.Context, tenant string) (p int64, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		p, err = position(ctx, tx, tenant, positionChanges, "")
		return err
	})
	return p, err
}

// maxChanges is how many changes one call returns at most, whatever its limit says.
const maxChanges = 10_000

// Changes implements triad.Store.
func (s *Store) Changes(ctx context.Context, tenant string, after int64, limit int) ([]triad.Change, error) {
	if limit <= 0 || limit > maxChanges {
		limit = maxChanges
	}
	changes, err := s.changes(ctx, `tenant = $1 and seq > $2 order by seq limit $3`, tenant, after, limit)
	if err != nil {
		return nil, fmt.Errorf("reading the changes of tenant %s after %d: %w", tenant, after, err)
	}
	return changes, nil
}

// History implements triad.Store. Only the kinds that people ask about are indexed; the
// history of a relation or package reads the whole log.
func (s *Store) History(ctx context.Context, tenant string, kind triad.RowKind, key string) ([]triad.Change, error) {
	switch kind {
	case triad.RowAsset, triad.RowFinding, triad.RowSection, triad.RowDecision, triad.RowRelation, triad.RowPackage:
	default:
		return nil, triad.Errorf(triad.CodeInvalid, "history: unknown row kind %.40q", kind)
	}
	where := `tenant = $1 and kind = $2 and key = $3`
	if kind != triad.RowRelation && kind != triad.RowPackage {
		where += ` and kind <> 'relation' and kind <> 'package'` // as the index says it
	}
	changes, err := s.changes(ctx, where+` order by seq`, tenant, string(kind), indexKey(key))
	if err != nil {
		return nil, fmt.Errorf("reading the history of %s %s: %w", kind, key, err)
	}
	return changes, nil
}

func (s *Store) changes(ctx context.Context, where string, args ...any) ([]triad.Change, error) {
	var all []triad.Change
	err := s.view(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `select seq, at, scope, kind, key, before, after, cause from changes where `+where, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var (
				c             triad.Change
				at            int64
				before, after sql.NullString
			)
			if err := rows.Scan(&c.Seq, &at, &c.Scope, &c.Kind, &c.Key, &before, &after, &c.Cause); err != nil {
				return err
			}
			c.At = time.UnixMilli(at).UTC()
			if before.Valid {
				c.Before = json.RawMessage(before.String)
			}
			doc := c.Before
			if after.Valid {
				c.After = json.RawMessage(after.String)
				doc = c.After
			}
			if c.Key, err = publicKey(c.Kind, c.Key, doc); err != nil {
				return err
			}
			all = append(all, c)
		}
		return rows.Err()
	})
	return all, err
}
