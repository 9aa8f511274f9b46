package exposure

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

const (
	account = "aws/111122223333/us-east-1"
	cluster = "kubernetes/c"
	engine  = "docker/h"
)

type doc = map[string]any

// world is an estate in one account, one cluster and one Docker host, all of it read.
type world struct {
	t testing.TB
	*reach.Estate
}

var sections = []string{
	"ec2-describe-instances", "ec2-describe-network-interfaces", "ec2-describe-security-groups", "ec2-describe-network-acls",
	"ec2-describe-subnets", "ec2-describe-vpcs", "ec2-describe-route-tables", "ec2-describe-internet-gateways", "ec2-describe-nat-gateways",
	"ec2-describe-egress-only-internet-gateways", "ec2-describe-managed-prefix-lists", "ec2-describe-prefix-lists", "ec2-get-managed-prefix-list-entries",
	"ec2-describe-transit-gateways", "ec2-describe-transit-gateway-attachments", "ec2-describe-vpc-peering-connections", "ec2-describe-vpc-endpoints",
	"elbv2-describe-load-balancers", "elbv2-describe-listeners", "elbv2-describe-rules", "elbv2-describe-target-groups", "elbv2-describe-target-health",
	"elbv2-describe-load-balancer-attributes", "elbv2-describe-target-group-attributes", "lambda-list-functions", "lambda-get-function-url-config", "lambda-get-policy",
}

