package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/triad-security/triad"
)

func decision(id string, outcome triad.Outcome, epss float64) triad.Decision {
	return triad.Decision{
		ID: id, Outcome: outcome, EPSS: epss, Exposure: triad.ExposureOpen,
		Finding: triad.FindingRef{Kind: triad.FindingVulnerability, ID: "CVE-2026-" + id, Aliases: []string{"GHSA-" + id}},
		Asset:   triad.AssetRef{ID: "asset-" + id, Type: triad.TypeWorkload, Kind: "Deployment", Name: "prod/shop/" + id},
		Proof:   []triad.Hop{},
	}
}

func ids(decisions []triad.Decision) string {
	var list []string
	for _, d := range decisions {
		list = append(list, d.ID)
	}
	return strings.Join(list, " ")
}

func testDecisions(t *testing.T, s triad.Store) {
	yes, no := true, false
	all := []triad.Decision{
		decision("i", triad.Scheduled, 0.1),
		decision("h", triad.Scheduled, 0.1),
		decision("g", triad.Scheduled, 0.1),
		decision("f", triad.Scheduled, 0.1),
		decision("e", triad.Scheduled, 0.1),
		decision("d", triad.Scheduled, 0.9),
		decision("c", triad.OutOfCycle, 0),
		decision("b", triad.Immediate, 0.1),
		decision("a", triad.Immediate, 0.2),
		decision("z", triad.Defer, 0.99),
	}
	all[0].InUse, all[0].CVSS = &yes, 1 // i
	all[1].CVSS = 9                     // h: nobody looked
	all[2].CVSS = 5                     // g
	all[3].CVSS = 5                     // f
	all[4].InUse, all[4].CVSS = &no, 10 // e
	all[6].Exposure = triad.ExposureUnknown
	all[7].Finding.Kind = triad.FindingSecret
	if err := s.SaveDecisions(t.Context(), tenant, 7, because, all, nil); err != nil {
		t.Fatal(err)
	}
	if p, err := s.DecisionsPosition(t.Context(), tenant); err != nil || p != 7 {
		t.Errorf("position %d, %v", p, err)
	}
	for name, test := range map[string]struct {
		filter triad.DecisionFilter
		want   string
	}{
		"by outcome, EPSS, in use, CVSS, ID": {triad.DecisionFilter{}, "a b c d i h f g e z"},
		"a page":                             {triad.DecisionFilter{Limit: 3, Offset: 2}, "c d i"},
		"past the end":                       {triad.DecisionFilter{Limit: 3, Offset: 20}, ""},
		"some outcomes":                      {triad.DecisionFilter{Outcomes: []triad.Outcome{triad.Defer, triad.Immediate}}, "a b z"},
		"an unknown outcome":                 {triad.DecisionFilter{Outcomes: []triad.Outcome{"never"}}, ""},
		"an exposure":                        {triad.DecisionFilter{Exposure: []triad.Exposure{triad.ExposureUnknown}}, "c"},
		"a kind":                             {triad.DecisionFilter{Kind: triad.FindingSecret}, "b"},
		"an asset":                           {triad.DecisionFilter{Asset: "asset-d"}, "d"},
		"text in an ID":                      {triad.DecisionFilter{Text: "cve-2026-C"}, "c"},
		"text in an alias":                   {triad.DecisionFilter{Text: "GHSA-z"}, "z"},
		"text in an asset's name":            {triad.DecisionFilter{Text: "SHOP/A"}, "a"},
		"text is no pattern":                 {triad.DecisionFilter{Text: "%"}, ""},
		"text with an apostrophe":            {triad.DecisionFilter{Text: "'"}, ""},
	} {
		got, err := s.Decisions(t.Context(), tenant, test.filter)
		if err != nil || ids(got) != test.want {
			t.Errorf("%s: %s, %v, want %s", name, ids(got), err, test.want)
		}
		counts, err := s.CountDecisions(t.Context(), tenant, test.filter)
		n := 0
		for _, c := range counts {
			n += c
		}
		if test.filter.Limit == 0 && (err != nil || n != len(got)) {
			t.Errorf("%s: counted %v, %v, want %d", name, counts, err, len(got))
		}
	}

	t.Run("an equal decision writes nothing", func(t *testing.T) {
		before, err := s.Position(t.Context(), tenant)
		if err != nil {
			t.Fatal(err)
		}
		again := all[0]
		again.Changed = time.Now()
		if err := s.SaveDecisions(t.Context(), tenant, 8, because, []triad.Decision{again}, []string{"nobody"}); err != nil {
			t.Fatal(err)
		}
		if after, err := s.Position(t.Context(), tenant); err != nil || after != before {
			t.Errorf("position moved from %d to %d, %v", before, after, err)
		}
		if p, err := s.DecisionsPosition(t.Context(), tenant); err != nil || p != 8 {
			t.Errorf("decisions position %d, %v", p, err)
		}
	})
	t.Run("Changed moves with the outcome only", func(t *testing.T) {
		first, err := s.Decision(t.Context(), tenant, "b")
		if err != nil || first.Changed.IsZero() {
			t.Fatalf("%+v, %v", first, err)
		}
		d := first
		d.Sentence, d.Changed = "another reason", first.Changed.Add(time.Hour)
		save := func() triad.Decision {
			if err := s.SaveDecisions(t.Context(), tenant, 9, because, []triad.Decision{d}, nil); err != nil {
				t.Fatal(err)
			}
			got, err := s.Decision(t.Context(), tenant, "b")
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := save(); !got.Changed.Equal(first.Changed) || got.Sentence != d.Sentence {
			t.Errorf("changed %s, want %s; %q", got.Changed, first.Changed, got.Sentence)
		}
		d.Outcome = triad.Defer
		if got := save(); !got.Changed.Equal(d.Changed) {
			t.Errorf("changed %s, want %s", got.Changed, d.Changed)
		}
		history, err := s.History(t.Context(), tenant, triad.RowDecision, "b")
		if err != nil || len(history) != 3 || history[2].Cause != because(d) || history[2].Before == nil {
			t.Errorf("history %+v, %v", history, err)
		}
	})
	t.Run("a removed decision is gone and its history stays", func(t *testing.T) {
		if err := s.SaveDecisions(t.Context(), tenant, 10, because, nil, []string{"a"}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Decision(t.Context(), tenant, "a"); triad.ErrorCode(err) != triad.CodeNotFound {
			t.Errorf("%v, want not found", err)
		}
		history, err := s.History(t.Context(), tenant, triad.RowDecision, "a")
		if err != nil || len(history) != 2 || history[1].After != nil || history[1].Cause != because(all[8]) {
			t.Errorf("history %+v, %v", history, err)
		}
	})
	t.Run("an unknown outcome is refused", func(t *testing.T) {
		err := s.SaveDecisions(t.Context(), tenant, 11, because, []triad.Decision{decision("q", "never", 0)}, nil)
		if triad.ErrorCode(err) != triad.CodeInvalid {
			t.Errorf("%v, want an error with code invalid", err)
		}
	})
	replay(t, s, tenant)
}

func testTokens(t *testing.T, s triad.Store) {
	now := time.UnixMilli(1_800_000_000_000).UTC()
	token := triad.Token{
		Tenant: tenant, Hash: strings.Repeat("0f", 32), Name: "ci", Role: "collector",
		Scopes: []string{"docker/h1"}, Expires: now.Add(time.Hour),
	}
	if err := s.PutToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	got, err := s.Token(t.Context(), token.Hash, now)
	if err != nil || encode(got) != encode(token) {
		t.Errorf("%+v, %v", got, err)
	}
	for name, look := range map[string]struct {
		hash string
		at   time.Time
	}{
		"an expired token": {token.Hash, token.Expires},
		"an unknown token": {strings.Repeat("00", 32), now},
	} {
		if _, err := s.Token(t.Context(), look.hash, look.at); triad.ErrorCode(err) != triad.CodeNotFound {
			t.Errorf("%s: %v, want not found", name, err)
		}
	}
	token.Expires = now // revoked
	if err := s.PutToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(t.Context(), token.Hash, now); triad.ErrorCode(err) != triad.CodeNotFound {
		t.Errorf("a revoked token: %v, want not found", err)
	}
	if err := s.PutToken(t.Context(), triad.Token{Tenant: tenant, Hash: "secret", Role: "admin"}); triad.ErrorCode(err) != triad.CodeInvalid {
		t.Errorf("a secret in place of its hash: %v, want invalid", err)
	}
}
