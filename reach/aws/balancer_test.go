package aws

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// balancer adds a load balancer; its kind is the "app" or "net" of its ARN.
func (w *world) balancer(kind, name, scheme, groups string, subnets ...string) string {
	arn := "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/" + kind + "/" + name + "/1"
	zones := []doc{}
	for _, s := range subnets {
		zones = append(zones, doc{"SubnetId": s})
	}
	typ := map[string]string{"app": "application", "net": "network"}[kind]
	w.put("LoadBalancer", sectionBalancers, arn, doc{
		"LoadBalancerArn": arn, "LoadBalancerName": name, "Scheme": scheme, "Type": typ, "VpcId": "vpc-1",
		"State": doc{"Code": "active"}, "AvailabilityZones": zones, "SecurityGroups": strings.Fields(groups),
	})
	return arn
}

// node adds an interface of a load balancer.
func (w *world) node(lb, subnet, ip, public, groups string) {
	_, suffix, _ := strings.Cut(lb, ":loadbalancer/")
	id := "eni-" + strings.ReplaceAll(suffix, "/", "-") + "-" + subnet
	n := nic("vpc-1", subnet, id, ip, public, groups)
	n["Description"], n["RequesterId"] = "ELB "+suffix, "amazon-elb"
	if strings.HasPrefix(suffix, "net/") {
		n["InterfaceType"] = "network_load_balancer"
	}
	w.put("NetworkInterface", sectionInterfaces, id, n)
}

func (w *world) listener(lb, protocol string, port int, actions []doc, rules ...doc) string {
	arn := strings.Replace(lb, ":loadbalancer/", ":listener/", 1) + "/" + protocol
	d := doc{"ListenerArn": arn, "LoadBalancerArn": lb, "Port": port, "Protocol": protocol, "DefaultActions": actions}
	if strings.Contains(lb, "/app/") {
		d["Rules"] = append(rules, doc{"Priority": "default", "IsDefault": true, "Actions": actions})
	}
	w.put("Listener", sectionListeners, arn, d)
	return arn
}

func forward(group string) []doc { return []doc{{"Type": "forward", "TargetGroupArn": group}} }

var refuse = []doc{{"Type": "fixed-response"}}

// group4 adds a target group with targets as "10.0.2.10:8080 b healthy" or "i-1:8080".
func (w *world) targets(name, protocol, typ string, attrs []doc, targets ...string) string {
	arn := "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/" + name + "/1"
	health := []doc{}
	for _, x := range targets {
		f := strings.Fields(x)
		i := strings.LastIndexByte(f[0], ':')
		t := doc{"Id": f[0][:i], "Port": json.RawMessage(f[0][i+1:])}
		if typ == "lambda" {
			t = doc{"Id": f[0]}
		}
		state := "healthy"
		if len(f) > 1 {
			t["AvailabilityZone"] = f[1]
		}
		if len(f) > 2 {
			state = f[2]
		}
		health = append(health, doc{"Target": t, "TargetHealth": doc{"State": state, "Reason": "Target.NotInUse"}})
	}
	d := doc{
		"TargetGroupArn": arn, "TargetGroupName": name, "Protocol": protocol, "Port": 80, "VpcId": "vpc-1", "TargetType": typ,
		"LoadBalancerArns": []string{"arn:some"}, "TargetHealthDescriptions": health,
	}
	if attrs != nil {
		d["Attributes"] = attrs
	}
	w.put("TargetGroup", sectionTargetGroups, arn, d)
	return arn
}

// webWorld has a private machine i-1 (10.0.2.10, group sg-app) that takes tcp 8080 from the
// group sg-lb only.
func webWorld(t testing.TB) *world {
	w := simple(t)
	w.group("vpc-1", "sg-lb", "in tcp 80-443 0.0.0.0/0", "out all - 0.0.0.0/0")
	w.group("vpc-1", "sg-app", "in tcp 8080 sg-lb", "out all - 0.0.0.0/0")
	w.machine("vpc-1", "s-priv", "i-1", "10.0.2.10", "", "sg-app")
	return w
}

