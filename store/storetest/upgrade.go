package storetest

import (
	"database/sql"
	"embed"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/store"
	"github.com/triad-security/triad/store/migrations"
)

//go:embed schema/*.sql
var schemas embed.FS

// Upgrade opens a store of every earlier schema, with what it held then, and reads and
// writes it. open returns a handle to an empty database and its address.
func Upgrade(t *testing.T, dialect goose.Dialect, open func(t *testing.T) (*sql.DB, string)) {
	versions := migrations.Versions()
	for _, version := range versions {
		t.Run(fmt.Sprintf("schema %d", version), func(t *testing.T) {
			db, address := open(t)
			if err := migrations.UpTo(t.Context(), db, dialect, version); err != nil {
				t.Fatal(err)
			}
			fixture, err := schemas.ReadFile(fmt.Sprintf("schema/%05d.sql", version))
			if err != nil {
				t.Fatalf("a new schema version needs a fixture of what a store of it holds: %v", err)
			}
			if _, err := db.ExecContext(t.Context(), string(fixture)); err != nil {
				t.Fatal(err)
			}
			s, err := store.Open(t.Context(), address)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			earlier(t, s)
		})
	}
	t.Run("a schema of a later program is refused", func(t *testing.T) {
		db, address := open(t)
		newest := versions[len(versions)-1]
		if err := migrations.UpTo(t.Context(), db, dialect, newest); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), `insert into goose_db_version (version_id, is_applied) values (`+fmt.Sprint(newest+1)+`, true)`); err != nil {
			t.Fatal(err)
		}
		if s, err := store.Open(t.Context(), address); err == nil {
			s.Close()
			t.Error("it was opened")
		} else if !strings.Contains(err.Error(), "newer triad") {
			t.Error(err)
		}
	})
}

// earlier checks what each fixture holds.
func earlier(t *testing.T, s triad.Store) {
	before := want("a", "a:x=2", "b!")
	before[rowName(scope, triad.RowPackage, "img|pkg:npm/n@1|")] = `{"asset":"img","section":"b","name":"n","version":"1","ecosystem":"npm","purl":"pkg:npm/n@1"}`
	same(t, "estate", estate(t, s, tenant), before)
	named := 0
	if err := s.PackagesNamed(t.Context(), tenant, "N", func(triad.Package) error { named++; return nil }); err != nil || named != 1 {
		t.Errorf("%d packages named n, %v", named, err)
	}
	if d, err := s.Decisions(t.Context(), tenant, triad.DecisionFilter{Text: "CVE-2026-1"}); err != nil || ids(d) != "d" {
		t.Errorf("decisions %v, %v", d, err)
	}
	if h, err := s.History(t.Context(), tenant, triad.RowAsset, "x"); err != nil || len(h) != 2 {
		t.Errorf("history %v, %v", h, err)
	}
	if token, err := s.Token(t.Context(), strings.Repeat("0", 63)+"1", time.UnixMilli(12)); err != nil || token.Name != "ci" {
		t.Errorf("token %v, %v", token, err)
	}
	if got := apply(t, s, report(12, "a:x=9")); got != (triad.Applied{Complete: true}) {
		t.Errorf("a report of then again: %+v", got)
	}
	if got := apply(t, s, part(report(13, "c"), 2, 2)); got.Added != 1 || got.First != 3 {
		t.Errorf("the missing part: %+v", got)
	}
	apply(t, s, report(14, "a", "b", "c:y=3"))
	same(t, "estate", estate(t, s, tenant), want("a", "b", "c", "c:y=3"))
}
