package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/triad-security/triad"
)

// tb is what *testing.T and *rapid.T share.
type tb interface {
	rapid.TB
	Context() context.Context
}

// Open opens an empty store and closes it when the test ends.
type Open func(t testing.TB) triad.Store

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, triad.Store){
		"reports":   testReports,
		"deltas":    testDeltas,
		"parts":     testParts,
		"moves":     testMoves,
		"hostile":   testHostile,
		"log":       testLog,
		"decisions": testDecisions,
		"tokens":    testTokens,
		"packages":  testPackages,
		"tenants":   testTenants,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
	t.Run("arrival order", func(t *testing.T) { testOrder(t, open) })
	t.Run("model", func(t *testing.T) { testModel(t, open) })
	t.Run("concurrent", func(t *testing.T) { testConcurrent(t, open(t)) })
}

const (
	tenant = triad.DefaultTenant
	scope  = "aws/111122223333/us-east-1"
)

// report makes a full report of complete sections: "section:id=value" adds an asset, and
// "section!" lists the section as unread, "section" as complete.
func report(revision int64, rows ...string) *triad.Report {
	r := &triad.Report{Tenant: tenant, Scope: scope, Collector: "aws/1", Taken: time.UnixMilli(revision).UTC(), Revision: revision}
	for _, row := range rows {
		add(r, row)
	}
	return r
}

func delta(base, revision int64, rows ...string) *triad.Report {
	r := report(revision, rows...)
	r.Base = base
	return r
}

func part(r *triad.Report, n, of int) *triad.Report {
	r.Part, r.Parts = n, of
	return r
}

func add(r *triad.Report, row string) {
	section, rest, hasRow := cut(row, ':')
	status := triad.Section{Name: section, Status: triad.SectionComplete}
	if n := len(section) - 1; section[n] == '!' {
		status = triad.Section{Name: section[:n], Status: triad.SectionUnread, Reason: "access denied"}
	}
	if !slices.ContainsFunc(r.Sections, func(s triad.Section) bool { return s.Name == status.Name }) {
		r.Sections = append(r.Sections, status)
	}
	if !hasRow {
		return
	}
	id, value, _ := cut(rest, '=')
	if id[0] == '-' {
		r.Removed = append(r.Removed, triad.RowRef{Kind: triad.RowAsset, Key: id[1:], Section: status.Name})
		return
	}
	r.Assets = append(r.Assets, triad.Asset{ID: id, Type: triad.TypeHost, Kind: "Instance", Name: value, Section: status.Name})
}

func cut(s string, sep byte) (string, string, bool) {
	for i := range s {
		if s[i] == sep {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// rows are the estate's rows as "scope kind key" and their documents.
type rows map[string]string

func estate(t tb, s triad.Store, tenant string) rows {
	t.Helper()
	all := rows{}
	at, err := s.Estate(t.Context(), tenant, func(r triad.Row) error {
		k := rowName(r.Scope, r.Kind, r.Key)
		if _, twice := all[k]; twice {
			return fmt.Errorf("row %s comes twice", k)
		}
		all[k] = string(r.Doc)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := s.Position(t.Context(), tenant); err != nil || p != at {
		t.Fatalf("Estate is at %d, Position at %d, %v", at, p, err)
	}
	return all
}

func rowName(scope string, kind triad.RowKind, key string) string {
	return scope + " " + string(kind) + " " + key
}

// replay builds the estate from the change log alone, checking that it has no gap and that
// each entry's Before is what the log said so far.
func replay(t tb, s triad.Store, tenant string) rows {
	t.Helper()
	all, _ := follow(t, s, tenant, rows{}, 0)
	return all
}

// follow goes on from what the log told up to a position.
func follow(t tb, s triad.Store, tenant string, all rows, last int64) (rows, int64) {
	t.Helper()
	for {
		changes, err := s.Changes(t.Context(), tenant, last, 500)
		if err != nil {
			t.Fatal(err)
		}
		if len(changes) == 0 {
			break
		}
		for _, c := range changes {
			if c.Seq != last+1 {
				t.Fatalf("change %d follows %d", c.Seq, last)
			}
			last = c.Seq
			k := rowName(c.Scope, c.Kind, c.Key)
			if string(c.Before) != all[k] {
				t.Fatalf("change %d of %s: before is %s, the log said %s", c.Seq, k, c.Before, all[k])
			}
			if string(c.Before) == string(c.After) {
				t.Fatalf("change %d of %s changes nothing: %s", c.Seq, k, c.After)
			}
			if all[k] = string(c.After); c.After == nil {
				delete(all, k)
			}
			if c.Cause == "" {
				t.Fatalf("change %d has no cause", c.Seq)
			}
		}
	}
	if p, err := s.Position(t.Context(), tenant); err != nil || p != last {
		t.Fatalf("the log ends at %d, Position is %d, %v", last, p, err)
	}
	return all, last
}

// check compares the store with the rows expected and with what its log says.
func check(t testing.TB, s triad.Store, want rows) {
	t.Helper()
	got := estate(t, s, tenant)
	same(t, "estate", got, want)
	logged := replay(t, s, tenant)
	maps.DeleteFunc(logged, func(k, _ string) bool { return k[0] == ' ' }) // decisions have no scope
	same(t, "change log", logged, want)
}

func same(t tb, what string, got, want rows) {
	t.Helper()
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if _, ok := got[k]; !ok {
			t.Errorf("%s lacks %s", what, k)
		} else if got[k] != want[k] {
			t.Errorf("%s has %s as %s, want %s", what, k, got[k], want[k])
		}
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[k]; !ok {
			t.Errorf("%s has %s = %s, which should not be there", what, k, got[k])
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// want reads rows as report does: "section:id=value" is an asset, "section" a complete
// section, "section!" an unread one.
func want(list ...string) rows {
	all := rows{}
	for _, row := range list {
		r := &triad.Report{}
		add(r, row)
		for _, a := range r.Assets {
			all[rowName(scope, triad.RowAsset, a.ID)] = encode(a)
		}
		if len(r.Assets) == 0 {
			all[rowName(scope, triad.RowSection, r.Sections[0].Name)] = encode(r.Sections[0])
		}
	}
	return all
}

func encode(v any) string {
	doc, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(doc)
}

func apply(t testing.TB, s triad.Store, r *triad.Report) triad.Applied {
	t.Helper()
	applied, err := s.Apply(t.Context(), r)
	if err != nil {
		t.Fatalf("applying %s@%d: %v", r.Scope, r.Revision, err)
	}
	return applied
}

func testTenants(t *testing.T, s triad.Store) {
	apply(t, s, report(1, "a:x=1"))
	other := report(1, "a:x=2", "a:y=2")
	other.Tenant = "other"
	apply(t, s, other)
	check(t, s, want("a", "a:x=1"))
	same(t, "the other tenant", replay(t, s, "other"), want("a", "a:x=2", "a:y=2"))
	same(t, "the other tenant", estate(t, s, "other"), want("a", "a:x=2", "a:y=2"))
	if scopes, err := s.Scopes(context.Background(), "nobody"); err != nil || len(scopes) != 0 {
		t.Errorf("a tenant that never reported has scopes %v, %v", scopes, err)
	}
}
