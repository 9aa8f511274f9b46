package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/store"
)

// childAddress tells the test binary to load the store at an address until it is killed.
const childAddress = "TRIAD_STORE_CHILD"

// Main runs a package's tests, or the load that Crash kills.
func Main(m *testing.M) {
	if address := os.Getenv(childAddress); address != "" {
		fmt.Fprintln(os.Stderr, load(context.Background(), address))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

const (
	crashScopes    = 3
	crashDecisions = 20
)

func crashScope(n int64) string { return "crash/" + strconv.FormatInt(n%crashScopes, 10) }

// crashReports is the report with a revision, in one piece, as a delta or in parts. Each
// writes every asset anew, so that a torn one shows.
func crashReports(scope string, revision int64) []*triad.Report {
	size := func(revision int64) int64 { return 200 + revision%7*20 }
	r := &triad.Report{
		Tenant: tenant, Scope: scope, Collector: "crash", Taken: time.UnixMilli(revision), Revision: revision,
		Sections: []triad.Section{{Name: "a", Status: triad.SectionComplete}},
	}
	for i := range size(revision) {
		r.Assets = append(r.Assets, triad.Asset{
			ID: fmt.Sprintf("asset-%03d", i), Type: triad.TypeHost, Section: "a", Name: fmt.Sprintf("%d of %d", revision, size(revision)),
			Doc: []byte(`"` + strings.Repeat("d", 500) + `"`),
		})
	}
	switch revision % 3 {
	case 1:
		return split(r, 3)
	case 2:
		r.Base = revision - 1
		for i := size(revision); i < size(r.Base); i++ {
			r.Removed = append(r.Removed, triad.RowRef{Kind: triad.RowAsset, Key: fmt.Sprintf("asset-%03d", i), Section: "a"})
		}
	}
	return []*triad.Report{r}
}

// load writes reports and decisions, and says what was acknowledged.
func load(ctx context.Context, address string) error {
	s, err := store.Open(ctx, address)
	if err != nil {
		return err
	}
	for n := int64(0); ; n++ {
		scope := crashScope(n)
		state, err := s.Scope(ctx, tenant, scope)
		if err != nil && !errors.Is(err, triad.ErrNotFound) {
			return err
		}
		revision := state.Revision + 1
		for _, r := range crashReports(scope, revision) {
			if _, err := s.Apply(ctx, r); err != nil {
				return err
			}
		}
		fmt.Println(scope, revision)
		at, err := s.DecisionsPosition(ctx, tenant)
		if err != nil {
			return err
		}
		var put []triad.Decision
		for i := range crashDecisions {
			put = append(put, decision(strconv.Itoa(i), triad.Scheduled, float64(at+1)))
		}
		if err := s.SaveDecisions(ctx, tenant, at+1, because, put, nil); err != nil {
			return err
		}
		fmt.Println("decisions", at+1)
	}
}

// Crash loads a store from a process that is killed at random moments, many rounds, and
// looks afterwards: each report is fully there or not at all, nothing acknowledged is lost,
// the change log has no gap and tells the estate. crash, if not nil, is called in every
// third round in place of the kill: it stops the database itself without warning.
func Crash(t *testing.T, address string, rounds int, crash func()) {
	acknowledged := map[string]int64{}
	logged, position := rows{}, int64(0)
	applied := 0
	for round := range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childAddress+"="+address)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := func() { cmd.Process.Signal(syscall.SIGKILL) }
		lines := bufio.NewScanner(out)
		var timer *time.Timer
		crashed := make(chan struct{})
		for lines.Scan() {
			if timer == nil { // the first acknowledgement: the load is on
				timer = time.AfterFunc(time.Duration(rand.IntN(300))*time.Millisecond, func() {
					defer close(crashed)
					if crash != nil && round%3 == 2 {
						crash()
					}
					kill()
				})
			}
			name, revision, _ := strings.Cut(lines.Text(), " ")
			n, err := strconv.ParseInt(revision, 10, 64)
			if err != nil {
				break // a line that was cut off by the kill
			}
			acknowledged[name] = n
			applied++
		}
		if timer == nil {
			kill()
			cmd.Wait()
			t.Fatalf("round %d: the load did not start", round)
		}
		<-crashed
		cmd.Wait()
		logged, position = inspect(t, address, acknowledged, logged, position)
	}
	t.Logf("%d rounds, %d writes acknowledged, %d changes logged", rounds, applied, position)
}

// inspect checks a store after a kill; it returns what the log has told so far.
func inspect(t *testing.T, address string, acknowledged map[string]int64, logged rows, position int64) (rows, int64) {
	t.Helper()
	s, err := store.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	logged, position = follow(t, s, tenant, logged, position)
	all := estate(t, s, tenant)
	decisions, err := s.Decisions(t.Context(), tenant, triad.DecisionFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range decisions {
		all[rowName("", triad.RowDecision, d.ID)] = encode(d)
		if d.EPSS != decisions[0].EPSS || int64(d.EPSS) < acknowledged["decisions"] || len(decisions) != crashDecisions {
			t.Errorf("%d decisions, of write %v and %v; %d was acknowledged", len(decisions), d.EPSS, decisions[0].EPSS, acknowledged["decisions"])
		}
	}
	same(t, "change log", logged, all)
	for n := range int64(crashScopes) {
		scope := crashScope(n)
		state, err := s.Scope(t.Context(), tenant, scope)
		if errors.Is(err, triad.ErrNotFound) && acknowledged[scope] == 0 {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if state.Revision < acknowledged[scope] {
			t.Errorf("%s is at revision %d, %d was acknowledged", scope, state.Revision, acknowledged[scope])
		}
		want := crashReports(scope, state.Revision)
		assets := 0
		for _, r := range want {
			for _, a := range r.Assets {
				assets++
				if got := all[rowName(scope, triad.RowAsset, a.ID)]; got != encode(a) {
					t.Errorf("%s@%d: asset %s is %.120s", scope, state.Revision, a.ID, got)
				}
			}
		}
		for k := range all {
			if strings.HasPrefix(k, scope+" asset ") {
				assets--
			}
		}
		if assets != 0 {
			t.Errorf("%s@%d: %d assets too many", scope, state.Revision, -assets)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	return logged, position
}
