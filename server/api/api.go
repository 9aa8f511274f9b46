package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/server/auth"
)

// Service is what the API stands on.
type Service struct {
	Store   triad.Store
	Bus     triad.Bus
	Auth    *auth.Authorizer
	Version string
	// Accept takes a report durably; what it returns is acknowledged to the collector.
	Accept func(ctx context.Context, r *triad.Report) (Acknowledgement, error)
	// Status says how the platform is.
	Status func(ctx context.Context, tenant string) (Status, error)
	// Estate calls fn with a tenant's estate, which stands still meanwhile.
	Estate func(tenant string, fn func(reach.View)) error
	// Console serves everything outside /api.
	Console http.Handler
	Log     *slog.Logger
	// Trusted, when set, lets every request in as this token: the owner of the data
	// directory on its socket.
	Trusted *triad.Token
}

// DecisionsTopic is the bus topic that wakes live views when decisions have changed.
const DecisionsTopic = "decisions"

// New returns the handler of the API and the console.
func New(s *Service) http.Handler {
	mux := http.NewServeMux()
	config := huma.DefaultConfig("Triad", s.Version)
	config.Info.Description = "Ranked risks with their proofs, the reports behind them, and their history."
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "/openapi", "", "/schemas"
	config.CreateHooks = nil // no $schema links in bodies: responses are the documented JSON alone
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "An access token made with: triad token create"},
		"session": {Type: "apiKey", In: "cookie", Name: sessionCookie},
	}
	config.Security = []map[string][]string{{"token": {}}, {"session": {}}}
	api := humago.New(mux, config)
	s.operations(api)
	s.session(mux)
	if s.Console != nil {
		mux.Handle("/", s.Console)
	}
	return harden(mux)
}

func (s *Service) operations(api huma.API) {
	s.risks(api)
	s.reports(api)
	s.reach(api)
	s.registries(api)
	s.images(api)
	s.events(api)
	s.tokens(api)
}

// OpenAPI returns the API's description as JSON, for the console's client.
func OpenAPI() ([]byte, error) {
	s := &Service{Version: "1"}
	mux := http.NewServeMux()
	config := huma.DefaultConfig("Triad", s.Version)
	config.CreateHooks = nil
	api := humago.New(mux, config)
	s.operations(api)
	return api.OpenAPI().MarshalJSON()
}

// harden adds what every response needs. A loopback listener answers only to loopback
// names, so that a page of another site cannot reach it by rebinding its own name.
func harden(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && isLoopback(local.String()) && !isLoopback(r.Host) {
			http.Error(w, "this server answers to loopback names only", http.StatusMisdirectedRequest)
			return
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
		next.ServeHTTP(w, r)
	})
}

func isLoopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

type tokenKey struct{}

// tokenOf returns the token of the request's context.
func tokenOf(ctx context.Context) triad.Token {
	token, _ := ctx.Value(tokenKey{}).(triad.Token)
	return token
}

// guard authenticates a request and authorizes it for an action on no scope.
func (s *Service) guard(api huma.API, action auth.Action) huma.Middlewares {
	return huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		token, err := s.authenticate(ctx)
		if err == nil && action.Name != actionReport.Name { // a report's scope is in its body
			err = s.Auth.Authorize(token, action, "")
		}
		if err != nil {
			status := http.StatusUnauthorized
			if token.Hash != "" {
				status = http.StatusForbidden
			}
			if triad.ErrorCode(err) != triad.CodeDenied {
				s.Log.Error("authenticating", "error", err)
				status, err = http.StatusInternalServerError, errors.New("the access token could not be checked; see the server's log")
			}
			_ = huma.WriteErr(api, ctx, status, err.Error())
			return
		}
		next(huma.WithValue(ctx, tokenKey{}, token))
	}}
}

func (s *Service) authenticate(ctx huma.Context) (triad.Token, error) {
	if s.Trusted != nil {
		return *s.Trusted, nil
	}
	if secret, ok := strings.CutPrefix(ctx.Header("Authorization"), "Bearer "); ok {
		return s.Auth.Authenticate(ctx.Context(), secret)
	}
	cookie, err := huma.ReadCookie(ctx, sessionCookie)
	if err != nil {
		return triad.Token{}, triad.Errorf(triad.CodeDenied, "no access token: send it as a bearer token")
	}
	return s.Auth.Authenticate(ctx.Context(), cookie.Value)
}

// fail turns an error into the response that its code asks for. Internal errors are logged
// and not shown.
func (s *Service) fail(doing string, err error) error {
	switch triad.ErrorCode(err) {
	case triad.CodeInvalid:
		return huma.Error422UnprocessableEntity(err.Error())
	case triad.CodeNotFound:
		return huma.Error404NotFound(doing + ": not found")
	case triad.CodeConflict, triad.CodeWrongBase:
		return huma.Error409Conflict(err.Error())
	case triad.CodeDenied:
		return huma.Error403Forbidden(err.Error())
	case triad.CodeUnavailable:
		return huma.Error503ServiceUnavailable(err.Error())
	}
	if errors.Is(err, context.Canceled) {
		return huma.Error503ServiceUnavailable("the server is stopping")
	}
	s.Log.Error(doing, "error", err)
	return huma.Error500InternalServerError(doing + " failed; see the server's log")
}

// Status is how the platform is.
type Status struct {
	Version  string `json:"version"`
	Position int64  `json:"position" doc:"Change log position up to which decisions are computed"`
	// Recomputed counts the assets that the last change made the engine recompute.
	Recomputed int                `json:"recomputed" doc:"Assets recomputed after the last change"`
	Assets     int                `json:"assets" doc:"Assets in the estate"`
	Demo       bool               `json:"demo" doc:"The estate holds the bundled demonstration"`
	Advisories string             `json:"advisories" doc:"Revision of the advisory database; empty when there is none"`
	Scopes     []triad.ScopeState `json:"scopes"`
	Notes      []string           `json:"notes" doc:"What could not be read or found, for people"`
	// Unread is what runs and was never scanned, and packages that could not be compared.
	Unread  []triad.Unread `json:"unread" doc:"What no decision can speak of; none of it is clean"`
	Dead    int            `json:"dead_letters" doc:"Reports that could not be applied"`
	Started time.Time      `json:"started"`
}

// Acknowledgement says that a report is on stable storage.
type Acknowledgement struct {
	Scope    string `json:"scope"`
	Revision int64  `json:"revision"`
}
