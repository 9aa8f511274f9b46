package aws

import (
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

func TestSecurityGroupsLetInByRangeFamilyPrefixListAndGroup(t *testing.T) {
	w := simple(t)
	w.put("ManagedPrefixList", sectionPrefixLists, "pl-1", doc{"PrefixListId": "pl-1", "Entries": []doc{{"Cidr": "198.51.100.0/24"}, {"Cidr": "203.0.113.0/25"}}})
	w.group("vpc-1", "sg-web",
		"in tcp 443 0.0.0.0/0", "in tcp 22 pl-1", "in tcp 8443 ::/0", "in all - sg-peer", "in icmp 8/0 198.51.100.0/24", "out all - 0.0.0.0/0")
	w.group("vpc-1", "sg-peer", "out tcp 443 0.0.0.0/0", "out tcp 5432 sg-web")
	w.group("vpc-1", "sg-mute")
	w.machine("vpc-1", "s-pub", "i-web", "10.0.1.10", "52.0.0.10", "sg-web", "2600:1f00:0:1::10")
	w.machine("vpc-1", "s-priv", "i-peer", "10.0.2.10", "", "sg-peer")
	w.machine("vpc-1", "s-pub", "i-mute", "10.0.1.11", "52.0.0.11", "sg-mute")
	w.machine("vpc-1", "s-pub", "i-two", "10.0.1.12", "52.0.0.12", "sg-mute sg-web")
	w.expect(map[string]string{
		"internet > i-web tcp 443":                   "reachable",
		"internet > i-web tcp 80":                    "blocked security-group sg-web",
		"internet > i-web udp 443":                   "blocked security-group sg-web",
		"internet:198.51.100.9 > i-web tcp 22":       "reachable",
		"internet:203.0.113.200 > i-web tcp 22":      "blocked security-group sg-web",
		"internet > i-web tcp 22":                    "reachable",
		"internet:2001:db8::7 > i-web tcp 8443":      "reachable",
		"internet:198.51.100.9 > 52.0.0.10 tcp 8443": "blocked security-group sg-web",
		"internet:198.51.100.9 > i-web icmp":         "reachable",
		"internet:203.0.113.9 > i-web icmp":          "blocked security-group sg-web",
		"i-peer > i-web tcp 443":                     "reachable",
		"i-peer > i-web tcp 5432":                    "reachable",
		"i-peer > i-web tcp 5433":                    "blocked security-group sg-peer",
		"i-mute > i-web tcp 443":                     "blocked security-group sg-mute",
		"internet > i-mute tcp 443":                  "blocked security-group sg-mute",
		"internet > i-two tcp 443":                   "reachable",
		"internet > i-web tcp 400-500":               "blocked security-group sg-web",
		"internet > i-web tcp 400-500 some":          "reachable",
		"internet > i-web any":                       "blocked security-group sg-web",
		"internet > i-web any some":                  "reachable",
	})
}

func TestNetworkACLsGoByRuleNumberNotByOrderInTheDocument(t *testing.T) {
	w := simple(t)
	w.acl("vpc-1", "acl-pub", []string{"s-pub"},
		"in 32767 deny all - 0.0.0.0/0",
		"in 200 allow tcp 1-65535 0.0.0.0/0",
		"in 100 deny tcp 22 0.0.0.0/0",
		"in 90 allow tcp 22 198.51.100.0/24",
		"out 100 allow all - 0.0.0.0/0")
	w.machine("vpc-1", "s-pub", "i-1", "10.0.1.10", "52.0.0.10", "sg-open")
	w.expect(map[string]string{
		"internet:198.51.100.7 > i-1 tcp 22":        "reachable",
		"internet:203.0.113.7 > i-1 tcp 22":         "blocked network-acl acl-pub",
		"internet > i-1 tcp 23":                     "reachable",
		"internet > i-1 udp 53":                     "blocked network-acl acl-pub",
		"internet > i-1 tcp 1-65535":                "reachable", // from the listed addresses every port is open
		"internet:203.0.113.7 > i-1 tcp 21-23":      "blocked network-acl acl-pub",
		"internet:203.0.113.7 > i-1 tcp 21-23 some": "reachable",
	})
}

func TestNetworkACLsAreAskedForTheAnswersWayBack(t *testing.T) {
	w := simple(t)
	w.acl("vpc-1", "acl-pub", []string{"s-pub"},
		"in 100 allow all - 0.0.0.0/0",
		"out 100 allow tcp 1025-5000 0.0.0.0/0",
		"out 110 allow tcp 32768-60999 198.51.100.0/24")
	w.machine("vpc-1", "s-pub", "i-1", "10.0.1.10", "52.0.0.10", "sg-open")
	w.machine("vpc-1", "s-pub", "i-2", "10.0.1.11", "", "sg-open")
	w.machine("vpc-1", "s-priv", "i-3", "10.0.2.10", "", "sg-open")
	w.expect(map[string]string{
		"internet > i-1 tcp 80":                              "reachable",
		"internet:203.0.113.7 > i-1 tcp 80 from:32768-60999": "blocked network-acl acl-pub",
		"internet:203.0.113.7 > i-1 tcp 80 from:4000":        "reachable",
		"internet:198.51.100.7 > i-1 tcp 80 from:40000":      "reachable",
		"internet:203.0.113.7 > i-1 udp 80 from:40000":       "reachable", // udp needs no answer
		"i-2 > i-1 tcp 80 from:40000":                        "reachable", // inside a subnet no list is asked
		"i-3 > i-1 tcp 80 from:40000":                        "blocked network-acl acl-pub",
		"i-3 > i-1 tcp 80":                                   "reachable",
		"i-1 > i-3 tcp 80":                                   "blocked network-acl acl-pub",
		"i-1 > i-3 tcp 2000":                                 "reachable",
	})
	r := Query(w.Estate, ask(t, "i-3 > i-1 tcp 80 from:40000"))
	if r.BlockedBy.Reason[:10] != "the answer" {
		t.Errorf("the reason does not say that it is the answer: %s", r.BlockedBy.Reason)
	}
}

func TestWhoGetsInMustBeWhoGetsAnAnswer(t *testing.T) {
	w := simple(t)
	w.acl("vpc-1", "acl-pub", []string{"s-pub"},
		"in 100 allow all - 198.51.100.0/24", "out 100 allow all - 203.0.113.0/24")
	w.machine("vpc-1", "s-pub", "i-1", "10.0.1.10", "52.0.0.10", "sg-open")
	w.expect(map[string]string{"internet > i-1 tcp 80": "blocked network-acl acl-pub"})
}

func TestTheLongestPrefixWinsAndBlackholesSwallow(t *testing.T) {
	w := simple(t)
	w.table("vpc-1", "rtb-pub", "s-pub", "10.0.0.0/16 local", "0.0.0.0/0 igw-1",
		"198.51.100.0/24 pcx-gone blackhole", "198.51.100.128/25 igw-1")
	w.machine("vpc-1", "s-pub", "i-1", "10.0.1.10", "52.0.0.10", "sg-open")
	w.expect(map[string]string{
		"i-1 > 198.51.100.7 tcp 80":            "blocked route rtb-pub",
		"i-1 > 198.51.100.200 tcp 80":          "reachable",
		"i-1 > 8.8.8.8 tcp 80":                 "reachable",
		"internet:198.51.100.7 > i-1 tcp 80":   "blocked route rtb-pub",
		"internet:198.51.100.200 > i-1 tcp 80": "reachable",
	})
}

func TestASubnetWithoutItsOwnTableUsesTheMainOne(t *testing.T) {
	w := simple(t)
	w.machine("vpc-1", "s-priv", "i-1", "10.0.2.10", "52.0.0.10", "sg-open")
	w.expect(map[string]string{"internet > i-1 tcp 80": "blocked route rtb-main"})
	w.table("vpc-1", "rtb-own", "s-priv", "10.0.0.0/16 local", "0.0.0.0/0 igw-1")
	w.expect(map[string]string{"internet > i-1 tcp 80": "reachable"})
}

func TestPrivateInstancesAreStoppedByTheRouteAndAlsoByTheirAddress(t *testing.T) {
	w := simple(t)
	w.group("vpc-1", "sg-shut")
	w.machine("vpc-1", "s-priv", "i-1", "10.0.2.10", "", "sg-shut")
	w.machine("vpc-1", "s-pub", "i-2", "10.0.1.10", "", "sg-open")
	r := Query(w.Estate, ask(t, "internet > i-1 tcp 80"))
	var also []string
	for _, h := range r.AlsoBlockedBy {
		also = append(also, h.Type)
	}
	if outcome(r) != "blocked route rtb-main" || len(also) != 2 || also[0] != "private-address" || also[1] != "security-group" {
		t.Errorf("%s, also %v", outcome(r), also)
	}
	w.expect(map[string]string{
		"internet > i-2 tcp 80":       "blocked private-address 10.0.1.10",
		"internet > 10.0.1.10 tcp 80": "blocked private-address 10.0.1.10",
		"internet > 52.9.9.9 tcp 80":  "blocked no-such-address 52.9.9.9",
	})
}

func TestNATGatewaysLetOutTCPUDPAndICMPAndNothingIn(t *testing.T) {
	w := simple(t)
	w.machine("vpc-1", "s-priv", "i-1", "10.0.2.10", "", "sg-open")
	w.machine("vpc-1", "s-pub", "i-2", "10.0.1.10", "52.0.0.10", "sg-open")
	w.group("vpc-1", "sg-nat-only", "in tcp 443 52.0.0.250/32", "out all - 0.0.0.0/0")
	w.machine("vpc-1", "s-pub", "i-3", "10.0.1.11", "52.0.0.11", "sg-nat-only")
	w.expect(map[string]string{
		"i-1 > 8.8.8.8 tcp 443":        "reachable",
		"i-1 > 8.8.8.8 udp 53":         "reachable",
		"i-1 > 8.8.8.8 icmp":           "reachable",
		"i-1 > 8.8.8.8 any":            "reachable",
		"i-1 > 8.8.8.8 47":             "blocked nat-gateway nat-1",
		"internet > 52.0.0.250 tcp 80": "blocked nat-gateway nat-1",
		"i-2 > 10.0.1.250 tcp 80":      "blocked nat-gateway nat-1",
		"i-1 > 52.0.0.11 tcp 443":      "reachable", // comes back in as the gateway's address
		"i-2 > 52.0.0.11 tcp 443":      "blocked security-group sg-nat-only",
	})
	w.acl("vpc-1", "acl-pub", []string{"s-pub"}, "in 100 allow all - 10.0.0.0/16", "in 110 allow tcp 1-1023 0.0.0.0/0", "out 100 allow all - 0.0.0.0/0")
	w.expect(map[string]string{"i-1 > 8.8.8.8 tcp 443": "blocked network-acl acl-pub"})
}

func TestIPv6GoesInThroughTheInternetGatewayAndOnlyOutThroughTheEgressOnlyOne(t *testing.T) {
	w := simple(t)
	w.machine("vpc-1", "s-pub", "i-1", "10.0.1.10", "", "sg-open", "2600:1f00:0:1::10")
	w.machine("vpc-1", "s-priv", "i-2", "10.0.2.10", "", "sg-open", "2600:1f00:0:2::10")
	w.expect(map[string]string{
		"internet > i-1 tcp 80":                           "reachable",
		"internet:198.51.100.7 > i-1 tcp 80":              "blocked private-address 10.0.1.10",
		"internet:2001:db8::7 > 2600:1f00:0:1::10 tcp 80": "reachable",
		"internet > 2600:1f00:0:2::10 tcp 80":             "blocked route rtb-main",
		"i-2 > 2001:db8::7 tcp 80":                        "reachable",
		"i-2 > 2600:1f00:0:1::10 tcp 80":                  "reachable",
		"i-2 > 2001:db8::7 icmp":                          "reachable",
	})
}

func TestPeeringNeedsRoutesBothWaysAndLeadsNoFurther(t *testing.T) {
	w := simple(t)
	w.vpc("vpc-2", "10.2.0.0/16")
	w.subnet("vpc-2", "s-2", "a", "10.2.1.0/24")
	w.acl("vpc-2", "acl-2", nil, openACL...)
	w.group("vpc-2", "sg-2", "in tcp 5432 sg-open", "out all - 0.0.0.0/0")
	w.machine("vpc-2", "s-2", "i-2", "10.2.1.10", "", "sg-2")
	w.machine("vpc-1", "s-priv", "i-1", "10.0.2.10", "", "sg-open")
	side := func(vpc, cidr string) doc {
		return doc{"VpcId": vpc, "CidrBlock": cidr, "CidrBlockSet": []doc{{"CidrBlock": cidr}}, "OwnerId": "111122223333", "Region": "us-east-1"}
	}
	peer := func(status string) {
		w.put("VpcPeeringConnection", sectionPeerings, "pcx-1", doc{
			"VpcPeeringConnectionId": "pcx-1", "Status": doc{"Code": status},
			"AccepterVpcInfo": side("vpc-2", "10.2.0.0/16"), "RequesterVpcInfo": side("vpc-1", "10.0.0.0/16"),
		})
	}
	peer("active")
	w.table("vpc-1", "rtb-main", "", "10.0.0.0/16 local", "10.2.0.0/16 pcx-1", "10.3.0.0/16 pcx-1")
	w.table("vpc-2", "rtb-2", "", "10.2.0.0/16 local")
	w.expect(map[string]string{
		"i-1 > i-2 tcp 5432":      "blocked route rtb-2",
		"i-1 > 10.2.9.9 tcp 5432": "blocked no-such-address 10.2.9.9",
		"i-1 > 10.2.1.9 tcp 5432": "blocked no-such-address 10.2.1.9",
		"i-1 > 10.3.1.9 tcp 5432": "blocked route rtb-main",
	})
	w.table("vpc-2", "rtb-2", "", "10.2.0.0/16 local", "10.0.0.0/16 pcx-1")
	w.expect(map[string]string{
		"i-1 > i-2 tcp 5432": "reachable", // a reference to a group holds across peering
		"i-1 > i-2 tcp 5433": "blocked security-group sg-2",
	})
	peer("pending-acceptance")
	w.expect(map[string]string{"i-1 > i-2 tcp 5432": "blocked route rtb-main"})
}

func transitWorld(t *testing.T) *world {
	w := simple(t)
	w.vpc("vpc-2", "10.2.0.0/16")
	w.subnet("vpc-2", "s-2", "a", "10.2.1.0/24")
	w.acl("vpc-2", "acl-2", nil, openACL...)
	w.group("vpc-2", "sg-2", "in tcp 80 10.0.0.0/8", "in tcp 81 sg-open", "out all - 0.0.0.0/0")
	w.machine("vpc-2", "s-2", "i-2", "10.2.1.10", "", "sg-2")
	w.machine("vpc-1", "s-priv", "i-b", "10.0.2.10", "", "sg-open")
	w.machine("vpc-1", "s-pub", "i-a", "10.0.1.10", "", "sg-open")
	w.table("vpc-1", "rtb-main", "", "10.0.0.0/16 local", "10.0.0.0/8 tgw-1")
	w.table("vpc-1", "rtb-pub", "s-pub", "10.0.0.0/16 local", "10.0.0.0/8 tgw-1")
	w.table("vpc-2", "rtb-2", "", "10.2.0.0/16 local", "0.0.0.0/0 tgw-1")
	w.put("TransitGateway", sectionTransits, "tgw-1", doc{"TransitGatewayId": "tgw-1", "Options": doc{"SecurityGroupReferencingSupport": "disable"}})
	w.attach("tgw-attach-1", "vpc-1", "tgw-rtb-1", "s-priv")
	w.attach("tgw-attach-2", "vpc-2", "tgw-rtb-1", "s-2")
	return w
}

func (w *world) attach(id, vpc, table string, subnets ...string) {
	w.put("TransitGatewayAttachment", sectionAttachments, id, doc{
		"TransitGatewayAttachmentId": id, "TransitGatewayId": "tgw-1", "ResourceType": "vpc", "ResourceId": vpc, "VpcId": vpc,
		"SubnetIds": subnets, "State": "available", "Association": doc{"TransitGatewayRouteTableId": table, "State": "associated"},
	})
}

func (w *world) transitTable(id string, routes []doc, propagated ...string) {
	list := []doc{}
	for _, p := range propagated {
		list = append(list, doc{"TransitGatewayAttachmentId": p, "ResourceType": "vpc", "State": "enabled"})
	}
	if routes == nil {
		routes = []doc{}
	}
	w.put("TransitGatewayRouteTable", sectionTransitTables, id, doc{"TransitGatewayRouteTableId": id, "TransitGatewayId": "tgw-1", "Routes": routes, "Propagations": list})
}

func TestTransitGatewaysGoByZoneTableAndPropagation(t *testing.T) {
	w := transitWorld(t)
	w.transitTable("tgw-rtb-1", nil, "tgw-attach-1", "tgw-attach-2")
	w.expect(map[string]string{
		"i-b > i-2 tcp 80":      "reachable",
		"i-a > i-2 tcp 80":      "blocked route rtb-pub", // no subnet of the attachment in zone a
		"i-b > i-2 tcp 81":      "blocked security-group sg-2",
		"i-b > i-2 tcp 82":      "blocked security-group sg-2",
		"i-b > 10.3.0.1 tcp 80": "blocked route tgw-rtb-1",
		"i-2 > i-a udp 80":      "reachable",             // into the VPC the zone does not matter
		"i-2 > i-a tcp 80":      "blocked route rtb-pub", // the answer starts in zone a
		"i-2 > i-b tcp 80":      "reachable",
	})
	w.put("TransitGateway", sectionTransits, "tgw-1", doc{"TransitGatewayId": "tgw-1", "Options": doc{"SecurityGroupReferencingSupport": "enable"}})
	w.expect(map[string]string{"i-b > i-2 tcp 81": "reachable"})
	w.group("vpc-1", "sg-open", "in all - 0.0.0.0/0", "out tcp 81 sg-2", "out tcp 80 0.0.0.0/0") // outbound rules cannot refer across
	w.expect(map[string]string{"i-b > i-2 tcp 81": "blocked security-group sg-open"})
	w.group("vpc-1", "sg-open", "in all - 0.0.0.0/0", "out all - 0.0.0.0/0")

	w.transitTable("tgw-rtb-1", []doc{{"DestinationCidrBlock": "10.2.1.0/24", "State": "blackhole", "Type": "static"}}, "tgw-attach-1", "tgw-attach-2")
	w.expect(map[string]string{"i-b > i-2 tcp 80": "blocked route tgw-rtb-1"})

	// Separate tables: the answer's table does not lead back.
	w.attach("tgw-attach-2", "vpc-2", "tgw-rtb-2", "s-2")
	w.transitTable("tgw-rtb-1", nil, "tgw-attach-2")
	w.transitTable("tgw-rtb-2", nil)
	w.expect(map[string]string{
		"i-b > i-2 tcp 80": "blocked route tgw-rtb-2",
		"i-b > i-2 udp 80": "blocked security-group sg-2",
	})
	w.transitTable("tgw-rtb-2", []doc{{
		"DestinationCidrBlock": "10.0.0.0/16", "State": "active", "Type": "static",
		"TransitGatewayAttachments": []doc{{"TransitGatewayAttachmentId": "tgw-attach-1", "ResourceType": "vpc"}},
	}})
	w.expect(map[string]string{"i-b > i-2 tcp 80": "reachable"})
}

func TestNetworkACLsAroundATransitGatewayAreThoseOfTheAttachmentsSubnets(t *testing.T) {
	w := transitWorld(t)
	w.transitTable("tgw-rtb-1", nil, "tgw-attach-1", "tgw-attach-2")
	// i-2 stands in the attachment's own subnet s-2: what comes from the gateway meets no list,
	// its answer meets both directions.
	w.acl("vpc-2", "acl-s2", []string{"s-2"}, "in 100 deny all - 10.0.0.0/16", "in 110 allow all - 10.2.0.0/16", "out 100 allow all - 0.0.0.0/0")
	w.expect(map[string]string{"i-b > i-2 tcp 80": "reachable"})
	w.acl("vpc-2", "acl-s2", []string{"s-2"}, "in 110 allow all - 10.0.0.0/8", "out 100 deny all - 10.0.0.0/16")
	w.expect(map[string]string{
		"i-b > i-2 tcp 80": "blocked network-acl acl-s2",
		"i-b > i-2 udp 80": "blocked security-group sg-2",
		"i-2 > i-b udp 80": "blocked network-acl acl-s2",
	})
	// In another subnet than the attachment's, both lists are asked.
	w.acl("vpc-2", "acl-s2", []string{"s-2"}, openACL...)
	w.subnet("vpc-2", "s-2b", "a", "10.2.2.0/24")
	w.attach("tgw-attach-2", "vpc-2", "tgw-rtb-1", "s-2b")
	w.acl("vpc-2", "acl-s2b", []string{"s-2b"}, "in 100 allow all - 0.0.0.0/0", "out 100 deny tcp 80 10.2.1.0/24", "out 110 allow all - 0.0.0.0/0")
	w.expect(map[string]string{
		"i-b > i-2 tcp 80": "blocked network-acl acl-s2b",
		"i-2 > i-b tcp 80": "reachable",
	})
}

func TestACentralNATIsReachedThroughATransitGateway(t *testing.T) {
	w := transitWorld(t)
	w.table("vpc-1", "rtb-main", "", "10.0.0.0/16 local", "10.0.0.0/8 tgw-1", "0.0.0.0/0 nat-1")
	w.table("vpc-1", "rtb-pub", "s-pub", "10.0.0.0/16 local", "10.0.0.0/8 tgw-1", "0.0.0.0/0 igw-1")
	w.transitTable("tgw-rtb-1", []doc{{
		"DestinationCidrBlock": "0.0.0.0/0", "State": "active", "Type": "static",
		"TransitGatewayAttachments": []doc{{"TransitGatewayAttachmentId": "tgw-attach-1", "ResourceType": "vpc"}},
	}}, "tgw-attach-1", "tgw-attach-2")
	r := Query(w.Estate, ask(t, "i-2 > 8.8.8.8 tcp 443"))
	if r.Verdict != reach.Reachable {
		t.Fatalf("%+v", r)
	}
	const want = "instance i-2, security-group sg-2, network-acl acl-2, route rtb-2, network-acl acl-2, transit-gateway tgw-1, route tgw-rtb-1, network-acl acl-1, route rtb-main, network-acl acl-1, nat-gateway nat-1, network-acl acl-1, route rtb-pub, internet-gateway igw-1, internet"
	if got := path(r); got != want {
		t.Errorf("path %s\nwant %s", got, want)
	}
}

func TestGatewayEndpointsLeadToTheirServiceByPrefixList(t *testing.T) {
	w := simple(t)
	w.table("vpc-1", "rtb-main", "", "10.0.0.0/16 local", "pl-s3 vpce-1")
	w.put("ManagedPrefixList", sectionAWSPrefixLists, "pl-s3", doc{"PrefixListId": "pl-s3", "Cidrs": []string{"52.216.0.0/15"}})
	w.put("VpcEndpoint", sectionEndpoints, "vpce-1", doc{"VpcEndpointId": "vpce-1", "VpcEndpointType": "Gateway", "State": "available", "VpcId": "vpc-1"})
	w.machine("vpc-1", "s-priv", "i-1", "10.0.2.10", "", "sg-open")
	w.expect(map[string]string{
		"i-1 > 52.216.1.1 tcp 443": "reachable",
		"i-1 > 8.8.8.8 tcp 443":    "blocked route rtb-main",
	})
	w.put("VpcEndpoint", sectionEndpoints, "vpce-1", doc{"VpcEndpointId": "vpce-1", "VpcEndpointType": "Gateway", "State": "deleting", "VpcId": "vpc-1"})
	w.expect(map[string]string{"i-1 > 52.216.1.1 tcp 443": "blocked vpc-endpoint vpce-1"})
}

func TestWhatAnApplianceDecidesIsUnknown(t *testing.T) {
	w := simple(t)
	n := nic("vpc-1", "s-pub", "eni-fw", "10.0.1.99", "", "sg-open")
	n["SourceDestCheck"] = false
	w.put("NetworkInterface", sectionInterfaces, "eni-fw", n)
	w.table("vpc-1", "rtb-main", "", "10.0.0.0/16 local", "0.0.0.0/0 eni-fw")
	w.machine("vpc-1", "s-priv", "i-1", "10.0.2.10", "", "sg-open")
	w.machine("vpc-1", "s-pub", "i-2", "10.0.1.10", "52.0.0.10", "sg-open")
	w.expect(map[string]string{"i-1 > 8.8.8.8 tcp 443": "unknown " + sectionRouteTables})
	n["SourceDestCheck"] = true
	w.put("NetworkInterface", sectionInterfaces, "eni-fw", n)
	w.expect(map[string]string{"i-1 > 8.8.8.8 tcp 443": "blocked route rtb-main"})

	w.table("vpc-1", "rtb-edge", "igw-1", "10.0.0.0/16 local", "10.0.1.0/24 vpce-fw")
	w.expect(map[string]string{"internet > i-2 tcp 443": "unknown " + sectionRouteTables})
}

func TestATerminatedInstanceIsNotReachedAndAStoppedOneCouldBeStarted(t *testing.T) {
	w := simple(t)
	w.machine("vpc-1", "s-pub", "i-1", "10.0.1.10", "52.0.0.10", "sg-open")
	state := func(s string) {
		w.put("Instance", sectionInstances, "i-1", doc{"InstanceId": "i-1", "State": doc{"Name": s}})
	}
	state("stopped")
	w.expect(map[string]string{"internet > i-1 tcp 80": "reachable"})
	state("shutting-down")
	w.expect(map[string]string{"internet > i-1 tcp 80": "blocked instance i-1"})
}

func TestAnUnreadSectionMakesTheVerdictUnknownUnlessSomethingElseSurelyStops(t *testing.T) {
	build := func() *world {
		w := simple(t)
		w.group("vpc-1", "sg-443", "in tcp 443 0.0.0.0/0", "out all - 0.0.0.0/0")
		w.machine("vpc-1", "s-pub", "i-1", "10.0.1.10", "52.0.0.10", "sg-443")
		return w
	}
	for _, section := range []string{sectionInterfaces, sectionGroups, sectionACLs, sectionRouteTables, sectionGateways} {
		w := build()
		w.unread(section)
		w.expect(map[string]string{"internet > i-1 tcp 443": "unknown " + section})
		want := "blocked security-group sg-443"
		if section == sectionGroups || section == sectionInterfaces {
			want = "unknown " + section
		}
		w.expect(map[string]string{"internet > i-1 tcp 80": want})
	}
	w := build()
	w.Remove(testScope, triad.RowSection, sectionGroups)
	w.expect(map[string]string{"internet > i-1 tcp 443": "unknown " + sectionGroups})

	w = build()
	w.PutSection(testScope, triad.Section{Name: sectionPeerings, Status: triad.SectionAbsent})
	w.expect(map[string]string{"internet > i-1 tcp 443": "reachable"})

	w = build()
	w.unread(sectionInterfaces)
	w.expect(map[string]string{"internet > 52.9.9.9 tcp 443": "unknown " + sectionInterfaces})
}

func TestARowThatCannotBeDecodedIsNotTakenForAbsent(t *testing.T) {
	w := simple(t)
	w.machine("vpc-1", "s-pub", "i-1", "10.0.1.10", "52.0.0.10", "sg-open")
	w.PutAsset(testScope, &triad.Asset{ID: "acl-9", Kind: "NetworkAcl", Section: sectionACLs, Doc: []byte(`{"NetworkAclId":"acl-9","Associations":"?"}`)})
	w.expect(map[string]string{"internet > i-1 tcp 443": "unknown " + sectionACLs})
}

func TestAPrefixListThatWasNotReadIsUnknownOnlyWhereItDecides(t *testing.T) {
	w := simple(t)
	w.group("vpc-1", "sg-1", "in tcp 443 0.0.0.0/0", "in tcp 22 pl-9", "out all - 0.0.0.0/0")
	w.machine("vpc-1", "s-pub", "i-1", "10.0.1.10", "52.0.0.10", "sg-1")
	w.unread(sectionPrefixLists)
	w.expect(map[string]string{
		"internet > i-1 tcp 443": "reachable",
		"internet > i-1 tcp 22":  "unknown " + sectionPrefixLists,
		"internet > i-1 tcp 23":  "blocked security-group sg-1",
	})
}

func TestTheInternetIsADestinationToo(t *testing.T) {
	w := simple(t)
	w.group("vpc-1", "sg-out", "out tcp 443 198.51.100.0/24")
	w.group("vpc-1", "sg-inside", "out all - 10.0.0.0/8")
	w.machine("vpc-1", "s-priv", "i-1", "10.0.2.10", "", "sg-out")
	w.machine("vpc-1", "s-priv", "i-2", "10.0.2.11", "", "sg-inside")
	to := End{Kind: "internet"}
	for id, want := range map[string]string{"i-1": "reachable", "i-2": "blocked security-group sg-inside"} {
		r := Query(w.Estate, Question{From: End{Kind: "instance", ID: id}, To: to, Protocol: "tcp", Port: PortRange{443, 443}})
		if got := outcome(r); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
	r := Query(w.Estate, Question{From: End{Kind: "instance", ID: "i-2"}, To: to, Protocol: "tcp"})
	if got, want := r.BlockedBy.Evidence.Detail, "only all protocols to 10.0.0.0/8"; got != want {
		t.Errorf("evidence %q, want %q", got, want)
	}
}
