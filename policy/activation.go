package policy

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// activation resolves an expression's variables. What was converted once serves all rules of
// one evaluation.
type activation struct {
	adapter types.Adapter
	subject *Subject
	values  map[string]ref.Val
	lists   map[string][]ref.Val
	item    string // the name of the rule's own variable, and its value
	value   ref.Val
}

func newActivation(adapter types.Adapter, s *Subject) *activation {
	return &activation{adapter: adapter, subject: s, values: map[string]ref.Val{}, lists: map[string][]ref.Val{}}
}

// Parent implements cel.Activation.
func (a *activation) Parent() cel.Activation { return nil }

// ResolveName implements cel.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	if name == a.item && name != "" {
		return a.value, true
	}
	if v, ok := a.values[name]; ok {
		return v, true
	}
	var v ref.Val
	if _, isList := lists[name]; isList {
		v = types.NewRefValList(a.adapter, a.rows(name))
	} else if native, ok := a.native(name); ok {
		v = a.adapter.NativeToValue(native)
	} else {
		return nil, false
	}
	a.values[name] = v
	return v, true
}

func (a *activation) native(name string) (any, bool) {
	s := a.subject
	switch name {
	case "artifact":
		return &s.Artifact, true
	case "image":
		return &s.Image, true
	case "registry":
		return &s.Registry, true
	case "signature":
		return &s.Signature, true
	case "freshness":
		return &s.Freshness, true
	case "workload":
		return &s.Workload, true
	case "object":
		return s.Object, true
	case "now":
		return s.Now, true
	}
	return nil, false
}

// rows are a list's items.
func (a *activation) rows(list string) []ref.Val {
	if rows, ok := a.lists[list]; ok {
		return rows
	}
	s := a.subject
	var rows []ref.Val
	switch list {
	case "vulnerabilities":
		rows = convert(a.adapter, s.Vulnerabilities)
	case "packages":
		rows = convert(a.adapter, s.Packages)
	case "malware":
		rows = convert(a.adapter, s.Malware)
	case "secrets":
		rows = convert(a.adapter, s.Secrets)
	case "code":
		rows = convert(a.adapter, s.Code)
	case "misconfigurations":
		rows = convert(a.adapter, s.Misconfigurations)
	case "unread":
		rows = convert(a.adapter, s.Unread)
	}
	a.lists[list] = rows
	return rows
}

func convert[T any](adapter types.Adapter, rows []T) []ref.Val {
	out := make([]ref.Val, len(rows))
	for i := range rows {
		out[i] = adapter.NativeToValue(&rows[i])
	}
	return out
}
