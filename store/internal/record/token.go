package record

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/triad-security/triad"
)

// PutToken implements triad.Store. It replaces a token with the same hash.
func (s *Store) PutToken(ctx context.Context, t triad.Token) error {
	if len(t.Hash) != 64 || t.Tenant == "" || t.Role == "" {
		return triad.Errorf(triad.CodeInvalid, "token %.100q: it needs a tenant, a role and a SHA-256 in 64 hexadecimal digits", t.Name)
	}
	scopes, err := json.Marshal(t.Scopes)
	if err != nil {
		return err
	}
	return s.update(ctx, func(tx *Tx) error {
		_, err := tx.ExecContext(ctx, `insert into tokens (hash, tenant, name, role, scopes, expires) values ($1, $2, $3, $4, $5, $6)
			on conflict (hash) do update set tenant = excluded.tenant, name = excluded.name, role = excluded.role, scopes = excluded.scopes, expires = excluded.expires`,
			t.Hash, t.Tenant, t.Name, t.Role, string(scopes), t.Expires.UnixMilli())
		if err != nil {
			return fmt.Errorf("saving token %s: %w", t.Name, err)
		}
		return nil
	})
}

// Token implements triad.Store.
func (s *Store) Token(ctx context.Context, hash string, now time.Time) (triad.Token, error) {
	t := triad.Token{Hash: hash}
	err := s.view(ctx, func(tx *sql.Tx) error {
		var (
			scopes  string
			expires int64
		)
		err := tx.QueryRowContext(ctx, `select tenant, name, role, scopes, expires from tokens where hash = $1 and expires > $2`, hash, now.UnixMilli()).
			Scan(&t.Tenant, &t.Name, &t.Role, &scopes, &expires)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return triad.Errorf(triad.CodeNotFound, "there is no such token, or it has expired: make one with triad token")
		case err != nil:
			return fmt.Errorf("reading a token: %w", err)
		}
		t.Expires = time.UnixMilli(expires).UTC()
		return json.Unmarshal([]byte(scopes), &t.Scopes)
	})
	if err != nil {
		return triad.Token{}, err
	}
	return t, nil
}
