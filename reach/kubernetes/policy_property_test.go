package kubernetes

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

func splitDocs(s string) []string { return strings.Split(s, "\n---\n") }

func indent(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") + "\n" }

// The naive evaluation below follows the API's sentences one packet at a time, with the
// generic JSON of the policies: no sets, no look-up keys, no types of this package.

type packet struct {
	ip    netip.Addr
	pod   map[string]any // the peer pod's document, nil for an address outside
	ns    map[string]any // its namespace's labels
	proto string
	port  int
}

func naiveAllowed(policies []map[string]any, dir string, owner map[string]any, p packet) bool {
	isolated := false
	for _, pol := range policies {
		spec := pol["spec"].(map[string]any)
		if pol["metadata"].(map[string]any)["namespace"] != owner["metadata"].(map[string]any)["namespace"] ||
			!naiveSelects(spec["podSelector"], naiveLabels(owner)) {
			continue
		}
		types, _ := spec["policyTypes"].([]any)
		if types == nil {
			types = []any{"Ingress"}
			if rules, _ := spec["egress"].([]any); len(rules) > 0 {
				types = append(types, "Egress")
			}
		}
		if !slices.Contains(types, any(dir)) {
			continue
		}
		isolated = true
		rules, _ := spec[strings.ToLower(dir)].([]any)
		for _, r := range rules {
			if naiveRule(r.(map[string]any), dir, pol, owner, p) {
				return true
			}
		}
	}
	return !isolated
}

func naiveRule(rule map[string]any, dir string, pol, owner map[string]any, p packet) bool {
	key, receiver := "from", owner
	if dir == "Egress" {
		key, receiver = "to", p.pod
	}
	ports, _ := rule["ports"].([]any)
	portOK := len(ports) == 0
	for _, x := range ports {
		pp := x.(map[string]any)
		proto, _ := pp["protocol"].(string)
		if proto == "" {
			proto = "TCP"
		}
		if !strings.EqualFold(proto, p.proto) {
			continue
		}
		switch want := pp["port"].(type) {
		case nil:
			portOK = true
		case float64:
			end, ranged := pp["endPort"].(float64)
			if !ranged {
				end = want
			}
			portOK = portOK || float64(p.port) >= want && float64(p.port) <= end
		case string:
			if receiver != nil {
				for _, cp := range naivePorts(receiver) {
					portOK = portOK || cp.name == want && cp.port == p.port && strings.EqualFold(cp.proto, p.proto)
				}
			}
		}
	}
	if !portOK {
		return false
	}
	peers, _ := rule[key].([]any)
	if len(peers) == 0 {
		return true
	}
	for _, x := range peers {
		peer := x.(map[string]any)
		if block, ok := peer["ipBlock"].(map[string]any); ok {
			in := netip.MustParsePrefix(block["cidr"].(string)).Contains(p.ip)
			except, _ := block["except"].([]any)
			for _, e := range except {
				in = in && !netip.MustParsePrefix(e.(string)).Contains(p.ip)
			}
			if in {
				return true
			}
			continue
		}
		if p.pod == nil {
			continue
		}
		podSel, hasPod := peer["podSelector"]
		nsSel, hasNS := peer["namespaceSelector"]
		match := hasPod || hasNS
		if hasPod {
			match = match && naiveSelects(podSel, naiveLabels(p.pod))
		}
		if hasNS {
			match = match && naiveSelects(nsSel, p.ns)
		} else {
			match = match && p.pod["metadata"].(map[string]any)["namespace"] == pol["metadata"].(map[string]any)["namespace"]
		}
		if match {
			return true
		}
	}
	return false
}

func naiveSelects(selector any, labels map[string]any) bool {
	s, _ := selector.(map[string]any)
	pairs, _ := s["matchLabels"].(map[string]any)
	for k, v := range pairs {
		if labels[k] != v {
			return false
		}
	}
	exprs, _ := s["matchExpressions"].([]any)
	for _, x := range exprs {
		e := x.(map[string]any)
		value, has := labels[e["key"].(string)]
		values, _ := e["values"].([]any)
		ok := false
		switch e["operator"] {
		case "In":
			ok = has && slices.Contains(values, value)
		case "NotIn":
			ok = !(has && slices.Contains(values, value))
		case "Exists":
			ok = has
		case "DoesNotExist":
			ok = !has
		}
		if !ok {
			return false
		}
	}
	return true
}

func naiveLabels(pod map[string]any) map[string]any {
	l, _ := pod["metadata"].(map[string]any)["labels"].(map[string]any)
	return l
}

type naivePort struct {
	name, proto string
	port        int
}

func naivePorts(pod map[string]any) (all []naivePort) {
	spec, _ := pod["spec"].(map[string]any)
	cs, _ := spec["containers"].([]any)
	for _, c := range cs {
		ports, _ := c.(map[string]any)["ports"].([]any)
		for _, x := range ports {
			m := x.(map[string]any)
			proto, _ := m["protocol"].(string)
			if proto == "" {
				proto = "TCP"
			}
			name, _ := m["name"].(string)
			all = append(all, naivePort{name, proto, int(m["containerPort"].(float64))})
		}
	}
	return all
}

// Generators draw from small ranges, so that things meet.

type doc = map[string]any

func genLabels(t *rapid.T, what string) doc {
	l := doc{}
	for _, k := range []string{"app", "tier"} {
		if v := rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, what+k); v != "" {
			l[k] = v
		}
	}
	return l
}

