package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/reach/aws"
	"github.com/triad-security/triad/server"
	"github.com/triad-security/triad/server/api"
	"github.com/triad-security/triad/server/auth"
	"github.com/triad-security/triad/server/client"
)

// openInstance is a report of one instance with a public address whose group lets everybody
// in on port 443.
func openInstance(scope string) *triad.Report {
	r := &triad.Report{Tenant: triad.DefaultTenant, Scope: scope, Collector: "test/1", Taken: time.Now(), Revision: 1}
	add := func(section string, typ triad.AssetType, kind, id, doc string) {
		r.Sections = append(r.Sections, triad.Section{Name: section, Status: triad.SectionComplete})
		if id != "" {
			r.Assets = append(r.Assets, triad.Asset{ID: id, Type: typ, Kind: kind, Name: id, Section: section, Doc: json.RawMessage(doc)})
		}
	}
	add("ec2-describe-vpcs", triad.TypeNetwork, "Vpc", "vpc-1", `{"VpcId":"vpc-1","CidrBlock":"10.0.0.0/16"}`)
	add("ec2-describe-subnets", triad.TypeSubnet, "Subnet", "subnet-1", `{"SubnetId":"subnet-1","VpcId":"vpc-1","CidrBlock":"10.0.1.0/24"}`)
	add("ec2-describe-route-tables", triad.TypeRouteTable, "RouteTable", "rtb-1", `{"RouteTableId":"rtb-1","VpcId":"vpc-1","Routes":[{"DestinationCidrBlock":"10.0.0.0/16","GatewayId":"local","State":"active"},{"DestinationCidrBlock":"0.0.0.0/0","GatewayId":"igw-1","State":"active"}],"Associations":[{"Main":true,"RouteTableId":"rtb-1"}]}`)
	add("ec2-describe-internet-gateways", triad.TypeGateway, "InternetGateway", "igw-1", `{"InternetGatewayId":"igw-1","Attachments":[{"State":"available","VpcId":"vpc-1"}]}`)
	add("ec2-describe-network-acls", triad.TypeNetworkACL, "NetworkAcl", "acl-1", `{"NetworkAclId":"acl-1","VpcId":"vpc-1","IsDefault":true,"Associations":[{"SubnetId":"subnet-1"}],"Entries":[{"CidrBlock":"0.0.0.0/0","Egress":true,"Protocol":"-1","RuleAction":"allow","RuleNumber":100},{"CidrBlock":"0.0.0.0/0","Egress":false,"Protocol":"-1","RuleAction":"allow","RuleNumber":100}]}`)
	add("ec2-describe-security-groups", triad.TypeSecurityGroup, "SecurityGroup", "sg-1", `{"GroupId":"sg-1","VpcId":"vpc-1","IpPermissions":[{"IpProtocol":"tcp","FromPort":443,"ToPort":443,"IpRanges":[{"CidrIp":"0.0.0.0/0"}]}],"IpPermissionsEgress":[{"IpProtocol":"-1","IpRanges":[{"CidrIp":"0.0.0.0/0"}]}]}`)
	add("ec2-describe-network-interfaces", triad.TypeNetworkInterface, "NetworkInterface", "eni-1", `{"NetworkInterfaceId":"eni-1","VpcId":"vpc-1","SubnetId":"subnet-1","InterfaceType":"interface","PrivateIpAddress":"10.0.1.10","Association":{"PublicIp":"52.0.0.10"},"Groups":[{"GroupId":"sg-1"}],"Attachment":{"InstanceId":"i-1","DeviceIndex":0}}`)
	add("ec2-describe-instances", triad.TypeHost, "Instance", "i-1", `{"InstanceId":"i-1","State":{"Name":"running"}}`)
	for _, empty := range []string{"ec2-describe-nat-gateways", "ec2-describe-addresses", "ec2-describe-managed-prefix-lists", "ec2-describe-vpc-peering-connections", "ec2-describe-transit-gateways"} {
		add(empty, "", "", "", "")
	}
	return r
}

