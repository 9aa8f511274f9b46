package record

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/triad-security/triad"
)

// Store implements triad.Store over two handles of one database.
type Store struct {
	write, read *sql.DB
	dialect     Dialect
	now         func() time.Time
}

var _ triad.Store = (*Store)(nil)

// New returns a Store whose schema is up to date. write and read may be one handle; reads
// run in transactions that see one snapshot.
func New(write, read *sql.DB, dialect Dialect) *Store {
	return &Store{write: write, read: read, dialect: dialect, now: time.Now}
}

// Close closes both handles.
func (s *Store) Close() error {
	err := s.write.Close()
	if s.read != s.write {
		err = errors.Join(err, s.read.Close())
	}
	return err
}

// update runs fn in a transaction; what it did is on stable storage when update returns nil.
func (s *Store) update(ctx context.Context, fn func(*Tx) error) error {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	if err := fn(&Tx{tx, conn}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	return nil
}

// view runs fn in a read-only transaction that sees one snapshot.
func (s *Store) view(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	return fn(tx)
}

// The names of positions.
const (
	positionChanges   = "changes"
	positionDecisions = "decisions"
)

// position reads a named position; zero when there is none yet.
func position(ctx context.Context, tx *sql.Tx, tenant, name, lock string) (int64, error) {
	var p int64
	err := tx.QueryRowContext(ctx, `select position from positions where tenant = $1 and name = $2`+lock, tenant, name).Scan(&p)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("reading position %s of tenant %s: %w", name, tenant, err)
	}
	return p, nil
}

// log appends to one tenant's change log inside a transaction. It locks the log at the
// first entry and holds it to the end of the transaction, so sequence numbers appear in
// the order of commits, without gaps.
type log struct {
	s           *Store
	tx          *Tx
	tenant      string
	at          int64
	first, last int64 // first and last seq given; zero when none
	pending     []Entry
	bytes       int
}

// What is buffered before it is written: entries, and bytes of documents.
const (
	batchRows  = 2000
	batchBytes = 4 << 20
)

func (s *Store) newLog(tx *Tx, tenant string) *log {
	return &log{s: s, tx: tx, tenant: tenant, at: s.now().UnixMilli()}
}

func (l *log) add(ctx context.Context, e Entry) error {
	if l.first == 0 {
		if _, err := l.tx.ExecContext(ctx, `insert into positions (tenant, name, position) values ($1, $2, 0) on conflict do nothing`, l.tenant, positionChanges); err != nil {
			return fmt.Errorf("locking the change log of tenant %s: %w", l.tenant, err)
		}
		p, err := position(ctx, l.tx.Tx, l.tenant, positionChanges, l.s.dialect.Lock())
		if err != nil {
			return err
		}
		l.first, l.last = p+1, p
	}
	l.last++
	e.Seq, e.At = l.last, l.at
	l.pending = append(l.pending, e)
	if l.bytes += len(e.Before) + len(e.After); len(l.pending) >= batchRows || l.bytes >= batchBytes {
		return l.flush(ctx)
	}
	return nil
}

func (l *log) flush(ctx context.Context) error {
	if len(l.pending) == 0 {
		return nil
	}
	if err := l.s.dialect.Log(ctx, l.tx, l.tenant, l.pending); err != nil {
		return fmt.Errorf("writing the change log of tenant %s: %w", l.tenant, err)
	}
	l.pending, l.bytes = l.pending[:0], 0
	return nil
}

// close writes what is buffered and the log's new position.
func (l *log) close(ctx context.Context) error {
	if err := l.flush(ctx); err != nil || l.first == 0 {
		return err
	}
	return setPosition(ctx, l.tx, l.tenant, positionChanges, l.last)
}

func setPosition(ctx context.Context, tx *Tx, tenant, name string, p int64) error {
	_, err := tx.ExecContext(ctx, `insert into positions (tenant, name, position) values ($1, $2, $3)
		on conflict (tenant, name) do update set position = excluded.position`, tenant, name, p)
	if err != nil {
		return fmt.Errorf("moving position %s of tenant %s to %d: %w", name, tenant, p, err)
	}
	return nil
}