var app = Target{Address: netip.MustParseAddr("10.0.2.10"), Network: "vpc-1"}

// ways writes the results of FromInternet as "open 443", "controlled 443 198.51.100.0/24",
// "small route rtb-main", "unknown SECTION".
func (w *world) ways(to Target, port int) (out []string) {
	for _, r := range FromInternet(w.Estate, to, "tcp", port) {
		s := string(r.Exposure)
		switch r.Verdict {
		case reach.Reachable:
			s += " " + PortRange{uint16(r.Port), uint16(r.Port)}.String()
			for _, x := range r.Sources {
				s += " " + x
			}
		case reach.Blocked:
			s += " " + strings.TrimRight(r.BlockedBy.Type+" "+shorten(r.BlockedBy.ID), " ")
		case reach.Unknown:
			for _, u := range r.Unread {
				s += " " + u.Section
			}
		}
		out = append(out, s)
	}
	return out
}

func shorten(id string) string {
	if i := strings.Index(id, "111122223333:"); i >= 0 {
		return id[i+13:]
	}
	return id
}

func (w *world) expectWays(to Target, port int, want ...string) {
	w.t.Helper()
	got := w.ways(to, port)
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		raw, _ := json.MarshalIndent(FromInternet(w.Estate, to, "tcp", port), "", " ")
		w.t.Errorf("ways: %q\nwant: %q\n%s", got, want, raw)
	}
}

func TestAnApplicationLoadBalancerLeadsToItsTargetsByItsRules(t *testing.T) {
	w := webWorld(t)
	lb := w.balancer("app", "web", "internet-facing", "sg-lb", "s-pub")
	w.node(lb, "s-pub", "10.0.1.100", "3.0.0.1", "sg-lb")
	tg := w.targets("web", "HTTP", "ip", nil, "10.0.2.10:8080 b")
	byHost := doc{"Priority": "5", "Actions": forward(tg), "Conditions": []doc{{"Field": "host-header", "HostHeaderConfig": doc{"Values": []string{"a.example"}}}}}
	w.listener(lb, "HTTP", 80, refuse, byHost)
	w.expectWays(app, 8080, "open 80", "small route rtb-main")
	w.expectWays(app, 8081, "small route rtb-main")

	bySource := doc{"Priority": "5", "Actions": forward(tg), "Conditions": []doc{{"Field": "source-ip", "SourceIpConfig": doc{"Values": []string{"198.51.100.0/24"}}}}}
	w.listener(lb, "HTTP", 80, refuse, bySource)
	w.expectWays(app, 8080, "controlled 80 198.51.100.0/24", "small route rtb-main")

	first := doc{"Priority": "1", "Actions": refuse, "Conditions": []doc{{"Field": "path-pattern", "PathPatternConfig": doc{"Values": []string{"/*"}}}}}
	l := w.listener(lb, "HTTP", 80, refuse, byHost, first)
	w.expectWays(app, 8080, "small listener listener/app/web/1/HTTP", "small route rtb-main")

	login := doc{"Priority": "5", "Actions": append([]doc{{"Type": "authenticate-oidc"}}, forward(tg)...)}
	w.listener(lb, "HTTP", 80, refuse, login)
	w.expectWays(app, 8080, "controlled 80", "small route rtb-main")

	// Rules that were not read may forward.
	w.unread(sectionRules)
	w.put("Listener", sectionListeners, l, doc{"ListenerArn": l, "LoadBalancerArn": lb, "Port": 80, "Protocol": "HTTP", "DefaultActions": refuse})
	w.expectWays(app, 8080, "unknown "+sectionRules, "small route rtb-main")
	w.expect(map[string]string{
		"internet > 3.0.0.1 tcp 80": "unknown " + sectionRules,
		"internet > 3.0.0.1 tcp 81": "blocked listener " + lb,
	})
}

