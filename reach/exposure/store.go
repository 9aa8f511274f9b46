package exposure

import (
	"encoding/json"
	"net/netip"
	"slices"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/reach/aws"
)

// store is a data store with its properties.
type store struct {
	row *reach.Row
	triad.DataStoreProps
}

func storeOf(v reach.View, id string) (store, error) {
	type read struct {
		store
		err error
	}
	r := reach.Share(v, "reach-store", id, func(v reach.View) (r read) {
		r.store, r.err = readStore(v, id)
		return r
	})
	return r.store, r.err
}

func readStore(v reach.View, id string) (s store, err error) {
	for _, row := range v.Rows(id) {
		if row.Asset == nil || row.Asset.Type != triad.TypeDataStore {
			continue
		}
		s.row = row
		if len(row.Asset.Props) > 0 {
			err = json.Unmarshal(row.Asset.Props, &s.DataStoreProps)
		}
		return s, err
	}
	return s, nil
}

// byIdentity reports whether a store has no address of its own: who may use it is decided by
// policies alone.
func (s store) byIdentity() bool {
	return slices.Contains([]string{"Bucket", "Table", "Queue", "Topic", "Secret"}, s.row.Asset.Kind)
}

func (s store) hop() triad.Hop {
	return triad.Hop{Type: "data-store", ID: s.row.Asset.ID, Evidence: &triad.Evidence{Source: s.row.Asset.Section, Scope: s.row.Scope}}
}

// DataStore is the best way from the internet to a data store: over the network to a
// database's endpoint, by policy to a bucket. An EKS cluster's API endpoint is asked the same way.
func DataStore(v reach.View, id string) reach.Result {
	for _, row := range v.Rows(id) {
		if row.Asset != nil && row.Asset.Kind == "Cluster" && row.Asset.Type == triad.TypeCluster {
			return graded(clusterEndpoint(row))
		}
	}
	s, err := storeOf(v, id)
	start := []triad.Hop{{Type: "internet"}}
	switch {
	case s.row == nil:
		return graded(unknown(start, triad.Unread{Section: "data stores", Reason: "nothing that was collected holds " + id}))
	case err != nil:
		return graded(unknown(start, triad.Unread{Scope: s.row.Scope, Section: s.row.Asset.Section, Reason: err.Error()}))
	case s.byIdentity():
		return graded(s.byPolicy(v))
	}
	var ways []way
	for _, at := range s.points(v) {
		for _, r := range aws.FromInternet(at.view, aws.Target{Address: at.address, Network: s.Network}, "tcp", s.Port) {
			if r.Verdict != reach.Blocked {
				r.Path = join(toNode(r.Path), s.hop())
			}
			ways = append(ways, way{Result: r})
		}
	}
	if len(ways) > 0 {
		return best(ways, nil, nil)
	}
	if s.PubliclyAccessible {
		return graded(unknown(start, triad.Unread{Scope: s.row.Scope, Section: s.row.Asset.Section, Reason: id + " asks for a public address, and neither its interfaces nor its subnets are known"}))
	}
	return graded(blocked(start, triad.Hop{Type: "private-address", ID: id, Reason: "it is not publicly accessible", Evidence: s.hop().Evidence}))
}

func (s store) byPolicy(v reach.View) reach.Result {
	start := []triad.Hop{{Type: "internet"}}
	policy := triad.Hop{Type: "resource-policy", ID: s.row.Asset.ID, Evidence: &triad.Evidence{Source: "s3api-get-bucket-policy", Scope: s.row.Scope}}
	if s.row.Asset.Kind != "Bucket" {
		policy.Evidence = s.hop().Evidence
	}
	switch {
	case s.PublicUnknown != "":
		return unknown(start, triad.Unread{Scope: s.row.Scope, Section: "s3api-get-bucket-policy", Reason: s.PublicUnknown})
	case s.Public:
		policy.Evidence.Detail = "everybody may use it"
		return reach.Result{Verdict: reach.Reachable, Path: join(start, policy, s.hop()), Port: 443}
	}
	policy.Reason = "no policy lets everybody in"
	return blocked(start, policy)
}

// clusterEndpoint is the way to the API server of an EKS cluster.
func clusterEndpoint(row *reach.Row) reach.Result {
	start := []triad.Hop{{Type: "internet"}}
	var c struct {
		Endpoint string `json:"endpoint"`
		Config   struct {
			Public  *bool    `json:"endpointPublicAccess"`
			Private bool     `json:"endpointPrivateAccess"`
			CIDRs   []string `json:"publicAccessCidrs"`
		} `json:"resourcesVpcConfig"`
	}
	u := triad.Unread{Scope: row.Scope, Section: "eks-describe-cluster", Reason: "the cluster's endpoint access was not read"}
	if err := json.Unmarshal(row.Asset.Doc, &c); err != nil {
		u.Reason = err.Error()
		return unknown(start, u)
	}
	if c.Config.Public == nil {
		return unknown(start, u)
	}
	hop := triad.Hop{Type: "cluster", ID: row.Asset.ID, Evidence: &triad.Evidence{Source: "eks-describe-cluster", Detail: c.Endpoint, Scope: row.Scope}}
	if !*c.Config.Public {
		hop.Reason = "its endpoint has no public access"
		return blocked(start, hop)
	}
	r := reach.Result{Verdict: reach.Reachable, Path: join(start, hop), Port: 443}
	if len(c.Config.CIDRs) > 0 { // none is the default, 0.0.0.0/0
		set, err := prefixes(c.Config.CIDRs)
		if err != nil {
			u.Reason = err.Error()
			return unknown(start, u)
		}
		if set = set.Intersect(reach.Internet); set.Empty() {
			hop.Reason = "its public access CIDRs hold no internet address"
			return blocked(start, hop)
		}
		restrict(&r, set)
	}
	return r
}

// point is an address at which a store, or a function in a VPC, stands, in a view that knows
// an interface with it.
type point struct {
	address netip.Addr
	view    reach.View
}

// points are the store's addresses; where none is known, made-up ones in each of its subnets.
func (s store) points(v reach.View) []point {
	var all []point
	for _, a := range s.Addresses {
		if ip, err := netip.ParseAddr(a); err == nil && (ip.Is6() || !reach.Internet.Contains(ip)) {
			all = append(all, point{ip, v})
		}
	}
	if len(all) > 0 {
		return all
	}
	for _, subnet := range s.Subnets {
		if p, ok := imagine(v, s.row.Scope, s.Network, subnet, s.SecurityGroups, s.PubliclyAccessible, "of "+s.row.Asset.ID); ok {
			all = append(all, p)
		}
	}
	return all
}
