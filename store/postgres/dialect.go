package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/triad-security/triad/store/internal/record"
)

// dialect implements record.Dialect. Bulk statements carry a column per array, so that a
// thousand rows are one round trip and one plan.
type dialect struct{}

var _ record.Dialect = dialect{}

// Lock implements record.Dialect.
func (dialect) Lock() string { return " for update" }

// columns are ids as one array each.
func columns(ids []record.ID) (section, kind, key []string) {
	for _, id := range ids {
		section, kind, key = append(section, id.Section), append(kind, id.Kind), append(key, id.Key)
	}
	return section, kind, key
}

// each looks up the rows of arrays $3, $4 and $5 one by one in the primary key's index. A
// plain join reads the whole table while its statistics are young.
const each = `unnest($3::text[], $4::text[], $5::text[]) i (section, kind, key)
	cross join lateral (select *, ctid from estate where tenant = $1 and scope = $2 and section = i.section and kind = i.kind and key = i.key limit 1)`

// Find implements record.Dialect.
func (dialect) Find(ctx context.Context, tx *record.Tx, tenant, scope string, ids []record.ID, doc bool, fn func(record.ID, record.Stored)) error {
	column := "''"
	if doc {
		column = "e.doc"
	}
	section, kind, key := columns(ids)
	rows, err := tx.QueryContext(ctx, `select e.section, e.kind, e.key, e.hash, e.revision, e.hidden = 1, `+column+`
		from `+each+` e`,
		tenant, scope, section, kind, key)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id record.ID
		var s record.Stored
		if err := rows.Scan(&id.Section, &id.Kind, &id.Key, &s.Hash, &s.Revision, &s.Hidden, &s.Doc); err != nil {
			return err
		}
		fn(id, s)
	}
	return rows.Err()
}

// Put implements record.Dialect. New rows are copied in, which costs the server half of an
// insert that looks for conflicts.
func (dialect) Put(ctx context.Context, tx *record.Tx, tenant, scope string, rows []record.Row) error {
	added := slices.DeleteFunc(slices.Clone(rows), func(r record.Row) bool { return !r.New })
	if len(added) < fewRows {
		return upsert(ctx, tx, tenant, scope, rows)
	}
	if changed := slices.DeleteFunc(slices.Clone(rows), func(r record.Row) bool { return r.New }); len(changed) > 0 {
		if err := upsert(ctx, tx, tenant, scope, changed); err != nil {
			return err
		}
	}
	return copyIn(ctx, tx, "estate", []string{"tenant", "scope", "section", "kind", "key", "hash", "revision", "hidden", "type", "asset", "ecosystem", "name", "source", "doc"},
		len(added), func(i int) []any {
			r := &added[i]
			return []any{tenant, scope, r.Section, r.Kind, r.Key, r.Hash, r.Revision, int64(0), r.Type, r.Asset, r.Ecosystem, r.Name, r.Source, r.Doc}
		})
}

// fewRows are not worth the round trips of a copy.
const fewRows = 20

func copyIn(ctx context.Context, tx *record.Tx, table string, columns []string, n int, row func(i int) []any) error {
	return tx.Conn.Raw(func(driver any) error {
		_, err := driver.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{table}, columns,
			pgx.CopyFromSlice(n, func(i int) ([]any, error) { return row(i), nil }))
		return err
	})
}

func upsert(ctx context.Context, tx *record.Tx, tenant, scope string, rows []record.Row) error {
	n := len(rows)
	section, kind, key, hash, doc := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	types, asset, ecosystem, name, source := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	revision, hidden := make([]int64, n), make([]int64, n)
	for i, r := range rows {
		section[i], kind[i], key[i], hash[i], revision[i], doc[i] = r.Section, r.Kind, r.Key, r.Hash, r.Revision, r.Doc
		types[i], asset[i], ecosystem[i], name[i], source[i] = r.Type, r.Asset, r.Ecosystem, r.Name, r.Source
		if r.Hidden {
			hidden[i] = 1
		}
	}
	_, err := tx.ExecContext(ctx, `insert into estate (tenant, scope, section, kind, key, hash, revision, hidden, type, asset, ecosystem, name, source, doc)
		select $1, $2, * from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[])
		on conflict (tenant, scope, section, kind, key) do update set hash = excluded.hash, revision = excluded.revision, hidden = excluded.hidden,
		type = excluded.type, asset = excluded.asset, ecosystem = excluded.ecosystem, name = excluded.name, source = excluded.source, doc = excluded.doc`,
		tenant, scope, section, kind, key, hash, revision, hidden, types, asset, ecosystem, name, source, doc)
	return err
}

// Delete implements record.Dialect.
func (dialect) Delete(ctx context.Context, tx *record.Tx, tenant, scope string, ids []record.ID) error {
	section, kind, key := columns(ids)
	_, err := tx.ExecContext(ctx, `delete from estate where ctid = any (array(select ctid from `+each+` e))`, tenant, scope, section, kind, key)
	return err
}

// Log implements record.Dialect.
func (dialect) Log(ctx context.Context, tx *record.Tx, tenant string, entries []record.Entry) error {
	n := len(entries)
	if n >= fewRows {
		return copyIn(ctx, tx, "changes", []string{"tenant", "seq", "at", "scope", "kind", "key", "before", "after", "cause"}, n, func(i int) []any {
			e := &entries[i]
			return []any{tenant, e.Seq, e.At, e.Scope, e.Kind, e.Key, null(e.Before), null(e.After), e.Cause}
		})
	}
	seq, at := make([]int64, n), make([]int64, n)
	scope, kind, key, cause := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	before, after := make([]string, n), make([]string, n)
	for i, e := range entries {
		seq[i], at[i], scope[i], kind[i], key[i], cause[i] = e.Seq, e.At, e.Scope, e.Kind, e.Key, e.Cause
		before[i], after[i] = e.Before, e.After
	}
	_, err := tx.ExecContext(ctx, `insert into changes (tenant, seq, at, scope, kind, key, before, after, cause)
		select $1, seq, at, scope, kind, key, nullif(before, ''), nullif(after, ''), cause
		from unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
		i (seq, at, scope, kind, key, before, after, cause)`,
		tenant, seq, at, scope, kind, key, before, after, cause)
	return err
}

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}