func genSelector(t *rapid.T, what string) doc {
	s := doc{}
	if l := genLabels(t, what); len(l) > 0 {
		s["matchLabels"] = l
	}
	if rapid.IntRange(0, 2).Draw(t, what+"expr") == 0 {
		op := rapid.SampledFrom([]string{"In", "NotIn", "Exists", "DoesNotExist"}).Draw(t, what+"op")
		e := doc{"key": rapid.SampledFrom([]string{"app", "tier"}).Draw(t, what+"key"), "operator": op}
		if op == "In" || op == "NotIn" {
			e["values"] = []any{rapid.SampledFrom([]string{"x", "y"}).Draw(t, what+"value")}
		}
		s["matchExpressions"] = []any{e}
	}
	return s
}

var (
	somePrefixes = []string{"10.0.0.0/8", "10.0.1.0/24", "10.0.1.4/30", "10.0.1.5/32", "0.0.0.0/0", "::/0", "2001:db8::/64", "203.0.113.0/24"}
	someAddrs    = []string{"10.0.1.4", "10.0.1.5", "10.0.1.9", "10.2.0.1", "203.0.113.9", "8.8.8.8", "2001:db8::7", "2001:db8:1::7"}
	somePorts    = []int{79, 80, 81, 443, 8080}
)

func genRules(t *rapid.T, what, key string) []any {
	var rules []any
	for i := range rapid.IntRange(0, 2).Draw(t, what) {
		w := fmt.Sprint(what, i)
		rule := doc{}
		var peers, ports []any
		for j := range rapid.IntRange(0, 2).Draw(t, w+"peers") {
			w := fmt.Sprint(w, "peer", j)
			peer := doc{}
			switch rapid.IntRange(0, 3).Draw(t, w) {
			case 0:
				block := doc{"cidr": rapid.SampledFrom(somePrefixes).Draw(t, w+"cidr")}
				if rapid.Bool().Draw(t, w+"has") {
					block["except"] = []any{rapid.SampledFrom(somePrefixes).Draw(t, w+"except")}
				}
				peer["ipBlock"] = block
			case 1:
				peer["podSelector"] = genSelector(t, w)
			case 2:
				peer["namespaceSelector"] = genSelector(t, w)
			case 3:
				peer["podSelector"], peer["namespaceSelector"] = genSelector(t, w), genSelector(t, w+"ns")
			}
			peers = append(peers, peer)
		}
		for j := range rapid.IntRange(0, 2).Draw(t, w+"ports") {
			w := fmt.Sprint(w, "port", j)
			port := doc{}
			if p := rapid.SampledFrom([]string{"", "TCP", "UDP"}).Draw(t, w+"proto"); p != "" {
				port["protocol"] = p
			}
			switch rapid.IntRange(0, 3).Draw(t, w) {
			case 0:
				port["port"] = rapid.SampledFrom(somePorts).Draw(t, w+"n")
			case 1:
				n := rapid.SampledFrom(somePorts).Draw(t, w+"n")
				port["port"], port["endPort"] = n, n+rapid.IntRange(0, 400).Draw(t, w+"end")
			case 2:
				port["port"] = rapid.SampledFrom([]string{"http", "dns", "none"}).Draw(t, w+"name")
			}
			ports = append(ports, port)
		}
		if peers != nil {
			rule[key] = peers
		}
		if ports != nil {
			rule["ports"] = ports
		}
		rules = append(rules, rule)
	}
	return rules
}

