package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3/lock"

	"github.com/triad-security/triad/store/internal/record"
	"github.com/triad-security/triad/store/migrations"
)

// connections is how many one process keeps at most. A server's default limit is 100.
const connections = 16

// Open opens the store in the database at a postgres:// address and brings its schema up to
// date. Several processes may do so at once.
func Open(ctx context.Context, address string) (*record.Store, error) {
	db, name, err := open(address)
	if err != nil {
		return nil, err
	}
	if err := prepare(ctx, db); err != nil {
		return nil, fmt.Errorf("opening store %s: %w", name, errors.Join(err, db.Close()))
	}
	return record.New(db, db, dialect{}), nil
}

// open returns a handle and the address in words, without its password.
func open(address string) (*sql.DB, string, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, "", fmt.Errorf("reading the store's address: %w", err) // pgx leaves the password out
	}
	if _, ok := config.RuntimeParams["application_name"]; !ok {
		config.RuntimeParams["application_name"] = "triad"
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db, fmt.Sprintf("postgres://%s@%s:%d/%s", config.User, config.Host, config.Port, config.Database), nil
}

// prepare checks what durability rests on and migrates under a lock that processes share.
func prepare(ctx context.Context, db *sql.DB) error {
	var encoding, fsync, commit string
	if err := db.QueryRowContext(ctx, `select current_setting('server_encoding'), current_setting('fsync'), current_setting('synchronous_commit')`).
		Scan(&encoding, &fsync, &commit); err != nil {
		return err
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database's encoding is %s: create it with encoding UTF8", encoding)
	}
	if fsync != "on" || commit == "off" {
		return errors.New("the server runs with fsync or synchronous_commit off and may lose what it acknowledged: turn both on")
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	return migrations.Up(ctx, db, migrations.Postgres, locker)
}
