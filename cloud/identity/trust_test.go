package identity

import (
	"encoding/json"
	"testing"
)

func TestTrusts(t *testing.T) {
	const issuer = "oidc.eks.eu-central-1.amazonaws.com/id/ABC"
	const web = `"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/` + issuer + `"},"Action":"sts:AssumeRoleWithWebIdentity"`
	for name, c := range map[string]struct{ statement, want string }{
		"one service account":                           {`{` + web + `,"Condition":{"StringEquals":{"` + issuer + `:sub":"system:serviceaccount:shop:web","` + issuer + `:aud":"sts.amazonaws.com"}}}`, `[{"type":"oidc","principal":"` + issuer + `","subjects":["system:serviceaccount:shop:web"]}]`},
		"a pattern of service accounts":                 {`{` + web + `,"Condition":{"StringLike":{"` + issuer + `:sub":"system:serviceaccount:shop:*"}}}`, `[{"type":"oidc","principal":"` + issuer + `","subjects":["system:serviceaccount:shop:*"]}]`},
		"a pattern under StringEquals fits no token":    {`{` + web + `,"Condition":{"StringEquals":{"` + issuer + `:sub":"system:serviceaccount:shop:*"}}}`, `null`},
		"two conditions on the subject":                 {`{` + web + `,"Condition":{"StringEquals":{"` + issuer + `:sub":["system:serviceaccount:shop:web","system:serviceaccount:ops:web"]},"StringLike":{"` + issuer + `:sub":"system:serviceaccount:shop:*"}}}`, `[{"type":"oidc","principal":"` + issuer + `","subjects":["system:serviceaccount:shop:web"]}]`},
		"no condition trusts every subject":             {`{` + web + `}`, `[{"type":"oidc","principal":"` + issuer + `"}]`},
		"another audience is not known":                 {`{` + web + `,"Condition":{"StringEquals":{"` + issuer + `:aud":"vault"}}}`, `[{"type":"oidc","principal":"` + issuer + `","unknown":"the audience vault is not the usual sts.amazonaws.com"}]`},
		"a condition that is not evaluated":             {`{` + web + `,"Condition":{"StringNotEquals":{"` + issuer + `:sub":"x"}}}`, `[{"type":"oidc","principal":"` + issuer + `","unknown":"the condition StringNotEquals on ` + issuer + `:sub is not evaluated"}]`},
		"services":                                      {`{"Effect":"Allow","Principal":{"Service":["ec2.amazonaws.com","lambda.amazonaws.com"]},"Action":"sts:AssumeRole"}`, `[{"type":"service","principal":"ec2.amazonaws.com"},{"type":"service","principal":"lambda.amazonaws.com"}]`},
		"a service that acts for this account":          {`{"Effect":"Allow","Principal":{"Service":"x.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"}}}`, `[{"type":"service","principal":"x.amazonaws.com"}]`},
		"a service that acts for another account":       {`{"Effect":"Allow","Principal":{"Service":"x.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"999999999999"}}}`, `null`},
		"a principal":                                   {`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:AssumeRole"}`, `[{"type":"principal","principal":"arn:aws:iam::111122223333:root"}]`},
		"a token's provider without the token's action": {`{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/` + issuer + `"},"Action":"sts:AssumeRole"}`, `null`},
		"a statement whose subjects cannot be read":     {`{"Effect":"Allow","Principal":{"Federated":7},"Action":{"a":1}}`, `[{"type":"principal","principal":"*","unknown":"x"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			trusts := Trusts(policy(t, c.statement), "111122223333")
			for i := range trusts {
				if trusts[i].Unknown != "" && trusts[i].Principal == "*" {
					trusts[i].Unknown = "x" // the decoder's words
				}
			}
			got, err := json.Marshal(trusts)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
