package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/cedar-policy/cedar-go"

	"github.com/triad-security/triad"
)

// Roles a token can have.
const (
	RoleAdmin     = "admin"
	RoleViewer    = "viewer"
	RoleCollector = "collector"
)

// Action is what a route does. Reads are members of the Cedar group Action::"read".
type Action struct {
	Name string
	Read bool
}

//go:embed policies.cedar
var policyText []byte

// Authorizer checks tokens and policies.
type Authorizer struct {
	policies *cedar.PolicySet
	store    tokenStore
	now      func() time.Time
}

type tokenStore interface {
	Token(ctx context.Context, hash string, now time.Time) (triad.Token, error)
}

// New returns an Authorizer that looks tokens up in store.
func New(store tokenStore) (*Authorizer, error) {
	policies, err := cedar.NewPolicySetFromBytes("policies.cedar", policyText)
	if err != nil {
		return nil, fmt.Errorf("reading the built-in Cedar policies: %w", err)
	}
	return &Authorizer{policies: policies, store: store, now: time.Now}, nil
}

// NewSecret returns a fresh token secret of 256 random bits and the record to store for it.
func NewSecret(tenant, name, role string, scopes []string, lifetime time.Duration) (string, triad.Token, error) {
	if !slices.Contains([]string{RoleAdmin, RoleViewer, RoleCollector}, role) {
		return "", triad.Token{}, triad.Errorf(triad.CodeInvalid, "role %q is none of admin, viewer, collector", role)
	}
	if role == RoleCollector && len(scopes) == 0 {
		return "", triad.Token{}, triad.Errorf(triad.CodeInvalid, "a collector's token needs the scopes that it may write, such as aws/111122223333")
	}
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	secret := "triad_" + hex.EncodeToString(raw)
	return secret, triad.Token{
		Tenant: tenant, Hash: hash(secret), Name: name, Role: role, Scopes: scopes,
		Expires: time.Now().Add(lifetime).UTC(),
	}, nil
}

func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Authenticate returns the token of a secret. What is unknown or expired is denied alike.
// The look-up is by hash, so its time says nothing of a stored secret.
func (a *Authorizer) Authenticate(ctx context.Context, secret string) (triad.Token, error) {
	if secret == "" {
		return triad.Token{}, triad.Errorf(triad.CodeDenied, "no access token: send it as a bearer token")
	}
	token, err := a.store.Token(ctx, hash(secret), a.now())
	if triad.ErrorCode(err) == triad.CodeNotFound {
		return triad.Token{}, triad.Errorf(triad.CodeDenied, "the access token is unknown or has expired; make one with: triad token create")
	}
	return token, err
}

// Authorize returns nil when the token may do the action. scope is the report's scope for
// actions on one, else empty.
func (a *Authorizer) Authorize(token triad.Token, action Action, scope string) error {
	role := cedar.NewEntityUID("Role", cedar.String(token.Role))
	principal := cedar.NewEntityUID("Token", cedar.String(token.Hash))
	act := cedar.NewEntityUID("Action", cedar.String(action.Name))
	resource := cedar.NewEntityUID("Tenant", cedar.String(token.Tenant))
	entities := cedar.EntityMap{
		principal: {UID: principal, Parents: cedar.NewEntityUIDSet(role)},
	}
	if action.Read {
		entities[act] = cedar.Entity{UID: act, Parents: cedar.NewEntityUIDSet(cedar.NewEntityUID("Action", "read"))}
	}
	if scope != "" {
		resource = cedar.NewEntityUID("Scope", cedar.String(scope))
		covered := slices.ContainsFunc(token.Scopes, func(p string) bool { return triad.ScopeCovers(p, scope) })
		entities[resource] = cedar.Entity{UID: resource, Attributes: cedar.NewRecord(cedar.RecordMap{"covered": cedar.Boolean(covered)})}
	}
	decision, _ := cedar.Authorize(a.policies, entities, cedar.Request{
		Principal: principal, Action: act, Resource: resource, Context: cedar.NewRecord(nil),
	})
	if decision != cedar.Allow {
		return triad.Errorf(triad.CodeDenied, "the token %q (%s) may not %s", token.Name, token.Role, describe(action, scope))
	}
	return nil
}

func describe(action Action, scope string) string {
	if scope == "" {
		return action.Name
	}
	return action.Name + " for " + scope
}
