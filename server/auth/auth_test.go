package auth

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/triad-security/triad"
)

// memory is a token store in memory.
type memory map[string]triad.Token

func (m memory) Token(_ context.Context, hash string, now time.Time) (triad.Token, error) {
	t, ok := m[hash]
	if !ok || !now.Before(t.Expires) {
		return triad.Token{}, triad.ErrNotFound
	}
	return t, nil
}

func TestAuthorize(t *testing.T) {
	read, write := Action{"list-risks", true}, Action{"delete-exception", false}
	report := Action{"accept-report", false}
	tests := []struct {
		name   string
		role   string
		scopes []string
		action Action
		scope  string
		allow  bool
	}{
		{"an admin may write", RoleAdmin, nil, write, "", true},
		{"an admin may report any scope", RoleAdmin, nil, report, "aws/1/us-east-1", true},
		{"a viewer may read", RoleViewer, nil, read, "", true},
		{"a viewer may not write", RoleViewer, nil, write, "", false},
		{"a viewer may not report", RoleViewer, []string{"aws/1"}, report, "aws/1", false},
		{"a collector may report its scope", RoleCollector, []string{"aws/1/us-east-1"}, report, "aws/1/us-east-1", true},
		{"a collector may report below its scope", RoleCollector, []string{"aws/1"}, report, "aws/1/us-east-1", true},
		{"a collector may not report a scope that only begins alike", RoleCollector, []string{"aws/1"}, report, "aws/11/us-east-1", false},
		{"a collector may not read", RoleCollector, []string{"aws/1"}, read, "", false},
		{"a role that nobody knows may do nothing", "root", []string{"aws/1"}, read, "", false},
	}
	a, err := New(memory{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			token := triad.Token{Tenant: triad.DefaultTenant, Hash: "h", Name: "n", Role: tt.role, Scopes: tt.scopes}
			if err := a.Authorize(token, tt.action, tt.scope); (err == nil) != tt.allow {
				t.Errorf("got %v, want allowed %v", err, tt.allow)
			}
		})
	}
}

func TestAuthenticate(t *testing.T) {
	secret, token, err := NewSecret(triad.DefaultTenant, "laptop", RoleViewer, nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(token.Hash, secret) || len(secret) < 64 {
		t.Fatalf("the stored record holds the secret, or it is short: %+v", token)
	}
	a, err := New(memory{token.Hash: token})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := a.Authenticate(t.Context(), secret); err != nil || got.Name != "laptop" {
		t.Fatalf("got %+v, %v", got, err)
	}
	for name, wrong := range map[string]string{"no token": "", "another token": secret[:len(secret)-1] + "x"} {
		if _, err := a.Authenticate(t.Context(), wrong); triad.ErrorCode(err) != triad.CodeDenied {
			t.Errorf("%s: got %v", name, err)
		}
	}
	a.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	if _, err := a.Authenticate(t.Context(), secret); triad.ErrorCode(err) != triad.CodeDenied {
		t.Errorf("an expired token: got %v", err)
	}
}
