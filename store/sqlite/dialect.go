package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/triad-security/triad/store/internal/record"
)

// dialect implements record.Dialect. SQLite has no round trips to save, but each statement
// costs a call through the driver: rows go in many at a time, single ones are prepared.
type dialect struct{}

var _ record.Dialect = dialect{}

// Lock implements record.Dialect: a writing transaction is alone from its start.
func (dialect) Lock() string { return "" }

// Find implements record.Dialect.
func (dialect) Find(ctx context.Context, tx *record.Tx, tenant, scope string, ids []record.ID, doc bool, fn func(record.ID, record.Stored)) error {
	column := "''"
	if doc {
		column = "doc"
	}
	stmt, err := tx.PrepareContext(ctx, `select hash, revision, hidden, `+column+` from estate where tenant = ? and scope = ? and section = ? and kind = ? and key = ?`)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for _, id := range ids {
		var s record.Stored
		err := stmt.QueryRowContext(ctx, tenant, scope, id.Section, id.Kind, id.Key).Scan(&s.Hash, &s.Revision, &s.Hidden, &s.Doc)
		switch {
		case err == nil:
			fn(id, s)
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
	}
	return nil
}

// Put implements record.Dialect.
func (dialect) Put(ctx context.Context, tx *record.Tx, tenant, scope string, rows []record.Row) error {
	return bulk(ctx, tx, `insert into estate (tenant, scope, section, kind, key, hash, revision, hidden, type, asset, ecosystem, name, source, doc) values `, 14,
		` on conflict (tenant, scope, section, kind, key) do update set hash = excluded.hash, revision = excluded.revision, hidden = excluded.hidden,
		type = excluded.type, asset = excluded.asset, ecosystem = excluded.ecosystem, name = excluded.name, source = excluded.source, doc = excluded.doc`,
		len(rows), func(args []any, i int) []any {
			r := &rows[i]
			return append(args, tenant, scope, r.Section, r.Kind, r.Key, r.Hash, r.Revision, r.Hidden, r.Type, r.Asset, r.Ecosystem, r.Name, r.Source, r.Doc)
		})
}

// Delete implements record.Dialect.
func (dialect) Delete(ctx context.Context, tx *record.Tx, tenant, scope string, ids []record.ID) error {
	stmt, err := tx.PrepareContext(ctx, `delete from estate where tenant = ? and scope = ? and section = ? and kind = ? and key = ?`)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for _, id := range ids {
		if _, err := stmt.ExecContext(ctx, tenant, scope, id.Section, id.Kind, id.Key); err != nil {
			return err
		}
	}
	return nil
}

// Log implements record.Dialect.
func (dialect) Log(ctx context.Context, tx *record.Tx, tenant string, entries []record.Entry) error {
	return bulk(ctx, tx, `insert into changes (tenant, seq, at, scope, kind, key, before, after, cause) values `, 9, "",
		len(entries), func(args []any, i int) []any {
			e := &entries[i]
			return append(args, tenant, e.Seq, e.At, e.Scope, e.Kind, e.Key, null(e.Before), null(e.After), e.Cause)
		})
}

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// perStatement is how many rows one insert takes. More gains nothing measurable.
const perStatement = 50

// bulk inserts n rows; row appends the arguments of one. The parameters are not numbered:
// SQLite looks a numbered one up among all.
func bulk(ctx context.Context, tx *record.Tx, insert string, columns int, suffix string, n int, row func(args []any, i int) []any) error {
	one := "(" + strings.TrimSuffix(strings.Repeat("?, ", columns), ", ") + ")"
	args := make([]any, 0, min(n, perStatement)*columns)
	for i := 0; i < n; {
		size := 1
		if n-i >= perStatement {
			size = perStatement
		}
		stmt, err := tx.PrepareContext(ctx, insert+strings.TrimSuffix(strings.Repeat(one+", ", size), ", ")+suffix)
		if err != nil {
			return err
		}
		for ; n-i >= size; i += size {
			args = args[:0]
			for j := range size {
				args = row(args, i+j)
			}
			if _, err := stmt.ExecContext(ctx, args...); err != nil {
				return errors.Join(err, stmt.Close()) //nolint:sqlclosecheck // closed here and below: one at a time in a loop
			}
		}
		if err := stmt.Close(); err != nil {
			return err
		}
	}
	return nil
}
