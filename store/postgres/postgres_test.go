package postgres_test

import (
	"database/sql"
	"sync"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/store/migrations"
	"github.com/triad-security/triad/store/postgres"
	"github.com/triad-security/triad/store/storetest"
)

// opener starts a server and opens a store in a new database of it each time.
func opener(t testing.TB) storetest.Open {
	server := storetest.Start(t)
	return func(t testing.TB) triad.Store {
		s, err := postgres.Open(t.Context(), server.Database(t))
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
}

func TestStore(t *testing.T) {
	storetest.Run(t, opener(t))
}

func TestMain(m *testing.M) { storetest.Main(m) }

func TestEachReportIsWholeOrAbsentWhenTheProcessIsKilled(t *testing.T) {
	server := storetest.Start(t)
	storetest.Crash(t, server.Database(t), 9, func() { server.Crash(t) })
}

func TestStoresOfEarlierSchemasOpen(t *testing.T) {
	server := storetest.Start(t)
	storetest.Upgrade(t, migrations.Postgres, func(t *testing.T) (*sql.DB, string) {
		address := server.Database(t)
		db, err := sql.Open("pgx", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db, address
	})
}

func TestSeveralProcessesMayOpenANewDatabaseAtOnce(t *testing.T) {
	address := storetest.Start(t).Database(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := postgres.Open(t.Context(), address)
			if err != nil {
				t.Error(err)
				return
			}
			s.Close()
		})
	}
	wg.Wait()
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, opener(b))
}
