package kubernetes

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// Peer is the other end of a pod's traffic: a pod of the cluster, or addresses.
type Peer struct {
	// Pod at the other end; nil for addresses outside the cluster and for nodes.
	Pod *Pod
	// Addresses under which the pod sees the other end. Ignored when Pod is set.
	Addresses reach.AddrSet
}

// PolicyDecision is what the NetworkPolicies of a pod's namespace say of some traffic.
type PolicyDecision struct {
	// Allowed are the peer's addresses that get through; all of them when no policy selects the pod.
	Allowed reach.AddrSet
	// Allow are the policies that let some of it through, Select all that select the pod in
	// this direction; both ordered by name. Without Select the pod is not isolated.
	Allow, Select []*NetworkPolicy
	// Unread is what could not be read; Allowed is then what is known to be let through.
	Unread []triad.Unread
}

// PolicyIngress decides traffic from a peer to one port of a pod.
func PolicyIngress(v reach.View, p *Pod, from Peer, proto string, port int) PolicyDecision {
	return decide(v, p, ingress, from, proto, port)
}

// PolicyEgress decides traffic from a pod to one port of a peer.
func PolicyEgress(v reach.View, p *Pod, to Peer, proto string, port int) PolicyDecision {
	return decide(v, p, egress, to, proto, port)
}

func decide(v reach.View, p *Pod, d direction, peer Peer, proto string, port int) PolicyDecision {
	addresses := peer.Addresses
	if peer.Pod != nil {
		addresses = reach.Addresses(peer.Pod.addresses...)
	}
	if p.Spec.HostNetwork {
		// What a policy does to a pod on its node's network is undefined by the API; the usual
		// implementations do not filter it.
		return PolicyDecision{Allowed: addresses}
	}
	var r PolicyDecision
	policies, unread := selecting(v, p, d)
	r.Select, r.Unread = policies, unread
	if len(policies) == 0 {
		r.Allowed = addresses
		return r
	}
	namespaces := namespaceLabels{v, p.Cluster, p.Scope}
	for _, n := range policies {
		t, err := n.allowed(d, proto, p, peer.Pod, namespaces)
		if err != nil {
			r.Unread = append(r.Unread, unreadOf(n.Scope, "networkpolicies", fmt.Sprintf("network policy %s: %v", n.Path(), err), err))
		}
		through := t.Every(reach.Port(uint16(port))).Intersect(addresses)
		if !through.Empty() {
			r.Allow = append(r.Allow, n)
			r.Allowed = r.Allowed.Union(through)
		}
	}
	return r
}

// selecting finds the policies that select a pod and restrict a direction, by name.
func selecting(v reach.View, p *Pod, d direction) (found []*NetworkPolicy, unread []triad.Unread) {
	if u := unreadSection(v, p.Scope, "networkpolicies"); u != nil {
		unread = append(unread, *u)
	}
	consider := func(row *reach.Row) {
		n, ok := row.Decoded.(*NetworkPolicy)
		if !ok {
			unread = append(unread, undecoded(row, "networkpolicies"))
			return
		}
		if !n.isolates(d) {
			return
		}
		match, known := n.Spec.PodSelector.matches(p.Meta.Labels)
		if !known {
			unread = append(unread, triad.Unread{Scope: row.Scope, Section: "networkpolicies", Reason: "network policy " + n.Path() + " selects pods by an operator that is not known"})
		}
		if match && !slices.ContainsFunc(found, func(o *NetworkPolicy) bool { return o.ID == n.ID }) {
			found = append(found, n)
		}
	}
	for _, row := range v.Rows(keyPolicies(p.Cluster, p.Meta.Namespace, "")) {
		consider(row)
	}
	for pair := range pairs(p.Meta.Labels) {
		for _, row := range v.Rows(keyPolicies(p.Cluster, p.Meta.Namespace, pair)) {
			consider(row)
		}
	}
	slices.SortFunc(found, func(a, b *NetworkPolicy) int { return cmp.Compare(a.Meta.Name, b.Meta.Name) })
	return found, unread
}

// namespaceLabels finds the labels that namespace selectors match.
type namespaceLabels struct {
	v       reach.View
	cluster string
	scope   string
}

// The label that the API server puts on each namespace (Kubernetes 1.22).
const namespaceName = "kubernetes.io/metadata.name"

// errUnread wraps what a selector could not be decided without.
type errUnread struct{ triad.Unread }

func (e errUnread) Error() string { return e.Reason }

func (n namespaceLabels) match(s *labelSelector, peer *Pod) (bool, error) {
	name := peer.Meta.Namespace
	for _, row := range n.v.Rows(triad.KubernetesID(n.cluster, "Namespace", "", name)) {
		ns, ok := row.Decoded.(*Namespace)
		if !ok {
			continue
		}
		labels := ns.Meta.Labels
		if labels[namespaceName] == "" {
			labels = map[string]string{namespaceName: name}
			for k, v := range ns.Meta.Labels {
				labels[k] = v
			}
		}
		match, known := s.matches(labels)
		return match && known, unknownSelector(known)
	}
	// Without the namespace's object only its name is known.
	only := map[string]string{namespaceName: name}
	decided := len(s.MatchExpressions) == 0
	for k := range s.MatchLabels {
		decided = decided && k == namespaceName
	}
	if !decided {
		return false, errUnread{triad.Unread{Scope: n.scope, Section: "namespaces", Reason: "the labels of namespace " + name + " are not known"}}
	}
	return subset(s.MatchLabels, only), nil
}

func unknownSelector(known bool) error {
	if known {
		return nil
	}
	return errors.New("a selector has an operator that is not known")
}

func unreadOf(scope, section, reason string, err error) triad.Unread {
	if e, ok := errors.AsType[errUnread](err); ok {
		return e.Unread
	}
	return triad.Unread{Scope: scope, Section: section, Reason: reason}
}

// unreadSection says that a section could not be read; nil when it was, or when nobody
// collects it.
func unreadSection(v reach.View, scope, name string) *triad.Unread {
	s := v.Section(scope, name)
	if s.Status != triad.SectionUnread {
		return nil
	}
	return &triad.Unread{Scope: scope, Section: name, Reason: s.Reason}
}

func undecoded(row *reach.Row, section string) triad.Unread {
	reason := "its document was not kept"
	if row.Err != nil {
		reason = row.Err.Error()
	}
	return triad.Unread{Scope: row.Scope, Section: section, Reason: reason}
}
