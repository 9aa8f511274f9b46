package aws

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

const testScope = "aws/111122223333/us-east-1"

// world builds an estate in one scope whose sections are all complete.
type world struct {
	t testing.TB
	*reach.Estate
}

type doc = map[string]any

var everySection = []string{
	sectionInstances, sectionInterfaces, sectionGroups, sectionACLs, sectionSubnets, sectionVPCs,
	sectionRouteTables, sectionGateways, sectionNATs, sectionEgressOnly, sectionPrefixLists,
	sectionPrefixEntries, sectionTransits, sectionAttachments, sectionVPCAttachments,
	sectionTransitTables, sectionTransitRoutes, sectionPropagations, sectionPeerings,
	sectionEndpoints, sectionBalancers, sectionListeners, sectionRules, sectionTargetGroups,
	sectionTargetHealth, sectionBalancerAttrs, sectionTargetAttrs, sectionAWSPrefixLists,
}

func newWorld(t testing.TB) *world {
	w := &world{t, reach.NewEstate(Index)}
	for _, s := range everySection {
		w.PutSection(testScope, triad.Section{Name: s, Status: triad.SectionComplete})
	}
	return w
}

func (w *world) unread(section string) {
	w.PutSection(testScope, triad.Section{Name: section, Status: triad.SectionUnread, Reason: "access denied"})
}

func (w *world) put(kind, section, id string, d doc) {
	w.t.Helper()
	raw, err := json.Marshal(d)
	if err != nil {
		w.t.Fatal(err)
	}
	w.PutAsset(testScope, &triad.Asset{ID: id, Kind: kind, Section: section, Doc: raw})
}

func (w *world) vpc(id string, cidrs ...string) {
	set, set6 := []doc{}, []doc{}
	for _, c := range cidrs {
		if strings.Contains(c, ":") {
			set6 = append(set6, doc{"Ipv6CidrBlock": c, "Ipv6CidrBlockState": doc{"State": "associated"}})
		} else {
			set = append(set, doc{"CidrBlock": c, "CidrBlockState": doc{"State": "associated"}})
		}
	}
	w.put("Vpc", sectionVPCs, id, doc{"VpcId": id, "CidrBlock": cidrs[0], "CidrBlockAssociationSet": set, "Ipv6CidrBlockAssociationSet": set6})
}

func (w *world) subnet(vpc, id, zone string, cidrs ...string) {
	set6 := []doc{}
	for _, c := range cidrs[1:] {
		set6 = append(set6, doc{"Ipv6CidrBlock": c, "Ipv6CidrBlockState": doc{"State": "associated"}})
	}
	w.put("Subnet", sectionSubnets, id, doc{"SubnetId": id, "VpcId": vpc, "AvailabilityZone": zone, "CidrBlock": cidrs[0], "Ipv6CidrBlockAssociationSet": set6})
}

// table takes routes as "0.0.0.0/0 igw-1" or "10.0.0.0/8 tgw-1 blackhole"; subnet empty is
// the main table.
func (w *world) table(vpc, id, subnet string, routes ...string) {
	list := []doc{}
	for _, r := range routes {
		f := strings.Fields(r)
		d := doc{"State": "active", "Origin": "CreateRoute"}
		switch {
		case strings.HasPrefix(f[0], "pl-"):
			d["DestinationPrefixListId"] = f[0]
		case strings.Contains(f[0], ":"):
			d["DestinationIpv6CidrBlock"] = f[0]
		default:
			d["DestinationCidrBlock"] = f[0]
		}
		kind, _, _ := strings.Cut(f[1], "-")
		d[map[string]string{
			"local": "GatewayId", "igw": "GatewayId", "vpce": "GatewayId", "vgw": "GatewayId", "nat": "NatGatewayId",
			"tgw": "TransitGatewayId", "pcx": "VpcPeeringConnectionId", "eigw": "EgressOnlyInternetGatewayId", "eni": "NetworkInterfaceId",
		}[kind]] = f[1]
		if len(f) > 2 {
			d["State"] = f[2]
		}
		list = append(list, d)
	}
	assoc := doc{"Main": subnet == "", "RouteTableId": id}
	switch {
	case strings.HasPrefix(subnet, "igw-"):
		assoc["GatewayId"] = subnet
	case subnet != "":
		assoc["SubnetId"] = subnet
	}
	w.put("RouteTable", sectionRouteTables, id, doc{"RouteTableId": id, "VpcId": vpc, "Routes": list, "Associations": []doc{assoc}})
}

