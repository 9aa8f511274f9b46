package registry

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/triad-security/triad"
)

// Explain wraps an error of a registry with what was being done, and says what to do about
// those that people meet.
func Explain(doing string, err error) error {
	code, next := triad.CodeUnavailable, ""
	var t *transport.Error
	if errors.As(err, &t) {
		switch t.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			code, next = triad.CodeDenied, "; log in with `docker login` (its config and credential helpers are used)"
		case http.StatusNotFound:
			code, next = triad.CodeNotFound, "; look at the name and tag"
		case http.StatusTooManyRequests:
			next = "; the registry asks for fewer requests, try again later or more slowly"
		}
	}
	return &triad.Error{Code: code, Err: fmt.Errorf("%s: %w%s", doing, err, next)}
}