func TestQuestionsOfReachabilityAreAnsweredOverTheCollectedEstate(t *testing.T) {
	s, dir := running(t)
	owner, viewer := client.OverSocket(dir.Socket()), as(t, s, secret(t, s, auth.RoleViewer))
	if err := owner.Keep(t.Context(), openInstance("aws/1/us-east-1")); err != nil {
		t.Fatal(err)
	}
	question := func(port uint16) aws.Question {
		return aws.Question{From: aws.End{Kind: "internet"}, To: aws.End{Kind: "instance", ID: "i-1"}, Protocol: "tcp", Port: aws.PortRange{Lo: port, Hi: port}}
	}
	eventually(t, "the instance", func() bool {
		results, err := viewer.Reach(t.Context(), []aws.Question{question(443)})
		return err == nil && results[0].Verdict == reach.Reachable
	})

	// More than one request's worth, in order.
	var questions []aws.Question
	for range 700 {
		questions = append(questions, question(443), question(22))
	}
	results, err := viewer.Reach(t.Context(), questions)
	if err != nil || len(results) != len(questions) {
		t.Fatalf("got %d results, %v", len(results), err)
	}
	for i, r := range results {
		want := []reach.Verdict{reach.Reachable, reach.Blocked}[i%2]
		if r.Verdict != want || r.Path == nil || r.Unread == nil {
			t.Fatalf("result %d: got %+v, want %s", i, r, want)
		}
	}
	if b := results[1].BlockedBy; b == nil || b.ID != "sg-1" {
		t.Errorf("blocked by %+v, want sg-1", b)
	}
	ranged := aws.Question{From: aws.End{Kind: "internet"}, To: aws.End{Kind: "ip", IP: "10.0.1.10"}, Protocol: "tcp", Port: aws.PortRange{Lo: 400, Hi: 500}, Match: "some"}
	if r, err := viewer.Reach(t.Context(), []aws.Question{ranged}); err != nil || r[0].Verdict == "" {
		t.Errorf("a range of ports: %+v, %v", r, err)
	}

	nobody := aws.Question{From: aws.End{Kind: "internet"}, To: aws.End{Kind: "workload", ID: "shop/none"}, Protocol: "tcp"}
	if _, err := viewer.Reach(t.Context(), []aws.Question{nobody}); triad.ErrorCode(err) != triad.CodeNotFound || !strings.Contains(err.Error(), "shop/none") {
		t.Errorf("a name of nothing: got %v", err)
	}
	if _, err := as(t, s, secret(t, s, auth.RoleCollector, "aws/1")).Reach(t.Context(), questions[:1]); triad.ErrorCode(err) != triad.CodeDenied {
		t.Errorf("a collector that asks: got %v, want denied", err)
	}
}

func TestQuestionsOfReachabilityAreBounded(t *testing.T) {
	s, _ := running(t)
	token := secret(t, s, auth.RoleViewer)
	one := `{"from":{"kind":"internet"},"to":{"kind":"ip","ip":"10.0.0.1"},"port":443,"expected":"ignored"}`
	for name, test := range map[string]struct {
		body   string
		status int
	}{
		"fields of a file with expectations are ignored": {`{"source":"x","queries":[` + one + `]}`, http.StatusOK},
		"more questions than one request may ask":        {`{"queries":[` + strings.Repeat(one+",", 1000) + one + `]}`, http.StatusUnprocessableEntity},
		"a body over the limit":                          {`{"queries":[` + one + `],"x":"` + strings.Repeat("x", 5<<20) + `"}`, http.StatusRequestEntityTooLarge},
		"no questions":                                   {`{"queries":[]}`, http.StatusUnprocessableEntity},
		"a port that is none":                            {`{"queries":[{"from":{"kind":"internet"},"to":{"kind":"ip","ip":"10.0.0.1"},"port":70000}]}`, http.StatusUnprocessableEntity},
		"an address that is none":                        {`{"queries":[{"from":{"kind":"internet"},"to":{"kind":"ip","ip":"ten"}}]}`, http.StatusUnprocessableEntity},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Address()+"/api/v1/reach", strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			req.Header.Set("Content-Type", "application/json")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != test.status {
				t.Errorf("got %d, want %d", resp.StatusCode, test.status)
			}
		})
	}
}

func TestAPodIsNamedByTheEndOfItsNameAndItsOwnerByAHint(t *testing.T) {
	estate := server.NewEstate()
	r := &triad.Report{Scope: "kubernetes/c", Sections: []triad.Section{{Name: "pods", Status: triad.SectionComplete}}}
	for _, name := range []string{"c/shop/web-5d4-x", "c/shop/web-5d4-y", "c/shop/db-0", "c/ops/db-0"} {
		r.Assets = append(r.Assets, triad.Asset{ID: "k8s:" + name, Type: triad.TypePod, Kind: "Pod", Name: name, Section: "pods"})
	}
	estate.PutReport(r)
	for name, want := range map[string]string{
		"shop/web-5d4-x": "",
		"k8s:c/ops/db-0": "",
		"shop/web":       "no pod or container is called shop/web; name one, such as c/shop/web-5d4-x",
		"db-0":           "db-0 is the name of several: c/ops/db-0, c/shop/db-0; name one in full",
		"shop/nothing":   "nothing that was read is called shop/nothing; name an instance, an address, NAMESPACE/POD or HOST/CONTAINER",
	} {
		_, err := api.Answers(t.Context(), estate, []aws.Question{{From: aws.End{Kind: "internet"}, To: aws.End{Kind: "workload", ID: name}, Protocol: "tcp"}})
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