// acl takes rules as "in 100 allow tcp 443 0.0.0.0/0", "out 100 allow all - 0.0.0.0/0".
func (w *world) acl(vpc, id string, subnets []string, rules ...string) {
	list := []doc{}
	for _, r := range rules {
		f := strings.Fields(r)
		n, _ := strconv.Atoi(f[1])
		protocol := map[string]string{"tcp": "6", "udp": "17", "icmp": "1", "all": "-1"}[f[3]]
		d := doc{"Egress": f[0] == "out", "RuleNumber": n, "RuleAction": f[2], "Protocol": protocol}
		if f[4] != "-" {
			p, _ := ParsePorts(f[4])
			d["PortRange"] = doc{"From": p.Lo, "To": p.Hi}
		}
		if strings.Contains(f[5], ":") {
			d["Ipv6CidrBlock"] = f[5]
		} else {
			d["CidrBlock"] = f[5]
		}
		list = append(list, d)
	}
	assoc := []doc{}
	for _, s := range subnets {
		assoc = append(assoc, doc{"SubnetId": s, "NetworkAclId": id})
	}
	w.put("NetworkAcl", sectionACLs, id, doc{"NetworkAclId": id, "VpcId": vpc, "IsDefault": len(subnets) == 0, "Entries": list, "Associations": assoc})
}

var openACL = []string{
	"in 100 allow all - 0.0.0.0/0", "out 100 allow all - 0.0.0.0/0",
	"in 101 allow all - ::/0", "out 101 allow all - ::/0",
}

// group takes rules as "in tcp 443 0.0.0.0/0", "in all - sg-2", "out tcp 1-65535 pl-1".
func (w *world) group(vpc, id string, rules ...string) {
	in, out := []doc{}, []doc{}
	for _, r := range rules {
		f := strings.Fields(r)
		d := doc{"IpProtocol": strings.Replace(f[1], "all", "-1", 1)}
		if f[2] != "-" {
			if f[1] == "icmp" {
				typ, code, _ := strings.Cut(f[2], "/")
				d["FromPort"], d["ToPort"] = json.RawMessage(typ), json.RawMessage(code)
			} else {
				p, _ := ParsePorts(f[2])
				d["FromPort"], d["ToPort"] = p.Lo, p.Hi
			}
		}
		switch {
		case strings.HasPrefix(f[3], "sg-"):
			d["UserIdGroupPairs"] = []doc{{"GroupId": f[3]}}
		case strings.HasPrefix(f[3], "pl-"):
			d["PrefixListIds"] = []doc{{"PrefixListId": f[3]}}
		case strings.Contains(f[3], ":"):
			d["Ipv6Ranges"] = []doc{{"CidrIpv6": f[3]}}
		default:
			d["IpRanges"] = []doc{{"CidrIp": f[3]}}
		}
		if f[0] == "in" {
			in = append(in, d)
		} else {
			out = append(out, d)
		}
	}
	w.put("SecurityGroup", sectionGroups, id, doc{"GroupId": id, "VpcId": vpc, "IpPermissions": in, "IpPermissionsEgress": out})
}

// machine adds an instance with one interface; public may be empty, more are IPv6 addresses.
func (w *world) machine(vpc, subnet, id, ip, public, groups string, more ...string) {
	n := nic(vpc, subnet, "eni-"+id, ip, public, groups, more...)
	n["Attachment"] = doc{"InstanceId": id, "DeviceIndex": 0}
	w.put("NetworkInterface", sectionInterfaces, "eni-"+id, n)
	w.put("Instance", sectionInstances, id, doc{"InstanceId": id, "State": doc{"Name": "running"}})
}

func nic(vpc, subnet, id, ip, public, groups string, more ...string) doc {
	n := doc{
		"NetworkInterfaceId": id, "VpcId": vpc, "SubnetId": subnet, "InterfaceType": "interface",
		"PrivateIpAddress": ip, "PrivateIpAddresses": []doc{{"PrivateIpAddress": ip, "Primary": true}},
	}
	list := []doc{}
	for _, g := range strings.Fields(groups) {
		list = append(list, doc{"GroupId": g})
	}
	n["Groups"] = list
	if public != "" {
		n["Association"] = doc{"PublicIp": public}
	}
	six := []doc{}
	for _, a := range more {
		six = append(six, doc{"Ipv6Address": a})
	}
	n["Ipv6Addresses"] = six
	return n
}

