package sqlite_test

import (
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/store/migrations"
	"github.com/triad-security/triad/store/sqlite"
	"github.com/triad-security/triad/store/storetest"
)

func open(t testing.TB) triad.Store {
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "triad.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, open)
}

func TestMain(m *testing.M) { storetest.Main(m) }

func TestEachReportIsWholeOrAbsentWhenTheProcessIsKilled(t *testing.T) {
	storetest.Crash(t, "sqlite:"+filepath.Join(t.TempDir(), "triad.db"), 12, nil)
}

func TestStoresOfEarlierSchemasOpen(t *testing.T) {
	storetest.Upgrade(t, migrations.SQLite, func(t *testing.T) (*sql.DB, string) {
		path := filepath.Join(t.TempDir(), "a file?with#odd%20name.db")
		db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path}).String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db, "sqlite:" + path
	})
}

func TestTheFileIsItsOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "triad.db")
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, name := range []string{path, path + "-wal"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, open)
}
