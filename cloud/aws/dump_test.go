package aws

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/triad-security/triad"
)

// shared finds the folder of shared test data: TRIAD_SHARED, or "shared" beside the repository.
func shared(t testing.TB, elem ...string) string {
	t.Helper()
	dir := os.Getenv("TRIAD_SHARED")
	if dir == "" {
		wd, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for d := wd; ; d = filepath.Dir(d) {
			if _, err := os.Stat(filepath.Join(d, "shared", "scenarios")); err == nil {
				dir = filepath.Join(d, "shared")
				break
			}
			if d == filepath.Dir(d) {
				t.Skip("no shared test data: set TRIAD_SHARED")
			}
		}
	}
	path := filepath.Join(append([]string{dir}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	return path
}

// dump writes files of a dump, with the account and region unless meta is among them.
func dump(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if _, ok := files[metaFile]; !ok {
		files[metaFile] = `{"account":"111122223333","region":"us-east-1"}`
	}
	for name, content := range files {
		if content == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func collectFrom(t testing.TB, files map[string]string) *triad.Report {
	t.Helper()
	r, err := FromDir(dump(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func section(r *triad.Report, name string) triad.Section {
	for _, s := range r.Sections {
		if s.Name == name {
			return s
		}
	}
	return triad.Section{}
}

func find(r *triad.Report, id string) *triad.Asset {
	for i := range r.Assets {
		if r.Assets[i].ID == id {
			return &r.Assets[i]
		}
	}
	return nil
}

func TestEverySharedDumpIsRead(t *testing.T) {
	dirs, _ := filepath.Glob(filepath.Join(shared(t, "ground-truth", "aws"), "*", "aws", "*", "*"))
	for _, dir := range append(dirs, shopDir(t)) {
		r, err := FromDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Assets) == 0 {
			t.Errorf("%s: no assets", dir)
		}
		for _, s := range r.Sections {
			if s.Status == triad.SectionUnread && !strings.HasPrefix(s.Reason, "there is no ") && !strings.HasPrefix(s.Reason, "it takes ") {
				t.Errorf("%s: %s: %s", dir, s.Name, s.Reason)
			}
		}
	}
}

const vpcs = `{"Vpcs":[{"VpcId":"vpc-1","CidrBlock":"10.0.0.0/16","OwnerId":"111122223333"}]}`

func TestWhatIsWrongWithOneFileStaysThere(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	for name, c := range map[string]struct {
		content, reason string
		kept            bool
	}{
		"a file that is no JSON":              {content: `{"Subnets":`, reason: "unexpected end of JSON"},
		"a list where an object is due":       {content: `[]`, reason: "not the output of this call: found a JSON array"},
		"the output of another call":          {content: vpcs, reason: `it has no "Subnets"`},
		"an empty object":                     {content: `{}`, reason: `it has no "Subnets"`},
		"null":                                {content: `null`, reason: "null where an object is due"},
		"a list that is none":                 {content: `{"Subnets":7}`, reason: `"Subnets" is not a list`},
		"an element without its ID":           {content: `{"Subnets":[{"SubnetId":"subnet-1"},{"VpcId":"vpc-1"}]}`, reason: "an element has no SubnetId", kept: true},
		"an element that is no object":        {content: `{"Subnets":["x",{"SubnetId":"subnet-1"}]}`, reason: "Subnet 1: not the output of this call", kept: true},
		"output that goes on on another page": {content: `{"Subnets":[{"SubnetId":"subnet-1"}],"NextToken":"x"}`, reason: "NextToken is present", kept: true},
		"output that says it is cut off":      {content: `{"Subnets":[{"SubnetId":"subnet-1"}],"IsTruncated":true}`, reason: "IsTruncated is true", kept: true},
		"nesting without end":                 {content: deep, reason: "nests deeper than 64 levels"},
	} {
		t.Run(name, func(t *testing.T) {
			r := collectFrom(t, map[string]string{"ec2-describe-vpcs.json": vpcs, "ec2-describe-subnets.json": c.content})
			if s := section(r, "ec2-describe-subnets"); s.Status != triad.SectionUnread || !strings.Contains(s.Reason, c.reason) {
				t.Errorf("section %+v, want unread with %q", s, c.reason)
			}
			if s := section(r, "ec2-describe-vpcs"); s.Status != triad.SectionComplete || find(r, "vpc-1") == nil {
				t.Errorf("the other section is %+v", s)
			}
			if got := find(r, "subnet-1") != nil; got != c.kept {
				t.Errorf("the element that was read is kept: %v, want %v", got, c.kept)
			}
		})
	}
}

func TestWhatIsNotThere(t *testing.T) {
	r := collectFrom(t, map[string]string{
		"ec2-describe-vpcs.json":                 vpcs,
		"ec2-describe-managed-prefix-lists.json": `{"PrefixLists":[]}`,
		"lambda-list-functions.json":             `{"Functions":[]}`,
		"s3api-list-buckets.json":                `{"Buckets":[{"Name":"b"}]}`,
		"something-else.json":                    `{}`,
	})
	for name, want := range map[string]triad.SectionStatus{
		"ec2-describe-vpcs":                   triad.SectionComplete,
		"ec2-describe-subnets":                triad.SectionUnread, // core
		"elbv2-describe-load-balancers":       triad.SectionUnread, // core, even without any file of its service
		callIAM:                               triad.SectionUnread,
		"ec2-get-managed-prefix-list-entries": triad.SectionComplete, // there is no list to ask about
		"lambda-get-policy":                   triad.SectionComplete, // there is no function to ask about
		callPolicy:                            triad.SectionUnread,   // there is a bucket to ask about
		callRDS:                               triad.SectionAbsent,   // nothing of the service
		"lambda-list-tags":                    triad.SectionComplete,
		"access-rds":                          triad.SectionAbsent,
		"access-s3api":                        triad.SectionUnread,
	} {
		if got := section(r, name); got.Status != want || (got.Status != triad.SectionComplete) != (got.Reason != "") {
			t.Errorf("%s: %+v, want %s", name, got, want)
		}
	}
	if !slices.Contains(r.Notes, "files that nothing reads yet: something-else.json") {
		t.Errorf("notes %q", r.Notes)
	}
	var p triad.DataStoreProps
	if err := json.Unmarshal(find(r, "arn:aws:s3:::b").Props, &p); err != nil || p.Public || p.PublicUnknown == "" {
		t.Errorf("a bucket whose policy was not read: %+v %v", p, err)
	}
}

func TestFolding(t *testing.T) {
	const group = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/a/1"
	r := collectFrom(t, map[string]string{
		"elbv2-describe-target-groups.json": `{"TargetGroups":[{"TargetGroupArn":"` + group + `"},{"TargetGroupArn":"` + group + `2"}]}`,
		"elbv2-describe-target-health.json": `{"` + group + `":{"TargetHealthDescriptions":[{"Target":{"Id":"i-1"}}]},"gone":{"TargetHealthDescriptions":[]}}`,
		"lambda-list-functions.json": `{"Functions":[{"FunctionName":"f","FunctionArn":"arn:aws:lambda:us-east-1:111122223333:function:f",
			"Environment":{"Variables":{"PASSWORD":"hunter2"}}},{"FunctionName":"g","FunctionArn":"arn:aws:lambda:us-east-1:111122223333:function:g"}]}`,
		"lambda-get-policy.json":                            `{"f":{"Policy":"{\"Statement\":[]}"}}`,
		"lambda-get-function-url-config.json":               `{"f":{"FunctionUrl":"https://x/"}}`,
		"lambda-list-event-source-mappings.json":            `{"EventSourceMappings":[{"UUID":"1","FunctionArn":"arn:aws:lambda:us-east-1:111122223333:function:f:live"}]}`,
		"s3api-list-buckets.json":                           `{"Buckets":[{"Name":"b"}]}`,
		"s3api-get-bucket-tagging.json":                     `{"b":{"TagSet":[{"Key":"data-classification","Value":"restricted"}]}}`,
		"ec2-describe-transit-gateway-attachments.json":     `{"TransitGatewayAttachments":[{"TransitGatewayAttachmentId":"tgw-attach-1","ResourceId":"vpc-1"}]}`,
		"ec2-describe-transit-gateway-vpc-attachments.json": `{"TransitGatewayVpcAttachments":[{"TransitGatewayAttachmentId":"tgw-attach-1","SubnetIds":["subnet-1"]}]}`,
		"eks-describe-cluster.json":                         `{"one":{"cluster":{"name":"one","arn":"arn:one"}},"two":{"cluster":{"name":"two","arn":"arn:two"}}}`,
		"ec2-describe-vpn-connections.json":                 `{"VpnConnections":[{"VpnConnectionId":"vpn-1","CustomerGatewayConfiguration":"<secret/>","Options":{"TunnelOptions":[{"PreSharedKey":"hunter2"}]}}]}`,
	})
	for id, wants := range map[string][]string{
		group: {`"TargetHealthDescriptions":[{"Target":{"Id":"i-1"}}]`},
		"arn:aws:lambda:us-east-1:111122223333:function:f": {
			`"Policy":{"Statement":[]}`, `"UrlConfig":{"FunctionUrl":"https://x/"}`, `"EventSourceMappings":[{`, `"PASSWORD":"REDACTED"`,
		},
		"arn:aws:s3:::b": {`"Tags":[{"Key":"data-classification"`},
		"tgw-attach-1":   {`"ResourceId":"vpc-1"`, `"SubnetIds":["subnet-1"]`},
		"arn:one":        {`"name":"one"`},
		"arn:two":        {`"name":"two"`},
		"vpn-1":          {`"PreSharedKey":"REDACTED"`, `"CustomerGatewayConfiguration":"REDACTED"`},
	} {
		x := find(r, id)
		if x == nil {
			t.Errorf("no asset %s", id)
			continue
		}
		for _, want := range wants {
			if !strings.Contains(string(x.Doc), want) {
				t.Errorf("%s: %s has no %s", id, x.Doc, want)
			}
		}
	}
	if doc := find(r, group+"2").Doc; strings.Contains(string(doc), "TargetHealth") {
		t.Errorf("health that was not read: %s", doc)
	}
	if s := section(r, "elbv2-describe-target-health"); s.Status != triad.SectionUnread || !strings.Contains(s.Reason, "no entry for "+group+"2") {
		t.Errorf("a target group without an entry: %+v", s)
	}
	if doc := find(r, "arn:aws:lambda:us-east-1:111122223333:function:g").Doc; strings.Contains(string(doc), "Policy") || section(r, "lambda-get-policy").Status != triad.SectionComplete {
		t.Errorf("a function without an entry has no policy: %s", doc)
	}
	if x := find(r, "arn:aws:s3:::b"); x.Tags[classification] != "restricted" {
		t.Errorf("tags %v", x.Tags)
	}
}

func TestScope(t *testing.T) {
	for name, c := range map[string]struct {
		files       map[string]string
		scope, note string
	}{
		"from meta.json":            {map[string]string{"ec2-describe-vpcs.json": vpcs}, "aws/111122223333/us-east-1", ""},
		"from ARNs and owners":      {map[string]string{metaFile: "", "ec2-describe-vpcs.json": `{"Vpcs":[{"VpcId":"vpc-1","OwnerId":"444455556666","Arn":"arn:aws:ec2:eu-west-1:444455556666:vpc/vpc-1"}]}`}, "aws/444455556666/eu-west-1", "account and region inferred"},
		"a meta.json of other make": {map[string]string{metaFile: `{"account":"../x","region":"nowhere"}`, "ec2-describe-vpcs.json": vpcs}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := FromDir(dump(t, c.files))
			if c.scope == "" {
				if triad.ErrorCode(err) != triad.CodeInvalid {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Scope != c.scope || !strings.Contains(strings.Join(r.Notes, "\n"), c.note) {
				t.Errorf("scope %s, notes %q", r.Scope, r.Notes)
			}
		})
	}
	if _, err := FromDir(t.TempDir()); triad.ErrorCode(err) != triad.CodeInvalid {
		t.Errorf("an empty folder: %v", err)
	}
	deep := filepath.Join(t.TempDir(), "123456789012", "eu-north-1")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(deep, "ec2-describe-vpcs.json"), []byte(`{"Vpcs":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := FromDir(deep); err != nil || r.Scope != "aws/123456789012/eu-north-1" {
		t.Errorf("from the folder's path: %v", err)
	}
}

func TestShop(t *testing.T) {
	r, err := FromDir(shopDir(t))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, rel := range r.Relations {
		if rel.Type == triad.RelCanAccess {
			var a triad.Access
			if err := json.Unmarshal(rel.Props, &a); err != nil {
				t.Fatal(err)
			}
			got = append(got, filepath.Base(rel.From)+" "+rel.To+" "+strings.Join(a.Actions, ",")+a.Unknown)
		}
	}
	slices.Sort(got)
	want := []string{
		"docker-host arn:aws:s3:::shop-media s3:GetObject",
		"storefront arn:aws:redshift:us-east-1:111122223333:cluster:sales redshift-data:ExecuteStatement,redshift:GetClusterCredentials",
		"storefront arn:aws:s3:::shop-invoices s3:GetObject",
		"thumbnailer arn:aws:s3:::shop-media s3:GetObject,s3:PutObject",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	var orders triad.DataStoreProps
	if err := json.Unmarshal(find(r, "arn:aws:rds:us-east-1:111122223333:db:orders").Props, &orders); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(orders.Addresses, []string{"10.0.1.200", "34.200.1.200"}) || orders.Port != 5432 {
		t.Errorf("orders: %+v", orders)
	}
}

func TestAWarehouseWithoutInterfacesIsPlacedByItsSubnetGroup(t *testing.T) {
	r := assemble(scope{"111122223333", "us-east-1"}, map[string]output{
		callRedshift:    {raw: []byte(`{"Clusters":[{"ClusterIdentifier":"sales","ClusterSubnetGroupName":"g","Endpoint":{"Port":5439}}]}`)},
		callWarehouseIn: {raw: []byte(`{"ClusterSubnetGroups":[{"ClusterSubnetGroupName":"g","VpcId":"vpc-1","Subnets":[{"SubnetIdentifier":"subnet-1"},{"SubnetIdentifier":"subnet-2"}]},{"ClusterSubnetGroupName":"h","VpcId":"vpc-2"}]}`)},
	}, here)
	var p triad.DataStoreProps
	if err := json.Unmarshal(find(r, "arn:aws:redshift:us-east-1:111122223333:cluster:sales").Props, &p); err != nil {
		t.Fatal(err)
	}
	if p.Network != "vpc-1" || !slices.Equal(p.Subnets, []string{"subnet-1", "subnet-2"}) {
		t.Errorf("sales: %+v", p)
	}
}

// FuzzDump: no file makes the reader panic, and a section that was read whole says so of a
// document that has the call's list.
func FuzzDump(f *testing.F) {
	for _, seed := range []struct{ name, content string }{
		{"ec2-describe-instances", `{"Reservations":[{"Instances":[{"InstanceId":"i-1","MetadataOptions":{"HttpTokens":"optional"},"IamInstanceProfile":{"Arn":"x"}}]}]}`},
		{callIAM, `{"RoleDetailList":[{"Arn":"r","RoleName":"r","AssumeRolePolicyDocument":"%7B%22Statement%22%3A%5B%5D%7D","RolePolicyList":[{"PolicyName":"p","PolicyDocument":{"Statement":[]}}]}],"UserDetailList":[],"GroupDetailList":[],"Policies":[]}`},
		{callPolicy, `{"b":{"Policy":"{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:*\",\"Resource\":\"*\"}}"}}`},
		{callBlock, `{"b":{"PublicAccessBlockConfiguration":{"RestrictPublicBuckets":true}}}`},
		{callRDS, `{"DBInstances":[{"DBInstanceArn":"d","Endpoint":{"Port":5432},"DBSubnetGroup":{"VpcId":"v","Subnets":[{"SubnetIdentifier":"s"}]}}]}`},
		{callFunctions, `{"Functions":[{"FunctionArn":"f","FunctionName":"f","Environment":{"Variables":{"a":"b"}}}]}`},
		{"ec2-search-transit-gateway-routes", `{"tgw-rtb-1":{"Routes":[],"AdditionalRoutesAvailable":true}}`},
		{"eks-describe-cluster", `{"cluster":{"arn":"c","name":"c","resourcesVpcConfig":{"endpointPublicAccess":true,"publicAccessCidrs":["0.0.0.0/0"]}}}`},
		{"elbv2-describe-tags", `{"TagDescriptions":[{"ResourceArn":"x:y","Tags":[{"Key":"a","Value":"b"}]}]}`},
	} {
		f.Add(seed.name, []byte(seed.content))
	}
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		outputs := map[string]output{
			callBuckets:       {raw: []byte(`{"Buckets":[{"Name":"b"}]}`)},
			transitTable.call: {raw: []byte(`{"TransitGatewayRouteTables":[{"TransitGatewayRouteTableId":"tgw-rtb-1"}]}`)},
		}
		outputs[name] = output{raw: raw}
		r := assemble(scope{"111122223333", "us-east-1"}, outputs, here)
		for _, x := range r.Assets {
			if x.ID == "" || x.Section == "" || !json.Valid(x.Doc) {
				t.Fatalf("asset %+v", x)
			}
		}
		if s := section(r, name); s.Status == triad.SectionComplete && !json.Valid(raw) {
			t.Fatalf("%s was no JSON and is complete", name)
		}
	})
}
