package exposure

import (
	"encoding/json"
	"testing"

	"github.com/triad-security/triad"
)

func TestPatternsOfPolicies(t *testing.T) {
	for _, x := range []struct {
		pattern, s string
		want       bool
	}{
		{"lambda:*", "lambda:InvokeFunction", true},
		{"*", "", true},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"*Function*", "lambda:InvokeFunctionUrl", true},
		{"lambda:Invoke", "lambda:InvokeFunction", false},
		{"a*b*c", "aXbYc", true},
		{"a*b*c", "aXbY", false},
	} {
		if triad.MatchPattern(x.pattern, x.s) != x.want {
			t.Errorf("%q on %q", x.pattern, x.s)
		}
	}
}

func FuzzResourcePolicy(f *testing.F) {
	f.Add([]byte(`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"lambda:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":["198.51.100.0/24"]}}}]}`))
	f.Add([]byte(`{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":["x"]},"NotAction":["s3:*"],"NotResource":"a","Condition":{"ForAnyValue:StringNotLikeIfExists":{"aws:PrincipalOrgID":true}}}}`))
	f.Add([]byte(`"{\"Policy\":\"{}\"}"`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		w := newWorld(t)
		d, err := json.Marshal(map[string]any{"FunctionArn": functionARN, "UrlConfig": doc{"FunctionUrl": "u", "AuthType": "NONE"}, "Policy": string(raw)})
		if err != nil {
			return
		}
		w.PutAsset(account, &triad.Asset{ID: functionARN, Type: triad.TypeFunction, Kind: "Function", Doc: d})
		if r := Function(w, functionARN); r.Exposure == "" {
			t.Errorf("no grade: %+v", r)
		}
	})
}
