package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/server"
	"github.com/triad-security/triad/server/auth"
	"github.com/triad-security/triad/server/client"
	"github.com/triad-security/triad/server/datadir"
)

// The embedded NATS server leaves loops of its own that notice their end a moment later, or
// with the process.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushStreamStateLoop"),
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"))
}

// running starts a whole server on a data directory of its own.
func running(t *testing.T) (*server.Server, datadir.Dir) {
	t.Helper()
	// A socket's path must be short.
	short, err := os.MkdirTemp("", "triad-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	dir := datadir.Dir(filepath.Join(short, "data"))
	ctx, cancel := context.WithCancel(context.Background())
	s, err := server.Open(ctx, server.Config{
		Dir: dir, Listen: "127.0.0.1:0", Tenant: triad.DefaultTenant, Version: "test",
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s, dir
}

func secret(t *testing.T, s *server.Server, role string, scopes ...string) string {
	t.Helper()
	secret, _, err := s.NewToken(t.Context(), role, role, scopes, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func as(t *testing.T, s *server.Server, token string) *client.Client {
	t.Helper()
	c, err := client.New(s.Address(), token)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// exposedHost is a report with one misconfiguration, which becomes one decision.
func exposedHost(scope string, revision int64) *triad.Report {
	return &triad.Report{
		Tenant: triad.DefaultTenant, Scope: scope, Collector: "test/1", Taken: time.Now(), Revision: revision,
		Sections: []triad.Section{{Name: "hosts", Status: triad.SectionComplete}},
		Assets:   []triad.Asset{{ID: "i-1", Type: triad.TypeHost, Kind: "Host", Name: "i-1", Section: "hosts"}},
		Findings: []triad.Finding{{Kind: triad.FindingMisconfiguration, ID: "metadata-v1", Asset: "i-1", Section: "hosts", Title: "the metadata service answers without a token"}},
	}
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("%s: not within 20 s", what)
}

func TestAReportBecomesARiskForWhoMayReadIt(t *testing.T) {
	s, dir := running(t)
	collector, viewer := as(t, s, secret(t, s, auth.RoleCollector, "aws/1")), as(t, s, secret(t, s, auth.RoleViewer))

	if err := collector.Keep(t.Context(), exposedHost("aws/2/us-east-1", 1)); triad.ErrorCode(err) != triad.CodeDenied {
		t.Errorf("a report of another scope: got %v, want denied", err)
	}
	if err := viewer.Keep(t.Context(), exposedHost("aws/1/us-east-1", 1)); triad.ErrorCode(err) != triad.CodeDenied {
		t.Errorf("a viewer's report: got %v, want denied", err)
	}
	if _, err := collector.Decisions(t.Context(), triad.DecisionFilter{}); triad.ErrorCode(err) != triad.CodeDenied {
		t.Errorf("a collector that reads: got %v, want denied", err)
	}
	if _, err := as(t, s, "triad_guess").Decisions(t.Context(), triad.DecisionFilter{}); triad.ErrorCode(err) != triad.CodeDenied {
		t.Errorf("a guessed token: got %v, want denied", err)
	}
	if err := collector.Keep(t.Context(), exposedHost("aws/1/us-east-1", 1)); err != nil {
		t.Fatal(err)
	}
	var risks []triad.Decision
	eventually(t, "the report's risk", func() bool {
		var err error
		if risks, err = viewer.Decisions(t.Context(), triad.DecisionFilter{}); err != nil {
			t.Fatal(err)
		}
		return len(risks) == 1
	})
	d, history, err := viewer.Decision(t.Context(), risks[0].ID)
	if err != nil || d.Finding.ID != "metadata-v1" || len(history) != 1 {
		t.Fatalf("got %+v, history %+v, %v", d, history, err)
	}
	if _, _, err := viewer.Decision(t.Context(), "nothing"); triad.ErrorCode(err) != triad.CodeNotFound {
		t.Errorf("an unknown risk: got %v", err)
	}
	// Who may enter the data directory needs no token.
	if status, err := client.OverSocket(dir.Socket()).Status(t.Context()); err != nil || len(status.Scopes) != 1 {
		t.Errorf("over the socket: %+v, %v", status, err)
	}
	if err := collector.Keep(t.Context(), &triad.Report{Scope: "aws/1/us-east-1", Revision: 2}); triad.ErrorCode(err) != triad.CodeInvalid {
		t.Errorf("a report without a collector: got %v, want invalid", err)
	}
}

func TestChangesArriveOnTheEventStream(t *testing.T) {
	s, dir := running(t)
	owner := client.OverSocket(dir.Socket())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Address()+"/api/v1/events?after=0", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret(t, s, auth.RoleViewer))
	stream, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	lines.Buffer(nil, 1<<20)
	next := func(event string) (data string) {
		for lines.Scan() {
			if lines.Text() == "event: "+event {
				lines.Scan()
				return strings.TrimPrefix(lines.Text(), "data: ")
			}
		}
		t.Fatalf("the stream ended before %q: %v", event, lines.Err())
		return ""
	}
	next("heartbeat")
	if err := owner.Keep(t.Context(), exposedHost("host/1", 1)); err != nil {
		t.Fatal(err)
	}
	var arrived struct {
		Risk  triad.Decision
		Cause string
	}
	if err := json.Unmarshal([]byte(next("risk")), &arrived); err != nil || arrived.Risk.Finding.ID != "metadata-v1" {
		t.Fatalf("got %+v, %v", arrived, err)
	}
	gone := exposedHost("host/1", 2)
	gone.Findings = nil
	if err := owner.Keep(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	if data := next("removed"); !strings.Contains(data, arrived.Risk.ID) {
		t.Errorf("got %s", data)
	}
}

func TestTheConsolesSession(t *testing.T) {
	s, _ := running(t)
	post := func(origin, token string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Address()+"/api/v1/session", strings.NewReader(`{"token":"`+token+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	good := secret(t, s, auth.RoleViewer)
	if r := post("https://evil.example", good); r.StatusCode != http.StatusForbidden {
		t.Errorf("from another site: %d", r.StatusCode)
	}
	if r := post("", "triad_guess"); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("with a guessed token: %d", r.StatusCode)
	}
	r := post(s.Address(), good)
	if r.StatusCode != http.StatusNoContent || len(r.Cookies()) != 1 {
		t.Fatalf("got %d, cookies %v", r.StatusCode, r.Cookies())
	}
	cookie := r.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("scripts or other sites could use the cookie: %+v", cookie)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Address()+"/api/v1/risks", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(cookie)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("with the cookie: %d", resp.StatusCode)
	}
}

func TestALoopbackServerAnswersLoopbackNamesOnly(t *testing.T) {
	s, _ := running(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Address()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "rebound.example"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("got %d", resp.StatusCode)
	}
}
