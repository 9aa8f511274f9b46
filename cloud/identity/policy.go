package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Bounds of a policy. AWS allows 10,240 characters for managed and inline policies and 20 KiB
// for resource policies.
const (
	maxPolicy     = 1 << 20 // bytes
	maxStatements = 10_000
)

// Policy is one policy document, read.
type Policy struct {
	// Name says for evidence where it stands: "inline policy media of role thumbnailer".
	Name       string
	Statements []Statement
}

// Statement is one statement of a policy. Of each pair Actions/NotActions and
// Resources/NotResources one is set; trust policies have no resource.
type Statement struct {
	Sid string
	// Allow and Deny are both set where the effect could not be read.
	Allow, Deny             bool
	Actions, NotActions     []string
	Resources, NotResources []string
	Principal, NotPrincipal *Principals // nil in identity policies
	Conditions              []Condition
	// Unknown says what of the statement could not be read; its effect may then be anything
	// that the rest of it allows for.
	Unknown string
}

// Principals is the Principal element: who a resource policy's statement speaks of.
type Principals struct {
	Everyone                           bool // "*" or {"AWS":"*"}
	AWS, Service, Federated, Canonical []string
}

// Condition is one operator applied to one key.
type Condition struct {
	Operator string
	Key      string
	Values   []string
}

// list is a JSON string, number or boolean, or a list of them.
type list []string

func (l *list) UnmarshalJSON(raw []byte) error {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && raw[0] == '[' {
		var all []json.RawMessage
		if err := json.Unmarshal(raw, &all); err != nil {
			return err
		}
		*l = make(list, 0, len(all))
		for _, one := range all {
			s, err := scalar(one)
			if err != nil {
				return err
			}
			*l = append(*l, s)
		}
		return nil
	}
	s, err := scalar(raw)
	*l = list{s}
	return err
}

func scalar(raw json.RawMessage) (string, error) {
	raw = bytes.TrimSpace(raw)
	var s string
	switch {
	case len(raw) == 0:
		return "", errors.New("empty value")
	case raw[0] == '"':
		err := json.Unmarshal(raw, &s)
		return s, err
	case raw[0] == '{' || raw[0] == '[' || string(raw) == "null":
		return "", fmt.Errorf("found %.20s where a string is due", raw)
	}
	return string(raw), nil
}

// Parse reads a policy document. It fails only when the document as a whole is no policy;
// a statement that it cannot read is kept with Unknown set.
func Parse(name string, raw []byte) (*Policy, error) {
	if len(raw) > maxPolicy {
		return nil, fmt.Errorf("reading %s: %d bytes are over the limit of %d", name, len(raw), maxPolicy)
	}
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	body, ok := doc["Statement"]
	if !ok {
		return nil, fmt.Errorf("reading %s: it has no Statement", name)
	}
	var statements []json.RawMessage
	if body = bytes.TrimSpace(body); len(body) > 0 && body[0] == '{' {
		statements = []json.RawMessage{body}
	} else if err := json.Unmarshal(body, &statements); err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(statements) > maxStatements {
		return nil, fmt.Errorf("reading %s: %d statements are over the limit of %d", name, len(statements), maxStatements)
	}
	p := &Policy{Name: name}
	for _, raw := range statements {
		p.Statements = append(p.Statements, parseStatement(raw))
	}
	return p, nil
}

func parseStatement(raw json.RawMessage) Statement {
	var s Statement
	var e struct {
		Sid          string
		Effect       string
		Action       list
		NotAction    list
		Resource     list
		NotResource  list
		Principal    json.RawMessage
		NotPrincipal json.RawMessage
		Condition    map[string]map[string]list
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		// The effect may still be read; without it the statement may allow or deny.
		var effect struct{ Effect string }
		_ = json.Unmarshal(raw, &effect)
		s.Allow, s.Deny = effect.Effect != "Deny", effect.Effect != "Allow"
		s.Unknown = fmt.Sprintf("a statement cannot be read: %v", err)
		s.Actions, s.Resources, s.Principal = []string{"*"}, []string{"*"}, &Principals{Everyone: true}
		return s
	}
	s.Sid, s.Actions, s.NotActions, s.Resources, s.NotResources = e.Sid, e.Action, e.NotAction, e.Resource, e.NotResource
	switch e.Effect {
	case "Allow":
		s.Allow = true
	case "Deny":
		s.Deny = true
	default:
		s.Allow, s.Deny = true, true
		s.Unknown = fmt.Sprintf("a statement has the effect %q", e.Effect)
	}
	if e.Action == nil && e.NotAction == nil && s.Unknown == "" {
		s.Unknown, s.Actions = "a statement names no action", []string{"*"}
	}
	var err error
	if s.Principal, err = parsePrincipals(e.Principal); err == nil {
		s.NotPrincipal, err = parsePrincipals(e.NotPrincipal)
	}
	if err != nil {
		s.Unknown = fmt.Sprintf("the principal of a statement cannot be read: %v", err)
		s.Principal, s.NotPrincipal = &Principals{Everyone: true}, nil
	}
	for operator, keys := range e.Condition {
		for key, values := range keys {
			s.Conditions = append(s.Conditions, Condition{operator, key, values})
		}
	}
	slices.SortFunc(s.Conditions, func(a, b Condition) int {
		return strings.Compare(a.Operator+"\x00"+a.Key, b.Operator+"\x00"+b.Key)
	})
	return s
}

func parsePrincipals(raw json.RawMessage) (*Principals, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil, nil
	}
	if raw[0] == '"' {
		s, err := scalar(raw)
		if err == nil && s != "*" {
			err = fmt.Errorf("%q is neither * nor an object", s)
		}
		return &Principals{Everyone: true}, err
	}
	var m map[string]list
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, err
	}
	p := &Principals{}
	for kind, names := range m {
		switch kind {
		case "AWS":
			p.AWS = names
			p.Everyone = slices.Contains(names, "*")
		case "Service":
			p.Service = names
		case "Federated":
			p.Federated = names
		case "CanonicalUser":
			p.Canonical = names
		default:
			return nil, fmt.Errorf("it names a principal of the kind %q", kind)
		}
	}
	return p, nil
}
