package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/bus"
	"github.com/triad-security/triad/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const scope = "docker/h1"

func report(revision, base int64, names ...string) *triad.Report {
	r := &triad.Report{
		Tenant: triad.DefaultTenant, Scope: scope, Collector: "docker/1", Taken: time.UnixMilli(revision).UTC(), Revision: revision, Base: base,
		Sections: []triad.Section{{Name: "docker-inspect", Status: triad.SectionComplete}},
	}
	for _, name := range names {
		r.Assets = append(r.Assets, triad.Asset{ID: "docker:h1/" + name, Type: triad.TypeContainer, Kind: "DockerContainer", Name: name, Section: "docker-inspect"})
	}
	return r
}

// platform is a store and a bus of a test's own, with no worker yet.
type platform struct {
	t     *testing.T
	store triad.Store
	bus   *bus.Bus
	*Ingest
}

func start(t *testing.T) *platform {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "triad.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b, err := bus.Embedded(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return &platform{t, s, b, New(s, b, slog.New(slog.DiscardHandler))}
}

// work runs a worker until what is on the stream is handled.
func (p *platform) work() []Notice {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	defer cancel()
	heard, err := p.bus.Listen(ctx, Topic)
	if err != nil {
		p.t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- p.Work(ctx) }()
	var notices []Notice
	for quiet := time.After(20 * time.Second); ; {
		select {
		case data := <-heard:
			var n Notice
			if err := json.Unmarshal(data, &n); err != nil {
				p.t.Fatal(err)
			}
			notices = append(notices, n)
			quiet = time.After(700 * time.Millisecond)
			continue
		case <-quiet:
		}
		break
	}
	cancel()
	if err := <-done; err != nil {
		p.t.Fatal(err)
	}
	return notices
}

func (p *platform) accept(r *triad.Report) {
	p.t.Helper()
	ack, err := p.Accept(p.t.Context(), r)
	if err != nil || ack != (Acknowledgement{r.Scope, r.Revision}) {
		p.t.Fatalf("accepting revision %d: %+v, %v", r.Revision, ack, err)
	}
}

func (p *platform) refuse(r *triad.Report) {
	p.t.Helper()
	if _, err := p.Accept(p.t.Context(), r); !errors.Is(err, triad.ErrWrongBase) {
		p.t.Fatalf("accepting revision %d on %d: %v, want ErrWrongBase", r.Revision, r.Base, err)
	}
}

func (p *platform) names() string {
	p.t.Helper()
	var names []string
	if _, err := p.store.Estate(p.t.Context(), triad.DefaultTenant, func(row triad.Row) error {
		if row.Kind == triad.RowAsset {
			names = append(names, row.Key[len("docker:h1/"):])
		}
		return nil
	}); err != nil {
		p.t.Fatal(err)
	}
	return strings.Join(names, " ")
}

func TestAcceptedReportsAreAppliedAndTold(t *testing.T) {
	p := start(t)
	p.refuse(report(2, 1, "x")) // nothing to stand on
	p.accept(report(10, 0, "a"))
	p.accept(report(11, 10, "b"))
	p.accept(report(12, 11, "c")) // while the others are under way
	p.accept(report(12, 11, "c")) // the acknowledgement was lost
	p.refuse(report(14, 13, "d"))
	notices := p.work()
	if len(notices) != 3 {
		t.Errorf("notices %+v", notices)
	}
	for i, n := range notices {
		if n.Revision != int64(10+i) || n.Resend || n.Position == 0 || n.Scope != scope {
			t.Errorf("notice %+v", n)
		}
	}
	if got := p.names(); got != "a b c" {
		t.Errorf("the estate has %q", got)
	}
	p.refuse(report(14, 11, "d"))
	p.accept(report(14, 12, "d"))
}