func TestTheTargetsOwnGroupAndListStandBehindTheLoadBalancer(t *testing.T) {
	w := webWorld(t)
	lb := w.balancer("app", "web", "internet-facing", "sg-lb", "s-pub")
	w.node(lb, "s-pub", "10.0.1.100", "3.0.0.1", "sg-lb")
	tg := w.targets("web", "HTTP", "ip", nil, "10.0.2.10:8080 b")
	w.listener(lb, "HTTP", 80, forward(tg))
	w.acl("vpc-1", "acl-priv", []string{"s-priv"}, "in 100 allow all - 0.0.0.0/0", "out 100 allow tcp 1-1023 0.0.0.0/0")
	w.expectWays(app, 8080, "small network-acl acl-priv", "small route rtb-main")
	w.acl("vpc-1", "acl-priv", []string{"s-priv"}, openACL...)
	w.group("vpc-1", "sg-app", "in tcp 8080 198.51.100.0/24")
	w.expectWays(app, 8080, "small security-group sg-app", "small route rtb-main")
	w.group("vpc-1", "sg-app", "in tcp 8080 10.0.1.0/24")
	w.expectWays(app, 8080, "open 80", "small route rtb-main")
}

func TestTargetsThatAreUnhealthyCountAndThoseThatLeaveDoNot(t *testing.T) {
	for state, want := range map[string]string{
		"healthy": "open 80", "unhealthy": "open 80", "initial": "open 80",
		"draining": "small target-group targetgroup/web/1", "unused": "small target-group targetgroup/web/1",
	} {
		w := webWorld(t)
		lb := w.balancer("app", "web", "internet-facing", "sg-lb", "s-pub")
		w.node(lb, "s-pub", "10.0.1.100", "3.0.0.1", "sg-lb")
		w.listener(lb, "HTTP", 80, forward(w.targets("web", "HTTP", "ip", nil, "10.0.2.10:8080 b "+state)))
		if got := w.ways(app, 8080); !strings.Contains(strings.Join(got, "; "), want) {
			t.Errorf("%s: %q, want %s", state, got, want)
		}
	}
}

func TestALoadBalancerWhoseInterfacesAreNotKnownStandsInItsSubnets(t *testing.T) {
	w := webWorld(t)
	lb := w.balancer("app", "web", "internet-facing", "sg-lb", "s-pub")
	w.listener(lb, "HTTP", 80, forward(w.targets("web", "HTTP", "instance", nil, "i-1:8080")))
	w.expectWays(Target{Instance: "i-1"}, 8080, "open 80", "small route rtb-main")
	w.balancer("app", "web", "internal", "sg-lb", "s-pub")
	w.expectWays(Target{Instance: "i-1"}, 8080, "small route rtb-main", "small load-balancer loadbalancer/app/web/1")
}