func newWorld(t testing.TB) *world {
	w := &world{t, reach.NewEstate(Indexes()...)}
	for _, s := range sections {
		w.PutSection(account, triad.Section{Name: s, Status: triad.SectionComplete})
	}
	w.put("Vpc", triad.TypeNetwork, "vpc-1", doc{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "CidrBlockAssociationSet": []doc{{"CidrBlock": "10.0.0.0/16", "CidrBlockState": doc{"State": "associated"}}}})
	w.put("InternetGateway", triad.TypeGateway, "igw-1", doc{"InternetGatewayId": "igw-1", "Attachments": []doc{{"State": "available", "VpcId": "vpc-1"}}})
	for i, name := range []string{"public", "private"} {
		id := "subnet-" + name
		w.put("Subnet", triad.TypeSubnet, id, doc{"SubnetId": id, "VpcId": "vpc-1", "AvailabilityZone": "zone", "CidrBlock": "10.0." + strconv.Itoa(i+1) + ".0/24"})
		routes := []doc{{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}}
		if name == "public" {
			routes = append(routes, doc{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"})
		}
		w.put("RouteTable", triad.TypeRouteTable, "rtb-"+name, doc{"RouteTableId": "rtb-" + name, "VpcId": "vpc-1", "Routes": routes, "Associations": []doc{{"SubnetId": id, "AssociationState": doc{"State": "associated"}}}})
	}
	all := func(egress bool) doc {
		return doc{"CidrBlock": "0.0.0.0/0", "Egress": egress, "Protocol": "-1", "RuleAction": "allow", "RuleNumber": 100}
	}
	w.put("NetworkAcl", triad.TypeNetworkACL, "acl-1", doc{"NetworkAclId": "acl-1", "VpcId": "vpc-1", "IsDefault": true, "Entries": []doc{all(true), all(false)}})
	w.group("sg-node", "all sg-node")
	w.instance("i-a", "sg-node", "subnet-public", "54.0.0.10", "10.0.1.10", "10.0.1.31")
	w.instance("i-b", "sg-node", "subnet-private", "", "10.0.2.10", "10.0.2.21")
	return w
}

func (w *world) put(kind string, typ triad.AssetType, id string, d doc, props ...any) {
	w.t.Helper()
	raw, err := json.Marshal(d)
	if err != nil {
		w.t.Fatal(err)
	}
	a := &triad.Asset{ID: id, Type: typ, Kind: kind, Section: sectionOf(kind), Doc: raw}
	if kind == "Instance" {
		a.Aliases = []string{"aws-instance:" + id}
	}
	if len(props) > 0 {
		if a.Props, err = json.Marshal(props[0]); err != nil {
			w.t.Fatal(err)
		}
	}
	w.PutAsset(account, a)
}

func sectionOf(kind string) string {
	return map[string]string{
		"Vpc": "ec2-describe-vpcs", "InternetGateway": "ec2-describe-internet-gateways", "Subnet": "ec2-describe-subnets", "RouteTable": "ec2-describe-route-tables",
		"NetworkAcl": "ec2-describe-network-acls", "SecurityGroup": "ec2-describe-security-groups", "Instance": "ec2-describe-instances",
		"NetworkInterface": "ec2-describe-network-interfaces", "LoadBalancer": "elbv2-describe-load-balancers", "Listener": "elbv2-describe-listeners",
		"TargetGroup": "elbv2-describe-target-groups", "Function": "lambda-list-functions",
	}[kind]
}

// group takes inbound rules as "tcp 80 0.0.0.0/0" or "all sg-1".
func (w *world) group(id string, rules ...string) {
	in := []doc{}
	for _, r := range rules {
		f := strings.Fields(r)
		p := doc{"IpProtocol": f[0]}
		if f[0] == "all" {
			p["IpProtocol"] = "-1"
		} else {
			lo, hi, ranged := strings.Cut(f[1], "-")
			if !ranged {
				hi = lo
			}
			p["FromPort"], _ = strconv.Atoi(lo)
			p["ToPort"], _ = strconv.Atoi(hi)
		}
		if last := f[len(f)-1]; strings.HasPrefix(last, "sg-") {
			p["UserIdGroupPairs"] = []doc{{"GroupId": last}}
		} else {
			p["IpRanges"] = []doc{{"CidrIp": last}}
		}
		in = append(in, p)
	}
	w.put("SecurityGroup", triad.TypeSecurityGroup, id, doc{"GroupId": id, "VpcId": "vpc-1", "IpPermissions": in, "IpPermissionsEgress": []doc{{"IpProtocol": "-1", "IpRanges": []doc{{"CidrIp": "0.0.0.0/0"}}}}})
}

func (w *world) instance(id, group, subnet, public string, private ...string) {
	eni := w.eni("eni-"+id, group, subnet, public, private...)
	eni["Attachment"] = doc{"InstanceId": id, "DeviceIndex": 0}
	w.put("NetworkInterface", triad.TypeNetworkInterface, "eni-"+id, eni)
	w.put("Instance", triad.TypeHost, id, doc{"InstanceId": id, "VpcId": "vpc-1", "State": doc{"Name": "running"}, "NetworkInterfaces": []doc{eni}})
}

func (w *world) eni(id, group, subnet, public string, private ...string) doc {
	list := []doc{}
	for i, ip := range private {
		p := doc{"PrivateIpAddress": ip, "Primary": i == 0}
		if i == 0 && public != "" {
			p["Association"] = doc{"PublicIp": public}
		}
		list = append(list, p)
	}
	d := doc{"NetworkInterfaceId": id, "VpcId": "vpc-1", "SubnetId": subnet, "InterfaceType": "interface", "Groups": []doc{{"GroupId": group}}, "PrivateIpAddress": private[0], "PrivateIpAddresses": list}
	if public != "" {
		d["Association"] = doc{"PublicIp": public}
	}
	return d
}

// balancer puts a load balancer with one listener (port 443) and one target group.
func (w *world) balancer(kind, scheme, group, targetType string, attributes []doc, targets ...string) {
	short := map[string]string{"application": "app", "network": "net"}[kind]
	arn := "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/" + short + "/lb/1"
	tg := "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/tg/1"
	w.put("LoadBalancer", triad.TypeLoadBalancer, arn, doc{"LoadBalancerArn": arn, "DNSName": "lb.elb.amazonaws.com", "Scheme": scheme, "Type": kind, "VpcId": "vpc-1", "State": doc{"Code": "active"}, "AvailabilityZones": []doc{{"ZoneName": "zone", "SubnetId": "subnet-public"}}, "SecurityGroups": []string{group}, "Attributes": []doc{}})
	public := "3.0.0.1"
	if scheme == "internal" {
		public = ""
	}
	eni := w.eni("eni-lb", group, "subnet-public", public, "10.0.1.100")
	eni["Description"], eni["RequesterManaged"] = "ELB "+short+"/lb/1", true
	w.put("NetworkInterface", triad.TypeNetworkInterface, "eni-lb", eni)
	forward := []doc{{"Type": "forward", "TargetGroupArn": tg}}
	listener := strings.Replace(arn, ":loadbalancer/", ":listener/", 1) + "/2"
	protocols := map[string][2]string{"application": {"HTTPS", "HTTP"}, "network": {"TCP", "TCP"}}[kind]
	w.put("Listener", triad.TypeListener, listener, doc{"ListenerArn": listener, "LoadBalancerArn": arn, "Port": 443, "Protocol": protocols[0], "DefaultActions": forward, "Rules": []doc{{"Priority": "default", "IsDefault": true, "Actions": forward, "Conditions": []doc{}}}})
	health := []doc{}
	for _, t := range targets {
		d := doc{"Id": t}
		if id, port, ok := strings.Cut(t, "|"); ok {
			d["Id"] = id
			d["Port"], _ = strconv.Atoi(port)
		}
		health = append(health, doc{"Target": d, "TargetHealth": doc{"State": "healthy"}})
	}
	w.put("TargetGroup", triad.TypeTargetGroup, tg, doc{"TargetGroupArn": tg, "Protocol": protocols[1], "Port": 8080, "VpcId": "vpc-1", "TargetType": targetType, "LoadBalancerArns": []string{arn}, "TargetHealthDescriptions": health, "Attributes": attributes})
}

const (
	lbARN = "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/lb/1"
	tgARN = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/tg/1"
)

// objects puts Kubernetes objects from YAML documents.
func (w *world) objects(documents string) {
	w.t.Helper()
	for text := range strings.SplitSeq(documents, "\n---\n") {
		if strings.TrimSpace(text) == "" {
			continue
		}
		raw, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			w.t.Fatalf("%v in\n%s", err, text)
		}
		var o struct {
			Kind     string `json:"kind"`
			Metadata struct{ Name, Namespace string }
			Spec     struct{ ProviderID string }
		}
		if err := json.Unmarshal(raw, &o); err != nil {
			w.t.Fatal(err)
		}
		a := &triad.Asset{ID: triad.KubernetesID("c", o.Kind, o.Metadata.Namespace, o.Metadata.Name), Kind: o.Kind, Section: "any", Doc: raw}
		if o.Kind == "Node" {
			a.Type = triad.TypeHost
			if i := strings.LastIndexByte(o.Spec.ProviderID, '/'); strings.HasPrefix(o.Spec.ProviderID, "aws") {
				a.Aliases = []string{"aws-instance:" + o.Spec.ProviderID[i+1:]}
			}
		}
		w.PutAsset(cluster, a)
		if rows := w.Rows(a.ID); len(rows) != 1 || rows[0].Err != nil {
			w.t.Fatalf("%s: %v", a.ID, rows)
		}
	}
}

// container puts a Docker container on the host from inspect's YAML.
func (w *world) container(name, text string) string {
	w.t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		w.t.Fatal(err)
	}
	id := triad.DockerID("h", name)
	w.PutAsset(engine, &triad.Asset{ID: id, Type: triad.TypeWorkload, Kind: "DockerContainer", Section: "docker-inspect", Doc: raw})
	w.PutRelation(engine, &triad.Relation{From: id, Type: triad.RelRunsOn, To: "docker-host:h", Section: "docker-inspect"})
	return id + "#container"
}

