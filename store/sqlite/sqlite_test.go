package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/triad-security/triad"
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

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, open)
}
