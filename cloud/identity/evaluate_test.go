package identity

import (
	"strings"
	"testing"
	"time"

	"github.com/triad-security/triad"
)

const role = "arn:aws:iam::111122223333:role/app"

var app = Principal{ARN: role, Account: "111122223333", ID: "AROAEXAMPLE", Name: "app", Tags: map[string]string{"team": "web"}}

var here = Context{
	Region: "eu-central-1", ResourceAccount: "111122223333", ResourceTags: map[string]string{"team": "web"},
	Now: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC),
}

func policy(t testing.TB, statements ...string) *Policy {
	t.Helper()
	p, err := Parse("test", []byte(`{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const (
	read      = `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}`
	condition = `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*","Condition":`
	deny      = `{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":`
)

func TestMay(t *testing.T) {
	for name, c := range map[string]struct {
		identity, boundary, resource []string
		want                         Truth
	}{
		"without policies nothing is allowed":                               {want: No},
		"an allow gives access":                                             {identity: []string{read}, want: Yes},
		"another bucket's allow gives none":                                 {identity: []string{strings.ReplaceAll(read, "data", "other")}, want: No},
		"a bucket name that only begins alike is another":                   {identity: []string{strings.ReplaceAll(read, "data/", "data-old/")}, want: No},
		"an action's letter case does not matter":                           {identity: []string{strings.ReplaceAll(read, "s3:GetObject", "S3:getobject")}, want: Yes},
		"a resource's letter case matters":                                  {identity: []string{strings.ReplaceAll(read, "data/", "Data/")}, want: No},
		"wildcards in the action match":                                     {identity: []string{strings.ReplaceAll(read, "GetObject", "Get*")}, want: Yes},
		"a question mark stands for one character":                          {identity: []string{strings.ReplaceAll(read, "data", "d?ta")}, want: Yes},
		"part of a bucket is enough":                                        {identity: []string{strings.ReplaceAll(read, "data/*", "data/in/*.csv")}, want: Yes},
		"the bucket itself holds no object":                                 {identity: []string{strings.ReplaceAll(read, "data/*", "data")}, want: No},
		"a deny wins over an allow":                                         {identity: []string{read, `{"Effect":"Deny","Action":"s3:*","Resource":"*"}`}, want: No},
		"a deny of one prefix leaves the others":                            {identity: []string{read, `{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::data/secret/*"}`}, want: Yes},
		"a deny of just the allowed prefix leaves nothing":                  {identity: []string{strings.ReplaceAll(read, "data/*", "data/a/*"), `{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::data/a/*"}`}, want: No},
		"NotAction allows all others":                                       {identity: []string{`{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`}, want: Yes},
		"NotAction does not allow what it names":                            {identity: []string{`{"Effect":"Allow","NotAction":["iam:*","s3:*"],"Resource":"*"}`}, want: No},
		"a deny with NotAction denies all others":                           {identity: []string{read, `{"Effect":"Deny","NotAction":"ec2:*","Resource":"*"}`}, want: No},
		"NotResource allows all others":                                     {identity: []string{`{"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s3:::other/*"}`}, want: Yes},
		"NotResource does not allow what it names":                          {identity: []string{`{"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s3:::data/*"}`}, want: No},
		"a deny with NotResource spares what it names":                      {identity: []string{read, `{"Effect":"Deny","Action":"s3:*","NotResource":"arn:aws:s3:::data/public/*"}`}, want: Yes},
		"a deny that spares another bucket leaves nothing":                  {identity: []string{read, `{"Effect":"Deny","Action":"s3:*","NotResource":"arn:aws:s3:::other/*"}`}, want: No},
		"a boundary that does not allow takes away":                         {identity: []string{read}, boundary: []string{`{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`}, want: No},
		"a boundary that allows leaves":                                     {identity: []string{read}, boundary: []string{`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`}, want: Yes},
		"a boundary alone gives nothing":                                    {boundary: []string{`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`}, want: No},
		"a deny of the bucket's policy wins":                                {identity: []string{read}, resource: []string{`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::data/*"}`}, want: No},
		"a deny of another role does not matter":                            {identity: []string{read}, resource: []string{`{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111122223333:role/other"},"Action":"s3:*","Resource":"*"}`}, want: Yes},
		"the bucket's policy may grant to the role by itself":               {resource: []string{`{"Effect":"Allow","Principal":{"AWS":"` + role + `"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}`}, want: Yes},
		"the bucket's policy may grant by the role's unique ID":             {resource: []string{`{"Effect":"Allow","Principal":{"AWS":"AROAEXAMPLE"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}`}, want: Yes},
		"a grant to the account leaves it to the role's own policies":       {resource: []string{`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"s3:*","Resource":"arn:aws:s3:::data/*"}`}, want: No},
		"a grant to the role is under its boundary":                         {boundary: []string{`{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`}, resource: []string{`{"Effect":"Allow","Principal":{"AWS":"` + role + `"},"Action":"s3:*","Resource":"*"}`}, want: No},
		"a grant to one session is not known to be this one":                {resource: []string{`{"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::111122223333:assumed-role/app/one"},"Action":"s3:*","Resource":"*"}`}, want: Unknown},
		"NotPrincipal with the role leaves the session open":                {identity: []string{read}, resource: []string{`{"Effect":"Deny","NotPrincipal":{"AWS":"` + role + `"},"Action":"s3:*","Resource":"*"}`}, want: Unknown},
		"NotPrincipal without the role denies":                              {identity: []string{read}, resource: []string{`{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::111122223333:role/other"},"Action":"s3:*","Resource":"*"}`}, want: No},
		"a deny without TLS does not stop who uses TLS":                     {identity: []string{read}, resource: []string{`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`}, want: Yes},
		"a condition on the address is not known":                           {identity: []string{condition + `{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}`}, want: Unknown},
		"a deny by a condition that is not known makes it unknown":          {identity: []string{read, deny + `{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}}`}, want: Unknown},
		"an unknown deny does not hide that nothing allows":                 {identity: []string{deny + `{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}}`}, want: No},
		"an operator that nobody knows is not known":                        {identity: []string{condition + `{"StringResembles":{"aws:PrincipalArn":"x"}}}`}, want: Unknown},
		"the principal's ARN is known":                                      {identity: []string{condition + `{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/a*"}}}`}, want: Yes},
		"an ARN's wildcard does not reach over a colon":                     {identity: []string{condition + `{"ArnLike":{"aws:PrincipalArn":"arn:aws:*:role/app"}}}`}, want: No},
		"the principal's tag equals the resource's":                         {identity: []string{condition + `{"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"}}}`}, want: Yes},
		"another tag value does not":                                        {identity: []string{condition + `{"StringEquals":{"aws:ResourceTag/team":"db"}}}`}, want: No},
		"a missing tag does not equal":                                      {identity: []string{condition + `{"StringEquals":{"aws:ResourceTag/stage":"test"}}}`}, want: No},
		"a missing tag passes IfExists":                                     {identity: []string{condition + `{"StringEqualsIfExists":{"aws:ResourceTag/stage":"test"}}}`}, want: Yes},
		"a missing tag passes a negated operator":                           {identity: []string{condition + `{"StringNotEquals":{"aws:ResourceTag/stage":"test"}}}`}, want: Yes},
		"Null asks whether a key is missing":                                {identity: []string{condition + `{"Null":{"aws:ResourceTag/stage":"true","aws:ResourceTag/team":"false"}}}`}, want: Yes},
		"a second factor is not there in a role's session":                  {identity: []string{condition + `{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}`}, want: No},
		"denied without a second factor":                                    {identity: []string{read, deny + `{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}`}, want: No},
		"a region that is asked for":                                        {identity: []string{read, deny + `{"StringNotEquals":{"aws:RequestedRegion":["eu-central-1","eu-west-1"]}}}`}, want: Yes},
		"all conditions must hold":                                          {identity: []string{condition + `{"StringEquals":{"aws:PrincipalTag/team":"web","aws:PrincipalAccount":"999999999999"}}}`}, want: No},
		"one of the values is enough":                                       {identity: []string{condition + `{"StringEquals":{"aws:PrincipalTag/team":["db","web"]}}}`}, want: Yes},
		"a date that has passed":                                            {identity: []string{condition + `{"DateLessThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}}}`}, want: No},
		"a date to come":                                                    {identity: []string{condition + `{"DateLessThan":{"aws:CurrentTime":"2027-01-01T00:00:00Z"}}}`}, want: Yes},
		"who asks chooses the header":                                       {identity: []string{read, deny + `{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}}`}, want: Yes},
		"the session's user ID begins with the role's":                      {identity: []string{condition + `{"StringLike":{"aws:userid":"AROAEXAMPLE:*"}}}`}, want: Yes},
		"a variable in the resource that is known":                          {identity: []string{strings.ReplaceAll(read, "data/*", "data/${aws:PrincipalTag/team}/*")}, want: Yes},
		"a variable in the resource that nobody has":                        {identity: []string{strings.ReplaceAll(read, "data/*", "data/${aws:username}/*")}, want: No},
		"a variable in the resource that is not known":                      {identity: []string{strings.ReplaceAll(read, "data/*", "data/${aws:SourceVpc}/*")}, want: Unknown},
		"a statement that cannot be read is not known":                      {identity: []string{`{"Effect":"Allow","Action":{"x":1},"Resource":"*"}`}, want: Unknown},
		"a deny that cannot be read makes an allow unknown":                 {identity: []string{read, `{"Effect":"Deny","Action":{"x":1},"Resource":"*"}`}, want: Unknown},
		"an effect that is neither may be both":                             {identity: []string{read, `{"Effect":"Permit","Action":"s3:*","Resource":"*"}`}, want: Unknown},
		"a principal of an unknown kind is not known":                       {resource: []string{`{"Effect":"Allow","Principal":{"Robot":"x"},"Action":"s3:*","Resource":"*"}`}, want: Unknown},
		"a policy may have one statement that is no list, an Action a list": {identity: []string{`{"Effect":"Allow","Action":["ec2:*","s3:GetObject"],"Resource":["arn:aws:s3:::x","arn:aws:s3:::data/*"]}`}, want: Yes},
	} {
		t.Run(name, func(t *testing.T) {
			ps := Policies{Identity: []*Policy{policy(t, c.identity...)}}
			if c.boundary != nil {
				ps.Boundary = policy(t, c.boundary...)
			}
			if c.resource != nil {
				ps.Resource = policy(t, c.resource...)
			}
			got := ps.May(Request{Principal: app, Action: "s3:GetObject", Resource: "arn:aws:s3:::data/*", Context: here})
			if got.Truth != c.want {
				t.Errorf("got %v (%s, by %q), want %v", got.Truth, got.Unknown, got.By, c.want)
			}
			if got.Truth == Unknown && got.Unknown == "" {
				t.Error("unknown without a reason")
			}
			if got.Truth == Yes && len(got.By) == 0 {
				t.Error("granted by nothing")
			}
		})
	}
}

func TestWhatCouldNotBeReadIsNotKnown(t *testing.T) {
	r := Request{Principal: app, Action: "s3:GetObject", Resource: "arn:aws:s3:::data/*", Context: here}
	for name, ps := range map[string]Policies{
		"an identity policy": {IdentityUnread: "x"},
		"a boundary":         {Identity: []*Policy{policy(t, read)}, BoundaryUnread: "x"},
		"a bucket policy":    {ResourceUnread: "x"},
		"a bucket policy that might deny": {
			Identity: []*Policy{policy(t, read)}, ResourceUnread: "x",
		},
	} {
		if got := ps.May(r); got.Truth != Unknown || got.Unknown != "x" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	sure := Policies{Identity: []*Policy{policy(t, `{"Effect":"Deny","Action":"*","Resource":"*"}`)}, ResourceUnread: "x"}
	if got := sure.May(r); got.Truth != No {
		t.Errorf("a certain deny stands whatever was not read: %+v", got)
	}
}

func TestAnybody(t *testing.T) {
	for name, c := range map[string]struct {
		statement   string
		part, whole Truth
	}{
		"everybody":                 {`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}`, Yes, Yes},
		"everybody, said otherwise": {`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:*","Resource":"*"}`, Yes, Yes},
		"a part":                    {`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/public/*"}`, Yes, No},
		"an account":                {`{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"s3:*","Resource":"*"}`, No, No},
		"an organization":           {`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}}`, No, No},
		"an endpoint":               {`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:SourceVpce":"vpce-1"}}}`, No, No},
		"an office":                 {`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}}`, No, No},
		"all addresses":             {`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}}`, Yes, Yes},
		"a private network":         {`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}`, No, No},
		"a referer":                 {`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"StringLike":{"aws:Referer":"https://example.com/*"}}}`, Yes, Yes},
		"something unheard of":      {`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"new:Key":"x"}}}`, Unknown, Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			ps := Policies{Resource: policy(t, c.statement)}
			r := Request{Principal: Anonymous, Action: "s3:GetObject", Resource: "arn:aws:s3:::data/*", Context: here}
			if got := ps.May(r); got.Truth != c.part {
				t.Errorf("some of it: %+v, want %v", got, c.part)
			}
			if got := ps.MayAll(r); got.Truth != c.whole {
				t.Errorf("all of it: %+v, want %v", got, c.whole)
			}
		})
	}
}

func TestAccess(t *testing.T) {
	redshift := RedshiftWays("aws", "eu-central-1", "111122223333", "sales")
	const credentials = `{"Effect":"Allow","Action":"redshift:GetClusterCredentials","Resource":["arn:aws:redshift:eu-central-1:111122223333:dbuser:sales/app","arn:aws:redshift:eu-central-1:111122223333:dbname:sales/db"]}`
	const execute = `{"Effect":"Allow","Action":"redshift-data:ExecuteStatement","Resource":"arn:aws:redshift:eu-central-1:111122223333:cluster:sales"}`
	const secret = `{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"}`
	aurora := Database{
		Partition: "aws", Region: "eu-central-1", Account: "111122223333", ARN: "arn:aws:rds:eu-central-1:111122223333:cluster:orders",
		ResourceID: "cluster-ABC", IAMAuthentication: true, DataAPI: true, SecretARN: "arn:aws:secretsmanager:eu-central-1:111122223333:secret:rds!cluster-1",
	}
	const data = `{"Effect":"Allow","Action":"rds-data:*","Resource":"arn:aws:rds:eu-central-1:111122223333:cluster:orders"}`
	off := aurora
	off.DataAPI = false
	for name, c := range map[string]struct {
		ways       []Way
		statements []string
		want       *triad.Access
	}{
		"the data API with credentials reads and writes": {redshift, []string{credentials, execute}, &triad.Access{Read: true, Write: true, Actions: []string{"redshift-data:ExecuteStatement", "redshift:GetClusterCredentials"}}},
		"the data API alone opens nothing":               {redshift, []string{execute}, nil},
		"the data API with some secret is not known":     {redshift, []string{execute, secret}, &triad.Access{Read: true, Write: true, Actions: []string{"redshift-data:ExecuteStatement", "secretsmanager:GetSecretValue"}, Unknown: someSecret}},
		"credentials alone move no data":                 {redshift, []string{credentials}, &triad.Access{Actions: []string{"redshift:GetClusterCredentials"}}},
		"another cluster's credentials give nothing":     {redshift, []string{strings.ReplaceAll(credentials, "sales", "other")}, nil},
		"the RDS data API with its secret":               {aurora.Ways(), []string{data, secret}, &triad.Access{Read: true, Write: true, Actions: []string{"rds-data:ExecuteStatement", "secretsmanager:GetSecretValue", "rds-data:BatchExecuteStatement"}}},
		"the RDS data API without its secret":            {aurora.Ways(), []string{data}, nil},
		"the RDS data API where it is off":               {off.Ways(), []string{data, secret}, nil},
		"an IAM token moves no data by itself":           {aurora.Ways(), []string{`{"Effect":"Allow","Action":"rds-db:connect","Resource":"arn:aws:rds-db:eu-central-1:111122223333:dbuser:cluster-ABC/app"}`}, &triad.Access{Actions: []string{"rds-db:connect"}}},
		"a bucket that is only listed":                   {BucketWays("arn:aws:s3:::data"), []string{`{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}`}, nil},
		"a bucket that is written":                       {BucketWays("arn:aws:s3:::data"), []string{`{"Effect":"Allow","Action":"s3:Put*","Resource":"*"}`}, &triad.Access{Write: true, Actions: []string{"s3:PutObject"}}},
		"what is certain stands beside what is not":      {BucketWays("arn:aws:s3:::data"), []string{read, strings.ReplaceAll(condition, "Get", "Put") + `{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}`}, &triad.Access{Read: true, Actions: []string{"s3:GetObject"}}},
		"a table's index":                                {TableWays("arn:aws:dynamodb:eu-central-1:111122223333:table/t"), []string{`{"Effect":"Allow","Action":"dynamodb:Query","Resource":"arn:aws:dynamodb:*:*:table/t/index/*"}`}, &triad.Access{Read: true, Actions: []string{"dynamodb:Query"}}},
	} {
		t.Run(name, func(t *testing.T) {
			ps := Policies{Identity: []*Policy{policy(t, c.statements...)}}
			got, by, ok := ps.Access(app, here, c.ways)
			narrow, _, okNarrow := ps.Narrow(c.ways).Access(app, here, c.ways)
			if ok != okNarrow || !equalAccess(got, narrow) {
				t.Errorf("narrowed %+v, whole %+v", narrow, got)
			}
			switch {
			case c.want == nil && ok:
				t.Errorf("got %+v, want none", got)
			case c.want != nil && !equalAccess(got, *c.want):
				t.Errorf("got %+v, want %+v", got, *c.want)
			case ok && len(by) == 0:
				t.Error("granted by nothing")
			}
		})
	}
}

func equalAccess(a, b triad.Access) bool {
	return a.Read == b.Read && a.Write == b.Write && a.Unknown == b.Unknown && strings.Join(a.Actions, " ") == strings.Join(b.Actions, " ")
}

func TestAssumeRole(t *testing.T) {
	const other = "arn:aws:iam::111122223333:role/other"
	const allowed = `{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"` + other + `"}`
	for name, c := range map[string]struct {
		identity []string
		trust    string
		want     Truth
	}{
		"trusted by name":                             {nil, `{"Effect":"Allow","Principal":{"AWS":"` + role + `"},"Action":"sts:AssumeRole"}`, Yes},
		"the account trusted and allowed":             {[]string{allowed}, `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:AssumeRole"}`, Yes},
		"the account trusted and not allowed":         {nil, `{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}`, No},
		"allowed and not trusted":                     {[]string{allowed}, `{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}`, No},
		"allowed and denied":                          {[]string{allowed, `{"Effect":"Deny","Action":"sts:*","Resource":"*"}`}, `{"Effect":"Allow","Principal":{"AWS":"` + role + `"},"Action":"sts:AssumeRole"}`, No},
		"an external ID that is not known":            {[]string{allowed}, `{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"x"}}}`, Unknown},
		"another account trusted":                     {[]string{allowed}, `{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"sts:AssumeRole"}`, No},
		"everybody of some names trusted and allowed": {[]string{allowed}, `{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/a*"}}}`, Yes},
	} {
		t.Run(name, func(t *testing.T) {
			ps := Policies{Identity: []*Policy{policy(t, c.identity...)}, Resource: policy(t, c.trust)}
			got := ps.May(Request{Principal: app, Action: "sts:AssumeRole", Resource: other, Trust: true, Context: here})
			if got.Truth != c.want {
				t.Errorf("got %+v, want %v", got, c.want)
			}
		})
	}
}

func TestAdmin(t *testing.T) {
	all := policy(t, `{"Effect":"Allow","Action":"*","Resource":"*"}`)
	if !(Policies{Identity: []*Policy{all}}).Admin() {
		t.Error("everything on everything is administration")
	}
	if (Policies{Identity: []*Policy{all}, Boundary: policy(t, read)}).Admin() {
		t.Error("a boundary takes it away")
	}
	if (Policies{Identity: []*Policy{policy(t, read)}}).Admin() {
		t.Error("reading a bucket is not administration")
	}
}
