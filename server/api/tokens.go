package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/triad-security/triad/server/auth"
)

var actionToken = auth.Action{Name: "create-token"}

// NewToken is what a token shall be.
type NewToken struct {
	Name   string   `json:"name" minLength:"1" maxLength:"200" doc:"what people call it"`
	Role   string   `json:"role" enum:"admin,viewer,collector"`
	Scopes []string `json:"scopes,omitempty" maxItems:"100" doc:"what a collector may report, such as aws/111122223333"`
	Hours  int      `json:"hours" minimum:"1" maximum:"8760" doc:"lifetime"`
}

// CreatedToken carries the secret, which is shown once.
type CreatedToken struct {
	Secret  string    `json:"secret"`
	Expires time.Time `json:"expires"`
}

func (s *Service) tokens(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "create-token", Method: http.MethodPost, Path: "/api/v1/tokens", Summary: "Make an access token",
		Description:   "The secret is in the answer and nowhere else: the store keeps its SHA-256.",
		DefaultStatus: http.StatusCreated, Middlewares: s.guard(api, actionToken),
	}, func(ctx context.Context, in *struct{ Body NewToken }) (*struct{ Body CreatedToken }, error) {
		secret, token, err := auth.NewSecret(tokenOf(ctx).Tenant, in.Body.Name, in.Body.Role, in.Body.Scopes, time.Duration(in.Body.Hours)*time.Hour)
		if err != nil {
			return nil, s.fail("making a token", err)
		}
		if err := s.Store.PutToken(ctx, token); err != nil {
			return nil, s.fail("making a token", err)
		}
		return &struct{ Body CreatedToken }{CreatedToken{secret, token.Expires}}, nil
	})
}