func TestANetworkLoadBalancerHidesOrPreservesTheClient(t *testing.T) {
	yes := []doc{{"Key": "preserve_client_ip.enabled", "Value": "true"}}
	no := []doc{{"Key": "preserve_client_ip.enabled", "Value": "false"}}
	build := func(groups, typ string, attrs []doc) *world {
		w := webWorld(t)
		lb := w.balancer("net", "n", "internet-facing", groups, "s-pub", "s-priv")
		w.node(lb, "s-pub", "10.0.1.120", "3.0.0.2", groups)
		w.put("LoadBalancer", sectionBalancers, lb, doc{
			"LoadBalancerArn": lb, "Scheme": "internet-facing", "Type": "network", "VpcId": "vpc-1", "State": doc{"Code": "active"},
			"Attributes": []doc{{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}},
		})
		target := "i-1:8080"
		if typ == "ip" {
			target = "10.0.2.10:8080 b"
		}
		w.listener(lb, "TCP", 443, forward(w.targets("n", "TCP", typ, attrs, target)))
		return w
	}
	for name, c := range map[string]struct {
		groups, typ string
		attrs       []doc
		app         string // the rule of sg-app
		want        string
	}{
		"without groups, hidden, the node's address counts":      {"", "ip", no, "in tcp 8080 10.0.1.0/24", "open 443"},
		"without groups, hidden, a group reference holds nobody": {"", "ip", no, "in tcp 8080 sg-lb", "small security-group sg-app"},
		"without groups, preserved, the client's address counts": {"", "ip", yes, "in tcp 8080 198.51.100.0/24", "controlled 443 198.51.100.0/24"},
		"without groups, preserved, the node's address does not": {"", "ip", yes, "in tcp 8080 10.0.1.0/24", "small security-group sg-app"},
		"with groups, preserved, a reference to them holds":      {"sg-lb", "ip", yes, "in tcp 8080 sg-lb", "open 443"},
		"instances see the client by default":                    {"", "instance", []doc{}, "in tcp 8080 198.51.100.0/24", "controlled 443 198.51.100.0/24"},
		"addresses see the node by default":                      {"", "ip", []doc{}, "in tcp 8080 198.51.100.0/24", "small security-group sg-app"},
		"an attribute that was not collected has its default":    {"", "ip", nil, "in tcp 8080 10.0.1.0/24", "open 443"},
	} {
		w := build(c.groups, c.typ, c.attrs)
		w.group("vpc-1", "sg-app", c.app, "out all - 0.0.0.0/0")
		if got := strings.Join(w.ways(app, 8080), "; ") + "; " + strings.Join(w.ways(Target{Instance: "i-1"}, 8080), "; "); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	w := build("", "ip", nil)
	w.group("vpc-1", "sg-app", "in tcp 8080 10.0.1.0/24", "out all - 0.0.0.0/0")
	w.unread(sectionTargetAttrs)
	w.expectWays(app, 8080, "unknown "+sectionTargetAttrs, "small route rtb-main")
	w.group("vpc-1", "sg-app", "in tcp 8080 0.0.0.0/0", "out all - 0.0.0.0/0")
	w.expectWays(app, 8080, "open 443", "small route rtb-main") // either way
}

func TestANetworkLoadBalancersNodeSendsToItsOwnZoneUnlessToldOtherwise(t *testing.T) {
	build := func(attrs any) *world {
		w := webWorld(t)
		lb := w.balancer("net", "n", "internet-facing", "sg-lb", "s-pub")
		w.node(lb, "s-pub", "10.0.1.120", "3.0.0.2", "sg-lb")
		d := doc{"LoadBalancerArn": lb, "Scheme": "internet-facing", "Type": "network", "VpcId": "vpc-1", "State": doc{"Code": "active"}}
		if attrs != nil {
			d["Attributes"] = attrs
		}
		w.put("LoadBalancer", sectionBalancers, lb, d)
		w.listener(lb, "TCP", 443, forward(w.targets("n", "TCP", "ip", []doc{}, "10.0.2.10:8080 b")))
		return w
	}
	w := build([]doc{{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}})
	w.expectWays(app, 8080, "open 443", "small route rtb-main")
	w = build([]doc{{"Key": "load_balancing.cross_zone.enabled", "Value": "false"}})
	w.expectWays(app, 8080, "small target-group targetgroup/n/1", "small route rtb-main")
	w = build(nil) // not collected: the default
	w.expectWays(app, 8080, "small target-group targetgroup/n/1", "small route rtb-main")
	w = build(nil)
	w.unread(sectionBalancerAttrs)
	w.expectWays(app, 8080, "unknown "+sectionBalancerAttrs, "small route rtb-main")
}

func TestAnApplicationLoadBalancerMayStandBehindANetworkOne(t *testing.T) {
	w := webWorld(t)
	alb := w.balancer("app", "web", "internal", "sg-lb", "s-pub")
	w.node(alb, "s-pub", "10.0.1.100", "", "sg-lb")
	w.listener(alb, "HTTP", 80, forward(w.targets("web", "HTTP", "ip", nil, "10.0.2.10:8080 b")))
	nlb := w.balancer("net", "front", "internet-facing", "", "s-pub")
	w.node(nlb, "s-pub", "10.0.1.120", "3.0.0.2", "")
	w.listener(nlb, "TCP", 443, forward(w.targets("front", "TCP", "alb", nil, alb+":80")))
	w.expectWays(app, 8080, "open 443", "small route rtb-main", "small load-balancer loadbalancer/app/web/1")
	w.group("vpc-1", "sg-lb", "in tcp 80 198.51.100.0/24", "out all - 0.0.0.0/0")
	if got := w.ways(app, 8080)[0]; got != "controlled 443 198.51.100.0/24" {
		t.Errorf("the application load balancer's group sees the client: %s", got)
	}
}

func TestAFunctionIsATargetToo(t *testing.T) {
	w := webWorld(t)
	const arn = "arn:aws:lambda:us-east-1:111122223333:function:f"
	w.expectWays(Target{Function: arn}, 0, "small load-balancer")
	lb := w.balancer("app", "web", "internet-facing", "sg-lb", "s-pub")
	w.node(lb, "s-pub", "10.0.1.100", "3.0.0.1", "sg-lb")
	w.listener(lb, "HTTP", 80, forward(w.targets("f", "", "lambda", nil, arn)))
	w.expectWays(Target{Function: arn}, 0, "open 80")
	r := FromInternet(w.Estate, Target{Function: arn}, "tcp", 0)[0]
	if last := r.Path[len(r.Path)-1]; last.Type != "function" || last.ID != arn {
		t.Errorf("the path ends at %s %s", last.Type, last.ID)
	}
}

func TestUnreadLoadBalancersLeaveTheWayThroughThemUnknown(t *testing.T) {
	w := webWorld(t)
	w.expectWays(app, 8080, "small route rtb-main")
	w.unread(sectionTargetGroups)
	w.expectWays(app, 8080, "unknown "+sectionTargetGroups, "small route rtb-main")
	w = webWorld(t)
	for _, s := range []string{sectionTargetGroups, sectionTargetHealth, sectionListeners, sectionBalancers} {
		w.PutSection(testScope, triad.Section{Name: s, Status: triad.SectionAbsent})
	}
	w.expectWays(app, 8080, "small route rtb-main")
}

func TestASourceRangeIsListedAndALargeOneIsOpen(t *testing.T) {
	w := simple(t)
	w.machine("vpc-1", "s-pub", "i-1", "10.0.1.10", "52.0.0.10", "sg-1", "2600:1f00:0:1::10")
	for rule, want := range map[string]string{
		"in tcp 80 0.0.0.0/0":       "open 80",
		"in tcp 80 0.0.0.0/1":       "open 80",
		"in tcp 80 198.51.100.0/24": "controlled 80 198.51.100.0/24",
		"in tcp 80 52.0.0.0/8":      "controlled 80 52.0.0.0/8",
		"in tcp 80 ::/0":            "open 80",
		"in tcp 80 2001:db8::/32":   "controlled 80 2001:db8::/32",
		"in tcp 80 10.0.0.0/8":      "small security-group sg-1",
		"in tcp 80 192.168.0.0/16":  "small security-group sg-1",
	} {
		w.group("vpc-1", "sg-1", rule, "out all - 0.0.0.0/0")
		if got := w.ways(Target{Instance: "i-1"}, 80); got[0] != want {
			t.Errorf("%s: %q, want %s", rule, got, want)
		}
	}
}

func TestConnectAsksWithinTheVPCThatIsMeant(t *testing.T) {
	w := simple(t)
	w.machine("vpc-1", "s-priv", "i-1", "10.0.2.10", "", "sg-open")
	w.machine("vpc-1", "s-priv", "i-2", "10.0.2.11", "", "sg-open")
	to := Target{Address: netip.MustParseAddr("10.0.2.11"), Network: "vpc-1"}
	if r := Connect(w.Estate, Target{Instance: "i-1"}, to, "tcp", 5432); r.Verdict != reach.Reachable {
		t.Errorf("%+v", r)
	}
	to.Network = "vpc-9" // the same address in another VPC
	if r := Connect(w.Estate, Target{Instance: "i-1"}, to, "tcp", 5432); r.Verdict != reach.Blocked || r.BlockedBy.Type != "no-such-address" {
		t.Errorf("%+v", r)
	}
}
