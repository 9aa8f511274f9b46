package triad

import (
	"errors"
	"fmt"
)

// Error codes, for programs. Everything without one is internal: logged, not shown.
const (
	CodeInvalid     = "invalid" // the input is wrong; Message says what and what to do
	CodeNotFound    = "not_found"
	CodeConflict    = "conflict"
	CodeWrongBase   = "wrong_base" // a delta on another revision: send a full report
	CodeUnread      = "unread"     // something could not be read
	CodeDenied      = "denied"
	CodeUnavailable = "unavailable" // try again later
	CodeInternal    = "internal"
)

// Error is an error a person or program can act on.
type Error struct {
	Code    string
	Message string // one sentence for people, with the next step where there is one
	Err     error
}

func (e *Error) Error() string {
	switch {
	case e.Err == nil && e.Message == "":
		return e.Code
	case e.Err == nil:
		return e.Message
	case e.Message == "":
		return e.Err.Error()
	}
	return e.Message + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is one of the Err… values with the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && (t.Message == "" && t.Err == nil || t == e)
}

// Errorf makes an Error whose message is the formatted one; a %w operand stays in the chain.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}

// ErrorCode returns the code of the first Error in err's chain, CodeInternal when there is none.
func ErrorCode(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// Values to test with errors.Is.
var (
	ErrWrongBase = &Error{Code: CodeWrongBase}
	ErrNotFound  = &Error{Code: CodeNotFound}
	// ErrPoison marks a message that will never be handled, however often it is tried.
	ErrPoison = errors.New("message cannot be handled")
)
