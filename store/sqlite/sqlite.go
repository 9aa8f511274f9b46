package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // registers the driver

	"github.com/triad-security/triad/store/internal/record"
	"github.com/triad-security/triad/store/migrations"
)

// readers is how many snapshots may be read at once.
const readers = 4

// Open opens the store in a file, which it makes if need be, and brings its schema up to date.
func Open(ctx context.Context, path string) (*record.Store, error) {
	write, read, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("opening store %s: %w", path, err)
	}
	if err := migrations.Up(ctx, write, migrations.SQLite, nil); err != nil {
		return nil, fmt.Errorf("opening store %s: %w", path, errors.Join(err, write.Close(), read.Close()))
	}
	return record.New(write, read, dialect{}), nil
}

func open(path string) (write, read *sql.DB, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, err
	}
	// The estate is nobody else's business; SQLite gives -wal and -shm the file's mode.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, err
	}
	if err := f.Close(); err != nil {
		return nil, nil, err
	}
	if write, err = sql.Open("sqlite", dsn(path, url.Values{
		"_txlock": {"immediate"},
		"_pragma": {
			"busy_timeout(10000)", "page_size(8192)", "journal_mode(wal)", "synchronous(full)",
			"cache_size(-65536)", "journal_size_limit(67108864)", // 64 MiB each
			"temp_store(memory)",
		},
	})); err != nil {
		return nil, nil, err
	}
	write.SetMaxOpenConns(1)
	if read, err = sql.Open("sqlite", dsn(path, url.Values{
		"_pragma": {"busy_timeout(10000)", "query_only(true)", "cache_size(-16384)", "temp_store(memory)"},
	})); err != nil {
		return nil, nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(readers)
	return write, read, nil
}

func dsn(path string, query url.Values) string {
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String()
}
