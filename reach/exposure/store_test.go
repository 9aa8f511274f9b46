package exposure

import (
	"strings"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

const (
	functionARN = "arn:aws:lambda:us-east-1:111122223333:function:f"
	dbARN       = "arn:aws:rds:us-east-1:111122223333:db:db"
)

func TestFunctions(t *testing.T) {
	url := func(auth string) doc { return doc{"FunctionUrl": "https://x.on.aws/", "AuthType": auth} }
	const both = `{"Sid":"A","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunctionUrl","Resource":"` + functionARN + `","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}},
{"Sid":"B","Effect":"Allow","Principal":{"AWS":"*"},"Action":["lambda:InvokeFunction"],"Resource":"` + functionARN + `","Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}}`
	tests := []struct {
		name    string
		url     doc
		policy  string
		unread  string
		want    triad.Exposure
		stop    string
		hops    string
		sources []string
	}{
		{name: "without URL and policy", want: "small", stop: "function " + functionARN},
		{name: "a URL for everybody, with both permissions", url: url("NONE"), policy: both, want: "open", hops: "internet, function-url https://x.on.aws/, resource-policy A, function " + functionARN},
		{name: "a URL with one permission of two", url: url("NONE"), policy: strings.Split(both, ",\n")[0], want: "small", stop: "resource-policy " + functionARN, hops: "internet, function-url"},
		{name: "a URL without a policy", url: url("NONE"), want: "small", stop: "resource-policy " + functionARN},
		{name: "a URL for listed addresses", url: url("NONE"), policy: both + `,{"Effect":"Deny","Principal":"*","Action":"lambda:*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":["198.51.100.0/24"]}}}`, want: "controlled", sources: []string{"198.51.100.0/24"}},
		{name: "a URL that a statement denies to all", url: url("NONE"), policy: both + `,{"Effect":"Deny","Principal":"*","Action":"lambda:InvokeFunctionUrl","Resource":"*"}`, want: "small", stop: "resource-policy"},
		{name: "a URL for one organization", url: url("NONE"), policy: strings.ReplaceAll(both, `"Condition":{`, `"Condition":{"StringEqualsIgnoreCase":{"aws:PrincipalOrgID":"o-1"},`), want: "small", stop: "resource-policy"},
		{name: "a condition that cannot be evaluated", url: url("NONE"), policy: strings.ReplaceAll(both, `"Condition":{`, `"Condition":{"DateLessThan":{"aws:CurrentTime":"2030-01-01T00:00:00Z"},`), want: "unknown"},
		{name: "a URL for signed requests", url: url("AWS_IAM"), policy: `{"Sid":"A","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"lambda:InvokeFunctionUrl","Resource":"*"}`, want: "small", stop: "function-url https://x.on.aws/"},
		{name: "API Gateway before it", policy: `{"Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"*"}`, want: "unknown"},
		{name: "an event of the account's own", policy: `{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"*"}`, want: "small", stop: "function"},
		{name: "a URL that was not read", unread: "lambda-get-function-url-config", want: "unknown"},
		{name: "a policy that was not read", url: url("NONE"), unread: "lambda-get-policy", want: "unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			if tt.unread != "" {
				w.PutSection(account, triad.Section{Name: tt.unread, Status: triad.SectionUnread, Reason: "denied"})
			}
			d := doc{"FunctionArn": functionARN}
			if tt.url != nil {
				d["UrlConfig"] = tt.url
			}
			if tt.policy != "" {
				d["Policy"] = `{"Version":"2012-10-17","Statement":[` + tt.policy + `]}`
			}
			w.put("Function", triad.TypeFunction, functionARN, d)
			expect(t, Function(w, functionARN), tt.want, tt.stop, tt.hops, tt.sources...)
		})
	}
	t.Run("a load balancer that invokes it", func(t *testing.T) {
		w := newWorld(t)
		w.group("sg-lb", "tcp 443 0.0.0.0/0")
		w.balancer("application", "internet-facing", "sg-lb", "lambda", []doc{}, functionARN)
		w.put("Function", triad.TypeFunction, functionARN, doc{"FunctionArn": functionARN})
		expect(t, Function(w, functionARN), "open", "", "load-balancer, listener, target-group, function "+functionARN)
	})
}

func (w *world) database(props triad.DataStoreProps) {
	props.Network, props.Port, props.Engine = "vpc-1", 5432, "postgres"
	w.put("DBInstance", triad.TypeDataStore, dbARN, doc{"DBInstanceArn": dbARN}, props)
}

