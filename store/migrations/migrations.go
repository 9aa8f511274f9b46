package migrations

import (
	"bytes"
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed *.sql
var files embed.FS

// The dialects that the migrations are written for.
const (
	SQLite   = goose.DialectSQLite3
	Postgres = goose.DialectPostgres
)

// Up brings the schema to the newest version. A schema newer than this binary knows is an
// error: an older binary must not write into it. locker, if not nil, keeps other processes out.
func Up(ctx context.Context, db *sql.DB, dialect goose.Dialect, locker lock.SessionLocker) error {
	p, err := provider(db, dialect, locker)
	if err != nil {
		return err
	}
	current, newest, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("reading the schema version: %w", err)
	}
	if current > newest {
		return fmt.Errorf("the store has schema version %d, this program knows up to %d: use a newer triad", current, newest)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrating the store from schema version %d to %d: %w", current, newest, err)
	}
	return nil
}

// UpTo brings an empty database to the schema of an earlier version, for tests of upgrades.
func UpTo(ctx context.Context, db *sql.DB, dialect goose.Dialect, version int64) error {
	p, err := provider(db, dialect, nil)
	if err != nil {
		return err
	}
	_, err = p.UpTo(ctx, version)
	return err
}

// Versions lists the schema versions, oldest first.
func Versions() []int64 {
	p, err := goose.NewProvider(SQLite, new(sql.DB), files)
	if err != nil {
		panic(err) // the embedded files are wrong
	}
	var versions []int64
	for _, s := range p.ListSources() {
		versions = append(versions, s.Version)
	}
	return versions
}

func provider(db *sql.DB, dialect goose.Dialect, locker lock.SessionLocker) (*goose.Provider, error) {
	var fsys fs.FS = files
	if dialect == Postgres {
		fsys = forPostgres{files}
	}
	options := []goose.ProviderOption{goose.WithLogger(goose.NopLogger())}
	if locker != nil {
		options = append(options, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(dialect, db, fsys, options...)
	if err != nil {
		return nil, fmt.Errorf("reading migrations: %w", err)
	}
	return p, nil
}

// forPostgres are the migrations with the two differences that the dialects have. Every text
// column gets the "C" collation: text compares byte by byte, as in SQLite, whatever the
// database's locale, and faster. And "without rowid" goes: it is SQLite's word for a table
// that is kept in the order of its key.
type forPostgres struct{ embed.FS }

func (b forPostgres) Open(name string) (fs.File, error) {
	f, err := b.FS.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return f, err
	}
	data, err := b.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return &file{Reader: bytes.NewReader(data), info: info}, nil
}

// ReadFile implements fs.ReadFileFS.
func (b forPostgres) ReadFile(name string) ([]byte, error) {
	data, err := b.FS.ReadFile(name)
	data = bytes.ReplaceAll(data, []byte(" text"), []byte(` text collate "C"`))
	return bytes.ReplaceAll(data, []byte(") without rowid;"), []byte(");")), err
}

type file struct {
	*bytes.Reader
	info fs.FileInfo
}

func (f *file) Stat() (fs.FileInfo, error) { return size{f.info, f.Size()}, nil }
func (f *file) Close() error               { return nil }

type size struct {
	fs.FileInfo
	n int64
}

func (s size) Size() int64        { return s.n }
func (s size) ModTime() time.Time { return time.Time{} }
