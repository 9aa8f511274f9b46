package storetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/triad-security/triad"
)

func testLog(t *testing.T, s triad.Store) {
	apply(t, s, report(1, "a:x=1"))
	apply(t, s, report(2, "a:x=2"))
	apply(t, s, report(3, "a!"))
	apply(t, s, report(4, "a"))
	t.Run("history lists one row's changes, oldest first, with their causes", func(t *testing.T) {
		history, err := s.History(t.Context(), tenant, triad.RowAsset, "x")
		if err != nil || len(history) != 3 {
			t.Fatalf("%d entries, %v", len(history), err)
		}
		for i, cause := range []string{"@1", "@2", "@4"} {
			if h := history[i]; h.Cause != "report "+scope+cause || h.Scope != scope || h.Key != "x" || h.At.IsZero() {
				t.Errorf("entry %d is %+v", i, h)
			}
		}
		if history[0].Before != nil || history[2].After != nil || string(history[1].Before) != string(history[0].After) {
			t.Errorf("before and after do not join: %+v", history)
		}
		sections, err := s.History(t.Context(), tenant, triad.RowSection, "a")
		if err != nil || len(sections) != 3 {
			t.Errorf("section a has %d entries, %v", len(sections), err)
		}
	})
	t.Run("changes come after a position and up to a limit", func(t *testing.T) {
		changes, err := s.Changes(t.Context(), tenant, 2, 2)
		if err != nil || len(changes) != 2 || changes[0].Seq != 3 || changes[1].Seq != 4 {
			t.Errorf("%+v, %v", changes, err)
		}
		if none, err := s.Changes(t.Context(), tenant, 1000, 2); err != nil || len(none) != 0 {
			t.Errorf("after the end: %+v, %v", none, err)
		}
	})
	t.Run("an unknown kind has no history", func(t *testing.T) {
		if _, err := s.History(t.Context(), tenant, "x' or '1'='1", "x"); triad.ErrorCode(err) != triad.CodeInvalid {
			t.Errorf("%v, want an error with code invalid", err)
		}
	})
}

// Reports of many scopes and decisions at once: the log stays without gaps, and every
// reader sees a state that the log had.
func testConcurrent(t *testing.T, s triad.Store) {
	const writers, rounds = 4, 12
	var wg, readers sync.WaitGroup
	done := make(chan struct{})
	readers.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			n, sum := map[string]string{}, 0
			at, err := s.Estate(t.Context(), tenant, func(r triad.Row) error {
				n[r.Scope] += string(r.Kind)
				sum++
				return nil
			})
			if err != nil {
				t.Errorf("reading the estate: %v", err)
				return
			}
			for scope, kinds := range n { // each report writes one section and two assets, together
				if len(kinds) != len("sectionassetasset") {
					t.Errorf("at %d scope %s has %s", at, scope, kinds)
				}
			}
		}
	})
	for w := range writers {
		wg.Go(func() {
			for round := range rounds {
				r := report(int64(round+1), fmt.Sprintf("a:x=%d", round), fmt.Sprintf("a:y=%d", round))
				r.Scope = fmt.Sprintf("docker/%d", w)
				if _, err := s.Apply(t.Context(), r); err != nil {
					t.Errorf("applying: %v", err)
				}
				d := decision(fmt.Sprintf("d%d", w), triad.Scheduled, float64(round)/100)
				if err := s.SaveDecisions(t.Context(), tenant, int64(round), because, []triad.Decision{d}, nil); err != nil {
					t.Errorf("saving a decision: %v", err)
				}
			}
		})
	}
	wg.Wait()
	close(done)
	readers.Wait()
	logged := replay(t, s, tenant)
	if len(logged) != writers*4 {
		t.Errorf("the log ends with %d rows, want %d", len(logged), writers*4)
	}
	if p, err := s.Position(t.Context(), tenant); err != nil || p != writers*(1+3*rounds) {
		t.Errorf("position %d, %v, want %d", p, err, writers*(1+3*rounds))
	}
}

func because(d triad.Decision) string {
	return "change 1: asset x of " + strings.Repeat("s", 3) + " " + d.ID
}