func genPod(t *rapid.T, name, ns, ip string) doc {
	return doc{
		"metadata": doc{"name": name, "namespace": ns, "labels": genLabels(t, name)},
		"spec": doc{"containers": []any{
			doc{"name": "a", "ports": []any{
				doc{"name": "http", "containerPort": rapid.SampledFrom(somePorts).Draw(t, name+"http")},
				doc{"name": "dns", "containerPort": 53, "protocol": "UDP"},
			}},
		}},
		"status": doc{"phase": "Running", "podIP": ip},
	}
}

// plain turns generated documents into what json gives, and stores them.
func plain(t *rapid.T, e *reach.Estate, kind string, o doc) doc {
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	m := o["metadata"].(doc)
	ns, _ := m["namespace"].(string)
	e.PutAsset("kubernetes/c", &triad.Asset{ID: triad.KubernetesID("c", kind, ns, m["name"].(string)), Kind: kind, Doc: raw})
	var back doc
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func TestPoliciesDecideAsTheAPISays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := reach.NewEstate(Index)
		owner := plain(t, e, "Pod", genPod(t, "owner", "one", "10.0.1.4"))
		peerNS := rapid.SampledFrom([]string{"one", "two"}).Draw(t, "namespace")
		peer := plain(t, e, "Pod", genPod(t, "peer", peerNS, "10.0.1.5"))
		nsLabels := genLabels(t, "ns")
		plain(t, e, "Namespace", doc{"metadata": doc{"name": peerNS, "labels": nsLabels}})
		var policies []map[string]any
		for i := range rapid.IntRange(0, 4).Draw(t, "policies") {
			w := fmt.Sprint("policy", i)
			spec := doc{"podSelector": genSelector(t, w)}
			if rules := genRules(t, w+"in", "from"); rules != nil {
				spec["ingress"] = rules
			}
			if rules := genRules(t, w+"out", "to"); rules != nil {
				spec["egress"] = rules
			}
			if types := rapid.SampledFrom([][]any{nil, {"Ingress"}, {"Egress"}, {"Ingress", "Egress"}}).Draw(t, w+"types"); types != nil {
				spec["policyTypes"] = types
			}
			ns := rapid.SampledFrom([]string{"one", "two"}).Draw(t, w+"ns")
			policies = append(policies, plain(t, e, "NetworkPolicy", doc{"metadata": doc{"name": w, "namespace": ns}, "spec": spec}))
		}
		ownerPod, _ := PodOf(e, "k8s:c/Pod/one/owner")
		peerPod, _ := PodOf(e, "k8s:c/Pod/"+peerNS+"/peer")
		var outside []netip.Addr
		for _, s := range someAddrs {
			outside = append(outside, netip.MustParseAddr(s))
		}
		for _, dir := range []string{"Ingress", "Egress"} {
			decide := PolicyIngress
			if dir == "Egress" {
				decide = PolicyEgress
			}
			for _, proto := range []string{"tcp", "udp"} {
				for _, port := range append([]int{53, 82, 400}, somePorts...) {
					set := decide(e, ownerPod, Peer{Addresses: reach.Addresses(outside...)}, proto, port).Allowed
					for _, ip := range outside {
						want := naiveAllowed(policies, dir, owner, packet{ip: ip, proto: proto, port: port})
						if got := set.Contains(ip); got != want {
							t.Fatalf("%s %s %d with %v: %v, want %v", dir, proto, port, ip, got, want)
						}
					}
					ip := netip.MustParseAddr("10.0.1.5")
					want := naiveAllowed(policies, dir, owner, packet{ip: ip, pod: peer, ns: nsLabels, proto: proto, port: port})
					if got := decide(e, ownerPod, Peer{Pod: peerPod}, proto, port).Allowed.Contains(ip); got != want {
						t.Fatalf("%s %s %d with the pod: %v, want %v", dir, proto, port, got, want)
					}
				}
			}
		}
	})
}