func (w *world) host(aliases []string, addresses ...string) {
	props, _ := json.Marshal(triad.HostProps{Addresses: addresses})
	w.PutAsset(engine, &triad.Asset{ID: "docker-host:h", Aliases: aliases, Type: triad.TypeHost, Kind: "Host", Name: "h", Section: "docker-info", Props: props})
}

// expect checks the grade, the first stop ("type id" or "type") and that hops come in order.
func expect(t *testing.T, r reach.Result, grade triad.Exposure, stop, hops string, sources ...string) {
	t.Helper()
	text, _ := json.MarshalIndent(r, "", " ")
	if r.Exposure != grade {
		t.Fatalf("%s, want %s\n%s", r.Exposure, grade, text)
	}
	if stop != "" {
		typ, id, _ := strings.Cut(stop, " ")
		if r.BlockedBy == nil || r.BlockedBy.Type != typ || id != "" && r.BlockedBy.ID != id || r.BlockedBy.Reason == "" {
			t.Errorf("not stopped by %s\n%s", stop, text)
		}
	}
	path := r.Path
	for _, want := range strings.Split(hops, ",") {
		typ, id, _ := strings.Cut(strings.TrimSpace(want), " ")
		i := slices.IndexFunc(path, func(h triad.Hop) bool { return h.Type == typ && (id == "" || h.ID == id) })
		if want != "" && i < 0 {
			t.Fatalf("hop %s is missing or not in its place\n%s", want, text)
		}
		path = path[i+1:]
	}
	if !slices.Equal(r.Sources, sources) {
		t.Errorf("sources %v, want %v", r.Sources, sources)
	}
	if r.Verdict == reach.Unknown != (len(r.Unread) > 0) {
		t.Errorf("verdict %s with unread %v", r.Verdict, r.Unread)
	}
}
