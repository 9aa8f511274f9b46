package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/server/auth"
)

var actionRead = auth.Action{Name: "read-risks", Read: true}

type risksInput struct {
	Decision []string `query:"decision" doc:"immediate, out-of-cycle, scheduled, defer"`
	Exposure []string `query:"exposure" doc:"open, controlled, small, unknown"`
	Kind     string   `query:"kind" doc:"vulnerability, misconfiguration, …"`
	Asset    string   `query:"asset" doc:"asset ID"`
	Text     string   `query:"q" maxLength:"200" doc:"part of a finding's id, an alias or an asset's name"`
	Limit    int      `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Offset   int      `query:"offset" minimum:"0" default:"0"`
}

func (in risksInput) filter() triad.DecisionFilter {
	f := triad.DecisionFilter{Kind: triad.FindingKind(in.Kind), Asset: in.Asset, Text: in.Text, Limit: in.Limit, Offset: in.Offset}
	for _, o := range in.Decision {
		f.Outcomes = append(f.Outcomes, triad.Outcome(o))
	}
	for _, e := range in.Exposure {
		f.Exposure = append(f.Exposure, triad.Exposure(e))
	}
	return f
}

type risksOutput struct {
	Body struct {
		Risks []triad.Decision `json:"risks"`
		// Counts by outcome, of everything that the filter selects.
		Counts map[triad.Outcome]int `json:"counts"`
		// Position of the change log that this answer reflects; hand it to the event stream.
		Position int64 `json:"position"`
	}
}

type riskInput struct {
	ID string `path:"id" maxLength:"64"`
}

type riskOutput struct {
	Body struct {
		Risk    triad.Decision `json:"risk"`
		History []triad.Change `json:"history"`
		Drawing Drawing        `json:"drawing"`
	}
}

func (s *Service) risks(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "list-risks", Method: http.MethodGet, Path: "/api/v1/risks", Summary: "Ranked decisions",
		Middlewares: s.guard(api, actionRead),
	}, func(ctx context.Context, in *risksInput) (*risksOutput, error) {
		tenant := tokenOf(ctx).Tenant
		out := &risksOutput{}
		position, err := s.Store.Position(ctx, tenant)
		if err != nil {
			return nil, s.fail("listing risks", err)
		}
		out.Body.Position = position
		if out.Body.Risks, err = s.Store.Decisions(ctx, tenant, in.filter()); err != nil {
			return nil, s.fail("listing risks", err)
		}
		if out.Body.Risks == nil {
			out.Body.Risks = []triad.Decision{}
		}
		if out.Body.Counts, err = s.Store.CountDecisions(ctx, tenant, in.filter()); err != nil {
			return nil, s.fail("counting risks", err)
		}
		return out, nil
	})

	huma.Register(api, huma.Operation{
		OperationID: "get-risk", Method: http.MethodGet, Path: "/api/v1/risks/{id}", Summary: "One decision with its proof and history",
		Middlewares: s.guard(api, actionRead),
	}, func(ctx context.Context, in *riskInput) (*riskOutput, error) {
		tenant := tokenOf(ctx).Tenant
		out := &riskOutput{}
		var err error
		if out.Body.Risk, err = s.Store.Decision(ctx, tenant, in.ID); err != nil {
			return nil, s.fail("risk "+in.ID, err)
		}
		if out.Body.History, err = s.Store.History(ctx, tenant, triad.RowDecision, in.ID); err != nil {
			return nil, s.fail("history of risk "+in.ID, err)
		}
		if out.Body.History == nil {
			out.Body.History = []triad.Change{}
		}
		out.Body.Drawing = Draw(out.Body.Risk)
		return out, nil
	})

	huma.Register(api, huma.Operation{
		OperationID: "get-status", Method: http.MethodGet, Path: "/api/v1/status", Summary: "How the platform is",
		Middlewares: s.guard(api, actionRead),
	}, func(ctx context.Context, _ *struct{}) (*struct{ Body Status }, error) {
		status, err := s.Status(ctx, tokenOf(ctx).Tenant)
		if err != nil {
			return nil, s.fail("reading the status", err)
		}
		return &struct{ Body Status }{status}, nil
	})
}
