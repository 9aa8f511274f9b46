package identity

import (
	"encoding/base64"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/triad-security/triad"
)

// Truth is a verdict of three values, ordered: No < Unknown < Yes.
type Truth int

// The verdicts.
const (
	No Truth = iota
	Unknown
	Yes
)

func (t Truth) String() string { return [...]string{"no", "unknown", "yes"}[t] }

func truth(b bool) Truth {
	if b {
		return Yes
	}
	return No
}

func (t Truth) not() Truth { return Yes - t }

// holds evaluates a statement's conditions: all must hold. The reason tells of an unknown one.
// A value that the asker chooses holds in an Allow and does not in a Deny: somebody who wants
// the access asks in the way that gets it.
func (c Context) holds(p Principal, s *Statement, deny bool) (Truth, string) {
	result, reason := Yes, ""
	for _, cond := range s.Conditions {
		t := c.test(p, cond, deny)
		if t < result {
			result = t
		}
		if t == No {
			return No, ""
		}
		if t == Unknown && reason == "" {
			reason = "the condition " + cond.Operator + " on " + cond.Key + " cannot be evaluated"
		}
	}
	return result, reason
}

// test evaluates one condition.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
func (c Context) test(p Principal, cond Condition, deny bool) Truth {
	op := strings.ToLower(cond.Operator)
	forAll, forAny := strings.HasPrefix(op, "forallvalues:"), strings.HasPrefix(op, "foranyvalue:")
	if forAll || forAny {
		_, op, _ = strings.Cut(op, ":")
	}
	op, ifExists := strings.CutSuffix(op, "ifexists")
	if p.anonymous() && strings.EqualFold(cond.Key, "aws:SourceIp") {
		return anywhere(op, cond.Values)
	}
	value, state := c.value(p, cond.Key)
	switch state {
	case isUnknown:
		return Unknown
	case isFree:
		return truth(!deny)
	}
	if op == "null" {
		return anyOf(cond.Values, func(v string) Truth {
			return truth(strings.EqualFold(v, "true") == (state == isAbsent))
		})
	}
	positive, negative := operator(op)
	if positive == nil {
		return Unknown
	}
	if state == isAbsent {
		// A negated operator holds for a key that is not there.
		return truth(ifExists || forAll || negative && !forAny)
	}
	t := anyOf(cond.Values, func(v string) Truth {
		pattern, open, ok := c.substitute(p, v)
		if !ok {
			return No
		}
		if open != "" { // a variable that is not known stands as *
			return min(truth(triad.MatchPattern(pattern, value)), Unknown)
		}
		return positive(value, pattern)
	})
	if negative {
		return t.not()
	}
	return t
}

func anyOf(values []string, test func(string) Truth) Truth {
	best := No
	for _, v := range values {
		best = max(best, test(v))
	}
	return best
}

// operator returns the positive form of an operator, and whether the operator negates it.
func operator(op string) (positive func(value, want string) Truth, negative bool) {
	switch op {
	case "stringnotequals", "stringnotequalsignorecase", "stringnotlike", "arnnotequals", "arnnotlike", "numericnotequals", "datenotequals":
		positive, _ = operator(strings.Replace(op, "not", "", 1))
		return positive, true
	case "notipaddress":
		positive, _ = operator("ipaddress")
		return positive, true
	case "stringequals":
		return func(v, want string) Truth { return truth(v == want) }, false
	case "stringequalsignorecase", "bool":
		return func(v, want string) Truth { return truth(strings.EqualFold(v, want)) }, false
	case "stringlike":
		return func(v, want string) Truth { return truth(triad.MatchPattern(want, v)) }, false
	case "arnequals", "arnlike":
		return func(v, want string) Truth { return truth(matchesARN(want, v)) }, false
	case "binaryequals":
		return func(v, want string) Truth {
			plain, err := base64.StdEncoding.DecodeString(want)
			return truth(err == nil && string(plain) == v)
		}, false
	case "ipaddress":
		return inRange, false
	}
	if rest, ok := strings.CutPrefix(op, "numeric"); ok {
		return ordered(rest, func(s string) (float64, bool) {
			f, err := strconv.ParseFloat(s, 64)
			return f, err == nil
		}), false
	}
	if rest, ok := strings.CutPrefix(op, "date"); ok {
		return ordered(rest, func(s string) (float64, bool) {
			if t, err := time.Parse(time.RFC3339, s); err == nil {
				return float64(t.Unix()), true
			}
			if t, err := time.Parse(time.DateOnly, s); err == nil {
				return float64(t.Unix()), true
			}
			f, err := strconv.ParseFloat(s, 64)
			return f, err == nil
		}), false
	}
	return nil, false
}

func ordered(op string, parse func(string) (float64, bool)) func(value, want string) Truth {
	var holds func(a, b float64) bool
	switch op {
	case "equals":
		holds = func(a, b float64) bool { return a == b }
	case "lessthan":
		holds = func(a, b float64) bool { return a < b }
	case "lessthanequals":
		holds = func(a, b float64) bool { return a <= b }
	case "greaterthan":
		holds = func(a, b float64) bool { return a > b }
	case "greaterthanequals":
		holds = func(a, b float64) bool { return a >= b }
	default:
		return nil
	}
	return func(value, want string) Truth {
		a, okA := parse(value)
		b, okB := parse(want)
		if !okA || !okB {
			return Unknown
		}
		return truth(holds(a, b))
	}
}

// matchesARN compares ARNs part by part: a wildcard does not reach over a colon of the first five.
func matchesARN(pattern, arn string) bool {
	if pattern == "*" {
		return true
	}
	patterns, parts := strings.SplitN(pattern, ":", 6), strings.SplitN(arn, ":", 6)
	return slices.EqualFunc(patterns, parts, triad.MatchPattern)
}

func inRange(value, want string) Truth {
	addr, err := netip.ParseAddr(value)
	if err != nil {
		return Unknown
	}
	prefix, ok := parseRange(want)
	if !ok {
		return Unknown
	}
	return truth(prefix.Contains(addr))
}

func parseRange(s string) (netip.Prefix, bool) {
	if prefix, err := netip.ParsePrefix(s); err == nil {
		return prefix.Masked(), true
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(addr, addr.BitLen()), true
}

// anywhere evaluates aws:SourceIp for anybody on the internet. As AWS's own notion of public,
// a range as wide as /8 (IPv4) or /32 (IPv6) of public addresses is everybody.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
func anywhere(op string, ranges []string) Truth {
	wide := anyOf(ranges, func(s string) Truth {
		prefix, ok := parseRange(s)
		if !ok {
			return Unknown
		}
		limit := 8
		if prefix.Addr().Is6() {
			limit = 32
		}
		return truth(prefix.Bits() <= limit && !prefix.Addr().IsPrivate() && !prefix.Addr().IsLoopback())
	})
	switch op {
	case "ipaddress":
		return wide
	case "notipaddress":
		return wide.not()
	}
	return Unknown
}