func (w *world) gateway(id, vpc string) {
	w.put("InternetGateway", sectionGateways, id, doc{"InternetGatewayId": id, "Attachments": []doc{{"State": "available", "VpcId": vpc}}})
}

// simple is one VPC with a public subnet s-pub (table rtb-pub, igw-1), a private one s-priv
// (the main table, NAT gateway nat-1 in s-pub), open lists, and group sg-open.
func simple(t testing.TB) *world {
	w := newWorld(t)
	w.vpc("vpc-1", "10.0.0.0/16", "2600:1f00::/56")
	w.subnet("vpc-1", "s-pub", "a", "10.0.1.0/24", "2600:1f00:0:1::/64")
	w.subnet("vpc-1", "s-priv", "b", "10.0.2.0/24", "2600:1f00:0:2::/64")
	w.table("vpc-1", "rtb-main", "", "10.0.0.0/16 local", "0.0.0.0/0 nat-1", "2600:1f00::/56 local", "::/0 eigw-1")
	w.table("vpc-1", "rtb-pub", "s-pub", "10.0.0.0/16 local", "0.0.0.0/0 igw-1", "2600:1f00::/56 local", "::/0 igw-1")
	w.acl("vpc-1", "acl-1", nil, openACL...)
	w.gateway("igw-1", "vpc-1")
	w.put("EgressOnlyInternetGateway", sectionEgressOnly, "eigw-1", doc{"EgressOnlyInternetGatewayId": "eigw-1"})
	w.put("NatGateway", sectionNATs, "nat-1", doc{
		"NatGatewayId": "nat-1", "VpcId": "vpc-1", "SubnetId": "s-pub", "State": "available",
		"NatGatewayAddresses": []doc{{"NetworkInterfaceId": "eni-nat", "PrivateIp": "10.0.1.250", "PublicIp": "52.0.0.250"}},
	})
	n := nic("vpc-1", "s-pub", "eni-nat", "10.0.1.250", "52.0.0.250", "")
	n["InterfaceType"] = "nat_gateway"
	w.put("NetworkInterface", sectionInterfaces, "eni-nat", n)
	w.group("vpc-1", "sg-open", "in all - 0.0.0.0/0", "in all - ::/0", "out all - 0.0.0.0/0", "out all - ::/0")
	return w
}

// ask writes a question as "internet:198.51.100.7 > i-1 tcp 443".
func ask(t testing.TB, text string) Question {
	t.Helper()
	f := strings.Fields(text)
	end := func(s string) End {
		switch {
		case strings.HasPrefix(s, "internet"):
			_, ip, _ := strings.Cut(s, ":")
			return End{Kind: "internet", IP: ip}
		case strings.HasPrefix(s, "i-"):
			return End{Kind: "instance", ID: s}
		}
		return End{Kind: "ip", IP: s}
	}
	q := Question{From: end(f[0]), To: end(f[2]), Protocol: f[3]}
	for _, x := range f[4:] {
		switch {
		case x == "some" || x == "all":
			q.Match = x
		case strings.HasPrefix(x, "from:"):
			q.SourcePort, _ = ParsePorts(x[5:])
		default:
			var err error
			if q.Port, err = ParsePorts(x); err != nil {
				t.Fatal(err)
			}
		}
	}
	return q
}

// outcome writes a result as "reachable", "blocked security-group sg-1" or "unknown SECTION".
func outcome(r reach.Result) string {
	s := string(r.Verdict)
	if r.BlockedBy != nil {
		s += strings.TrimRight(" "+r.BlockedBy.Type+" "+r.BlockedBy.ID, " ")
	}
	for _, u := range r.Unread {
		s += " " + u.Section
	}
	return s
}

func (w *world) expect(cases map[string]string) {
	w.t.Helper()
	for q, want := range cases {
		r := Query(w.Estate, ask(w.t, q))
		if got := outcome(r); got != want {
			raw, _ := json.MarshalIndent(r, "", " ")
			w.t.Errorf("%s: %s, want %s\n%s", q, got, want, raw)
		}
	}
}

func path(r reach.Result) string {
	var s []string
	for _, h := range r.Path {
		s = append(s, strings.TrimRight(fmt.Sprint(h.Type, " ", h.ID), " "))
	}
	return strings.Join(s, ", ")
}
