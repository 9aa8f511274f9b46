package exposure

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// document is a resource policy, reduced to the question whether anybody may do something.
type document struct {
	Statements []statement `json:"-"`
}

type statement struct {
	Sid       string
	Effect    string
	Principal principal
	NotAction stringsOf
	Action    stringsOf
	Resource  stringsOf
	Condition map[string]map[string]stringsOf

	NotPrincipal json.RawMessage
	NotResource  stringsOf
}

// principal is whom a statement names.
type principal struct {
	anybody  bool
	services []string
}

// UnmarshalJSON accepts "*" and {"AWS": …, "Service": …}.
func (p *principal) UnmarshalJSON(b []byte) error {
	var star string
	if json.Unmarshal(b, &star) == nil {
		p.anybody = star == "*"
		return nil
	}
	var kinds map[string]stringsOf
	if err := json.Unmarshal(b, &kinds); err != nil {
		return fmt.Errorf("reading a principal: %w", err)
	}
	p.services = kinds["Service"]
	for _, a := range kinds["AWS"] {
		p.anybody = p.anybody || a == "*"
	}
	return nil
}

// stringsOf is a string or a list of them; booleans and numbers are written out.
type stringsOf []string

// UnmarshalJSON implements json.Unmarshaler.
func (s *stringsOf) UnmarshalJSON(b []byte) error {
	var list []any
	if json.Unmarshal(b, &list) != nil {
		var one any
		if err := json.Unmarshal(b, &one); err != nil {
			return err
		}
		list = []any{one}
	}
	for _, x := range list {
		*s = append(*s, fmt.Sprint(x))
	}
	return nil
}

// parsePolicy reads a policy that is an object, or a string that holds one.
func parsePolicy(raw json.RawMessage) (document, error) {
	var d document
	if len(raw) == 0 {
		return d, nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = []byte(text)
	}
	var p struct {
		Statement json.RawMessage
		Policy    json.RawMessage
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return d, fmt.Errorf("reading a resource policy: %w", err)
	}
	if p.Statement == nil && p.Policy != nil { // the whole output of get-policy
		return parsePolicy(p.Policy)
	}
	if p.Statement == nil {
		return d, nil
	}
	if err := json.Unmarshal(p.Statement, &d.Statements); err != nil {
		var one statement
		if e := json.Unmarshal(p.Statement, &one); e != nil {
			return d, fmt.Errorf("reading a resource policy: %w", err)
		}
		d.Statements = []statement{one}
	}
	return d, nil
}

// request is what somebody on the internet asks for.
type request struct {
	action   string
	resource string
	authType string // lambda:FunctionUrlAuthType
	viaURL   bool   // lambda:InvokedViaFunctionUrl
	signed   bool   // by a principal of some foreign account
}

// answer says which internet addresses a policy lets in.
type answer struct {
	from    reach.AddrSet
	by      string // Sid of the first statement that lets somebody in
	unknown string // why it cannot be said
}

func (a answer) sid(otherwise string) string {
	if a.by != "" {
		return a.by
	}
	return otherwise
}

// anybody evaluates the policy for a request by everybody: what is allowed and not denied.
func (d document) anybody(q request) answer {
	var a answer
	var denied reach.AddrSet
	for _, s := range d.Statements {
		if !s.names(q) {
			continue
		}
		from, unknown := s.from(q)
		if unknown != "" {
			a.unknown = "statement " + s.Sid + " cannot be evaluated: " + unknown
			continue
		}
		switch s.Effect {
		case "Allow":
			if a.by == "" && !from.Empty() {
				a.by = s.Sid
			}
			a.from = a.from.Union(from)
		case "Deny":
			denied = denied.Union(from)
		}
	}
	a.from = a.from.Subtract(denied).Intersect(reach.Internet)
	return a
}

// names reports whether the statement speaks of everybody, the action and the resource.
func (s *statement) names(q request) bool {
	who := s.Principal.anybody || s.NotPrincipal != nil && s.Effect == "Deny"
	what := matchAny(s.Action, q.action) || len(s.NotAction) > 0 && !matchAny(s.NotAction, q.action)
	on := len(s.Resource) == 0 && len(s.NotResource) == 0 || matchAny(s.Resource, q.resource) ||
		len(s.NotResource) > 0 && !matchAny(s.NotResource, q.resource)
	return who && what && on
}

// from are the addresses for which the statement's conditions hold, or why that cannot be said.
func (s *statement) from(q request) (reach.AddrSet, string) {
	all := reach.AllAddresses
	for operator, keys := range s.Condition {
		for key, values := range keys {
			set, unknown := condition(operator, strings.ToLower(key), values, q)
			if unknown != "" {
				return reach.AddrSet{}, unknown
			}
			all = all.Intersect(set)
		}
	}
	return all, ""
}

// condition evaluates one condition for a request by somebody unknown on the internet.
func condition(operator, key string, values []string, q request) (reach.AddrSet, string) {
	truth := func(b bool) (reach.AddrSet, string) {
		if b {
			return reach.AllAddresses, ""
		}
		return reach.AddrSet{}, ""
	}
	op, ifExists := strings.CutSuffix(strings.ToLower(operator), "ifexists")
	if _, rest, ok := strings.Cut(op, ":"); ok { // ForAnyValue:, ForAllValues:
		op = rest
	}
	negated := strings.Contains(op, "not")
	have := ""
	switch key {
	case "aws:sourceip":
		set, err := prefixes(values)
		switch {
		case err != nil:
			return reach.AddrSet{}, err.Error()
		case op == "ipaddress":
			return set, ""
		case op == "notipaddress":
			return set.Complement(), ""
		}
		return reach.AddrSet{}, operator + " of " + key
	case "lambda:functionurlauthtype":
		have = q.authType
	case "lambda:invokedviafunctionurl":
		if have = "false"; q.viaURL {
			have = "true"
		}
	case "aws:securetransport":
		have = "true" // function URLs and S3's public endpoint are asked over TLS, or could be
	case "aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount", "aws:principalarn", "aws:principaltype",
		"aws:userid", "aws:username", "aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourcevpc", "aws:sourcevpce", "aws:vpcsourceip":
		if op == "null" {
			return truth(len(values) == 1 && strings.EqualFold(values[0], "true"))
		}
		// A stranger's request lacks it, or carries a value that the policy does not name.
		return truth(negated || ifExists && !q.signed)
	default:
		return reach.AddrSet{}, operator + " of " + key
	}
	if op == "null" {
		return truth(len(values) == 1 && strings.EqualFold(values[0], "false"))
	}
	if !strings.HasPrefix(op, "string") && op != "bool" {
		return reach.AddrSet{}, operator + " of " + key
	}
	hit := false
	for _, value := range values {
		hit = hit || triad.MatchPattern(strings.ToLower(value), strings.ToLower(have))
	}
	return truth(hit != negated)
}

func prefixes(values []string) (reach.AddrSet, error) {
	var list []netip.Prefix
	for _, s := range values {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			ip, e := netip.ParseAddr(s)
			if e != nil {
				return reach.AddrSet{}, fmt.Errorf("reading a condition's address: %w", err)
			}
			p = netip.PrefixFrom(ip, ip.BitLen())
		}
		list = append(list, p)
	}
	return reach.Prefixes(list...), nil
}

func matchAny(patterns []string, s string) bool {
	for _, p := range patterns {
		if triad.MatchPattern(strings.ToLower(p), strings.ToLower(s)) {
			return true
		}
	}
	return false
}
