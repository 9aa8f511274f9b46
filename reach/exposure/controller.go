package exposure

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/reach/kubernetes"
)

// controllers finds the ways through ingress controllers in the cluster.
func (q *podQuestion) controllers() (ways []way, stops []triad.Hop, unread []triad.Unread) {
	if q.port == 0 || len(q.seen) >= maxChain {
		return nil, nil, nil
	}
	found, unread := kubernetes.Controllers(q.v, q.pod, q.proto, q.port)
	seen := append(slices.Clone(q.seen), q.pod.ID)
	for _, c := range found {
		if len(c.Pods) == 0 {
			hop := triad.Hop{Type: "ingress", ID: c.Ingress.Path(), Reason: "no controller serves it: its status has no address, and no pod of controller " + orNone(c.Controller) + " is known"}
			if !c.Ingress.Served() {
				stops = append(stops, hop)
				continue
			}
			ways = append(ways, way{Result: unknown([]triad.Hop{{Type: "internet"}, {Type: "ingress", ID: c.Ingress.Path()}}, triad.Unread{
				Scope: q.pod.Scope, Section: "pods", Reason: "ingress " + c.Ingress.Path() + " is served, but the pods of its controller " + orNone(c.Controller) + " were not collected",
			})})
			continue
		}
		ways = append(ways, q.proxied(c, seen)...)
		if open(ways) {
			break
		}
	}
	if !open(ways) {
		for _, r := range kubernetes.Routes(q.v, q.pod, q.proto, q.port) {
			ways = append(ways, way{Result: unknown([]triad.Hop{{Type: "internet"}}, triad.Unread{
				Scope: r.Scope, Section: "gateways", Reason: r.Kind + " " + r.Path() + " leads to it, and what its gateway lets in is not followed",
			})})
		}
	}
	return ways, stops, unread
}

// proxied finds the ways through one ingress: each way into a pod of its controller goes on.
func (q *podQuestion) proxied(c kubernetes.ControllerWay, seen []string) []way {
	var ways []way
	for _, proxy := range c.Pods {
		if slices.Contains(seen, proxy.ID) {
			continue
		}
		for _, port := range kubernetes.ProxyPorts(proxy) {
			r := podResult(q.v, proxy, "", "tcp", port, seen)
			w := way{Result: r}
			if r.Verdict != reach.Blocked {
				d := kubernetes.DeliverFrom(q.v, c, proxy, q.pod, q.proto, q.port, kubernetes.Arrival{Enforced: q.enforced, Engine: q.engine}, q.name)
				w.Path = join(r.Path, d.Hops...)
				q.deliver(&w, d)
				if w.Verdict != reach.Blocked && !c.Sources.Empty() {
					restrict(&w.Result, c.Sources)
				}
			}
			ways = append(ways, w)
			if open(ways) {
				return ways
			}
		}
	}
	return ways
}

// fronts finds the ways through load balancers that Services and Ingresses name and that no
// collected account has.
func (q *podQuestion) fronts() []way {
	var ways []way
	for _, f := range kubernetes.Fronts(q.v, q.pod, q.proto, q.port) {
		lb := triad.Hop{Type: "load-balancer", ID: f.Name}
		path := []triad.Hop{{Type: "internet"}}
		ip, err := netip.ParseAddr(f.Name)
		switch {
		case err == nil && !reach.Internet.Contains(ip):
			lb.Reason = "its address " + f.Name + " is private"
			ways = append(ways, way{Result: blocked(path, lb)})
			continue
		case err == nil:
		case len(q.v.Rows(keyFront(f.Name))) > 0:
			continue // its own account told the rest
		case f.Internal || strings.HasPrefix(f.Name, "internal-"):
			lb.Reason = "the load balancer is internal: it has no public address"
			ways = append(ways, way{Result: blocked(path, lb)})
			continue
		}
		u := triad.Unread{Scope: q.pod.Scope, Section: "elbv2-describe-load-balancers", Reason: "load balancer " + f.Name + " is in no account that was collected"}
		if err == nil {
			u = triad.Unread{Scope: q.pod.Scope, Section: "firewall", Reason: "load balancer " + f.Name + " has an internet address; whether a firewall stands before it was not read"}
		}
		r := unknown(join(path, append([]triad.Hop{lb}, f.Hops...)...), u)
		if !f.Ranges.Empty() {
			restrict(&r, f.Ranges)
		}
		ways = append(ways, way{Result: r})
	}
	return ways
}

func orNone(s string) string {
	if s == "" {
		return "(no class)"
	}
	return s
}
