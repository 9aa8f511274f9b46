package api

import (
	"bytes"
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/server/auth"
	"github.com/triad-security/triad/server/ingest"
)

var (
	actionReport = auth.Action{Name: "accept-report"}
	actionScopes = auth.Action{Name: "read-scopes", Read: true}
	actionDead   = auth.Action{Name: "read-dead-letters"}
)

type deadLetters struct {
	Body struct {
		DeadLetters []triad.DeadLetter `json:"dead_letters"`
	}
}

type changesInput struct {
	After int64 `query:"after" minimum:"0" doc:"position after which to read"`
	Limit int   `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type changesOutput struct {
	Body struct {
		Changes []triad.Change `json:"changes"`
	}
}

func (s *Service) reports(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "accept-report", Method: http.MethodPost, Path: "/api/v1/reports", Summary: "Hand in a collector's report or one part of it",
		Description:   "Answers when the report is on stable storage. 409 means that a delta stands on another revision: send a full report.",
		DefaultStatus: http.StatusAccepted, MaxBodyBytes: ingest.MaxBytes,
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/json": {Schema: api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[triad.Report](), true, "Report")},
		}},
		Middlewares: s.guard(api, actionReport),
	}, func(ctx context.Context, in *struct{ RawBody []byte }) (*struct{ Body Acknowledgement }, error) {
		r, err := ingest.Decode(bytes.NewReader(in.RawBody))
		if err != nil {
			return nil, s.fail("reading a report", err)
		}
		token := tokenOf(ctx)
		r.Tenant = token.Tenant // a token speaks for its own tenant alone
		if err := s.Auth.Authorize(token, actionReport, r.Scope); err != nil {
			return nil, s.fail("accepting a report", err)
		}
		ack, err := s.Accept(ctx, r)
		if err != nil {
			return nil, s.fail("accepting the report of "+r.Scope, err)
		}
		return &struct{ Body Acknowledgement }{ack}, nil
	})

	huma.Register(api, huma.Operation{
		OperationID: "list-changes", Method: http.MethodGet, Path: "/api/v1/changes", Summary: "The ordered change log",
		Middlewares: s.guard(api, actionScopes),
	}, func(ctx context.Context, in *changesInput) (*changesOutput, error) {
		changes, err := s.Store.Changes(ctx, tokenOf(ctx).Tenant, in.After, in.Limit)
		if err != nil {
			return nil, s.fail("reading the change log", err)
		}
		out := &changesOutput{}
		out.Body.Changes = changes
		return out, nil
	})

	huma.Register(api, huma.Operation{
		OperationID: "list-dead-letters", Method: http.MethodGet, Path: "/api/v1/dead-letters", Summary: "Reports that could not be applied, with the reason",
		Middlewares: s.guard(api, actionDead),
	}, func(ctx context.Context, _ *struct{}) (*deadLetters, error) {
		letters, err := s.Bus.DeadLetters(ctx, 100)
		if err != nil {
			return nil, s.fail("reading dead letters", err)
		}
		out := &deadLetters{}
		out.Body.DeadLetters = letters
		return out, nil
	})
}
