package store

import (
	"context"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/store/postgres"
	"github.com/triad-security/triad/store/sqlite"
)

// Open opens the store at an address: sqlite:PATH for a file, postgres://USER@HOST/DATABASE
// for a server. It makes the file or the tables if need be and brings an earlier schema up
// to date.
func Open(ctx context.Context, address string) (triad.Store, error) {
	scheme, rest, _ := strings.Cut(address, ":")
	switch {
	case scheme == "sqlite" && rest != "":
		return sqlite.Open(ctx, strings.TrimPrefix(rest, "//"))
	case (scheme == "postgres" || scheme == "postgresql") && rest != "":
		return postgres.Open(ctx, address)
	}
	return nil, triad.Errorf(triad.CodeInvalid, "store address %q: it must be sqlite:PATH or postgres://USER@HOST/DATABASE", address)
}
