package identity

import "testing"

// FuzzParse: no policy panics or hangs, and what cannot be read is never an allow.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`,
		`{"Statement":{"Effect":"Deny","NotAction":["a:b"],"NotResource":"x","Principal":{"AWS":["1","*"]},"Condition":{"ForAllValues:StringLike":{"aws:TagKeys":["a","b"]}}}}`,
		`{"Statement":[{"Effect":"Allow","Principal":"*","Action":true,"Resource":["arn:aws:s3:::a/${aws:username, 'x'}/*"],"Condition":{"Bool":{"aws:SecureTransport":false}}}]}`,
		`{"Statement":[null,7,"x",{}]}`, `[]`, `{"Statement":null}`, `{"Statement":[{"Effect":"Allow","Action":[null]}]}`,
		`{"Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::1:oidc-provider/x"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"x:sub":["*"]}}}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<14 {
			return
		}
		p, err := Parse("fuzz", raw)
		if err != nil {
			return
		}
		r := Request{Principal: app, Action: "s3:GetObject", Resource: "arn:aws:s3:::data/*", Context: here}
		for _, ps := range []Policies{{Identity: []*Policy{p}}, {Resource: p}, {Boundary: p}} {
			got := ps.May(r)
			if got.Truth == Unknown && got.Unknown == "" {
				t.Fatalf("unknown without a reason: %s", raw)
			}
			denied := ps
			denied.Identity = append(denied.Identity, &Policy{Statements: []Statement{{Deny: true, Actions: []string{"*"}, Resources: []string{"*"}}}})
			if got := denied.May(r); got.Truth != No {
				t.Fatalf("a deny of all leaves %v: %s", got.Truth, raw)
			}
		}
		Trusts(p, "111122223333")
	})
}