func TestDataStores(t *testing.T) {
	t.Run("a public database that its group opens", func(t *testing.T) {
		w := newWorld(t)
		w.group("sg-db", "tcp 5432 0.0.0.0/0")
		w.database(triad.DataStoreProps{PubliclyAccessible: true, Subnets: []string{"subnet-public"}, SecurityGroups: []string{"sg-db"}})
		expect(t, DataStore(w, dbARN), "open", "", "internet, internet-gateway, security-group sg-db, data-store "+dbARN)
	})
	t.Run("a public database that its group closes", func(t *testing.T) {
		w := newWorld(t)
		w.group("sg-db", "tcp 5432 sg-node")
		w.database(triad.DataStoreProps{PubliclyAccessible: true, Subnets: []string{"subnet-public"}, SecurityGroups: []string{"sg-db"}})
		expect(t, DataStore(w, dbARN), "small", "security-group sg-db", "internet-gateway, network-acl")
	})
	t.Run("a private database whose interface is known", func(t *testing.T) {
		w := newWorld(t)
		w.group("sg-db", "tcp 5432 0.0.0.0/0")
		w.put("NetworkInterface", triad.TypeNetworkInterface, "eni-db", w.eni("eni-db", "sg-db", "subnet-private", "", "10.0.2.200"))
		w.database(triad.DataStoreProps{Addresses: []string{"10.0.2.200"}})
		expect(t, DataStore(w, dbARN), "small", "route rtb-private", "")
	})
	t.Run("a database of which nothing is known", func(t *testing.T) {
		w := newWorld(t)
		w.database(triad.DataStoreProps{PubliclyAccessible: true})
		expect(t, DataStore(w, dbARN), "unknown", "", "")
		w.database(triad.DataStoreProps{})
		expect(t, DataStore(w, dbARN), "small", "private-address", "")
	})
	t.Run("buckets by policy", func(t *testing.T) {
		for props, want := range map[*triad.DataStoreProps]triad.Exposure{{Public: true}: "open", {}: "small", {PublicUnknown: "denied"}: "unknown"} {
			w := newWorld(t)
			w.put("Bucket", triad.TypeDataStore, "arn:aws:s3:::b", doc{"Name": "b"}, props)
			if r := DataStore(w, "arn:aws:s3:::b"); r.Exposure != want {
				t.Errorf("%+v: %+v", props, r)
			}
		}
	})
	t.Run("the API of an EKS cluster", func(t *testing.T) {
		const arn = "arn:aws:eks:us-east-1:111122223333:cluster/c"
		ask := func(config doc) reach.Result {
			w := newWorld(t)
			w.put("Cluster", triad.TypeCluster, arn, doc{"name": "c", "resourcesVpcConfig": config})
			return DataStore(w, arn)
		}
		expect(t, ask(doc{"endpointPublicAccess": true, "publicAccessCidrs": []string{"0.0.0.0/0"}}), "open", "", "internet, cluster")
		expect(t, ask(doc{"endpointPublicAccess": true}), "open", "", "internet, cluster")
		expect(t, ask(doc{"endpointPublicAccess": true, "publicAccessCidrs": []string{"203.0.113.0/24"}}), "controlled", "", "cluster", "203.0.113.0/24")
		expect(t, ask(doc{"endpointPublicAccess": false}), "small", "cluster", "")
		expect(t, ask(doc{}), "unknown", "", "")
	})
}

func TestConnections(t *testing.T) {
	const web = "k8s:c/Pod/shop/web#web"
	build := func(group ...string) *world {
		w := newWorld(t)
		w.group("sg-db", group...)
		w.database(triad.DataStoreProps{Subnets: []string{"subnet-private"}, SecurityGroups: []string{"sg-db"}})
		w.objects(nodes + podOn("b", vpcPodB))
		return w
	}
	check := func(name string, r reach.Result, want reach.Verdict, stop string) {
		t.Helper()
		if r.Verdict != want || stop != "" && (r.BlockedBy == nil || r.BlockedBy.Type+" "+r.BlockedBy.ID != stop) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	check("a pod whose node's group is let in", Connect(build("tcp 5432 sg-node"), web, dbARN), reach.Reachable, "")
	check("a pod that nobody lets in", Connect(build("tcp 5432 sg-other"), web, dbARN), reach.Blocked, "security-group sg-db")
	w := build("tcp 5432 10.0.2.10/32")
	check("a pod is not its node", Connect(w, web, dbARN), reach.Blocked, "security-group sg-db")
	w.objects(strings.Replace(podOn("b", overlay), "name: web, namespace", "name: other, namespace", 1))
	check("an overlay's pod is its node", Connect(w, "k8s:c/Pod/shop/other#web", dbARN), reach.Reachable, "")
	w = build("tcp 5432 sg-node")
	w.objects(policy("policyTypes: [Egress], egress: [{ports: [{port: 443}]}]"))
	check("a pod that a policy keeps in", Connect(w, web, dbARN), reach.Blocked, "network-policy shop/p")
	w = build("tcp 5432 sg-node")
	w.objects(policy("policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/16}}]}]"))
	check("a pod that a policy lets out", Connect(w, web, dbARN), reach.Reachable, "")
	w.host([]string{"aws-instance:i-a"})
	check("a container on an instance", Connect(w, w.container("web", bridge("")), dbARN), reach.Reachable, "")
	check("a container without a network", Connect(w, w.container("alone", "{Id: alone, Name: /alone, State: {Running: true}, HostConfig: {NetworkMode: none}}"), dbARN), reach.Blocked, "container alone")
	check("a host", Connect(w, "i-a", dbARN), reach.Reachable, "")
	w.host(nil, "192.168.1.5")
	check("a container elsewhere", Connect(w, w.container("web", bridge("")), dbARN), reach.Blocked, "")
	w.put("Function", triad.TypeFunction, functionARN, doc{"FunctionArn": functionARN})
	check("a function without a VPC", Connect(w, functionARN, dbARN), reach.Blocked, "")
	w.put("Function", triad.TypeFunction, functionARN, doc{"FunctionArn": functionARN, "VpcConfig": doc{"VpcId": "vpc-1", "SubnetIds": []string{"subnet-private"}, "SecurityGroupIds": []string{"sg-node"}}})
	check("a function in the VPC", Connect(w, functionARN, dbARN), reach.Reachable, "")
	w.put("Bucket", triad.TypeDataStore, "arn:aws:s3:::b", doc{"Name": "b"}, triad.DataStoreProps{})
	check("a bucket is used by identity", Connect(w, web, "arn:aws:s3:::b"), reach.Blocked, "resource-policy arn:aws:s3:::b")
}