func TestADeltaRefusedAfterItsAcceptanceMakesTheScopeBeSentInFull(t *testing.T) {
	p := start(t)
	p.accept(report(10, 0, "a"))
	p.accept(report(11, 10, "b"))
	// Another replica applies a later full report before the worker gets there.
	if _, err := p.store.Apply(t.Context(), report(20, 0, "z")); err != nil {
		t.Fatal(err)
	}
	var resend bool
	for _, n := range p.work() {
		resend = resend || n.Resend && n.Revision == 11
	}
	if !resend {
		t.Error("nobody was told to send the scope again")
	}
	p.refuse(report(12, 11, "c"))
	p.accept(report(21, 0, "a", "b", "c"))
	p.work()
	if got := p.names(); got != "a b c" {
		t.Errorf("the estate has %q", got)
	}
}

func TestAnAcceptedReportCountsAsABaseForALimitedTime(t *testing.T) {
	p := start(t)
	p.accept(report(10, 0, "a"))
	now := time.Now()
	p.now = func() time.Time { return now.Add(trusted + time.Second) }
	p.refuse(report(11, 10, "b"))
}

func TestADeltaOfASectionThatWasNotReadIsRefusedAtOnce(t *testing.T) {
	p := start(t)
	r := report(10, 0)
	r.Sections[0] = triad.Section{Name: "docker-inspect", Status: triad.SectionUnread, Reason: "the engine did not answer"}
	if _, err := p.store.Apply(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	p.refuse(report(11, 10, "a"))
}

func TestALargeReportTravelsInPartsAndTakesEffectTogether(t *testing.T) {
	p := start(t)
	p.limit = 4 << 10
	var names []string
	for i := range 400 {
		names = append(names, fmt.Sprintf("%03d-%s", i, incompressible(uint64(i), 32)))
	}
	r := report(10, 0, names...)
	messages, err := p.messages(r)
	if err != nil || len(messages) < 2 {
		t.Fatalf("%d messages, %v", len(messages), err)
	}
	p.accept(r)
	if notices := p.work(); len(notices) != 1 {
		t.Errorf("notices %+v, want one", notices)
	}
	if got := len(strings.Fields(p.names())); got != len(names) {
		t.Errorf("%d assets, want %d", got, len(names))
	}
	t.Run("a row that fits no message is refused", func(t *testing.T) {
		r := report(11, 0, "a")
		r.Assets[0].Doc = json.RawMessage(`"` + incompressible(1, 16<<10) + `"`)
		if _, err := p.Accept(t.Context(), r); triad.ErrorCode(err) != triad.CodeInvalid {
			t.Errorf("%v, want invalid", err)
		}
	})
}

// incompressible is text that no compressor makes much smaller.
func incompressible(seed uint64, n int) string {
	var b strings.Builder
	x := 88172645463325252 ^ seed<<32
	for b.Len() < n {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		fmt.Fprintf(&b, "%016x", x)
	}
	return b.String()
}

func TestPoisonEndsInTheDeadLettersAndTheRestGoesOn(t *testing.T) {
	p := start(t)
	if err := p.bus.Publish(t.Context(), Stream, "", []byte("not a report")); err != nil {
		t.Fatal(err)
	}
	// Two parts that contradict each other: valid alone, never applied together.
	one, two := report(10, 0, "a"), report(10, 0, "b")
	one.Part, one.Parts, two.Part, two.Parts = 1, 2, 2, 2
	two.Sections = append(two.Sections, triad.Section{Name: "other", Status: triad.SectionComplete})
	p.accept(one)
	p.accept(two)
	p.accept(report(11, 0, "c"))
	p.work()
	if got := p.names(); got != "c" {
		t.Errorf("the estate has %q", got)
	}
	letters, err := p.bus.DeadLetters(t.Context(), 10)
	if err != nil || len(letters) != 2 {
		t.Fatalf("%d letters, %v", len(letters), err)
	}
	if !strings.Contains(letters[0].Reason, "sections differ") || !strings.Contains(letters[1].Reason, "report") {
		t.Errorf("reasons: %s; %s", letters[0].Reason, letters[1].Reason)
	}
}

func TestAReportThatIsNoneIsRefused(t *testing.T) {
	p := start(t)
	if _, err := p.Accept(t.Context(), &triad.Report{Tenant: "default", Scope: "s"}); triad.ErrorCode(err) != triad.CodeInvalid {
		t.Errorf("%v, want invalid", err)
	}
}
