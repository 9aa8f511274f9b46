package exposure

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/triad-security/triad/reach"
)

// instanceFacts is what of an instance's document is read here.
type instanceFacts struct {
	network string
	primary []string // each interface's first address
	// like is equal for instances that the network cannot tell apart: state, and of each
	// interface the subnet, the groups and whether it has public addresses. Empty when the
	// document does not tell.
	like string
}

// facts keeps instanceFacts by row. Rows are immutable, so what was read once holds; a row
// that is gone is not kept alive. It only saves decoding: the answer is the row's alone.
var (
	facts      sync.Map // weak.Pointer[reach.Row] → *instanceFacts
	factsCount atomic.Int64
)

// maxFacts bounds the entries, among them those of rows that are gone.
const maxFacts = 1 << 17

func factsOf(row *reach.Row) *instanceFacts {
	key := weak.Make(row)
	if f, ok := facts.Load(key); ok {
		return f.(*instanceFacts) //nolint:errcheck // only these are stored
	}
	f := readFacts(row.Asset.Doc)
	if factsCount.Add(1) > maxFacts {
		facts.Clear()
		factsCount.Store(1)
	}
	facts.Store(key, f)
	return f
}

func readFacts(raw json.RawMessage) *instanceFacts {
	var doc struct {
		VPCID string `json:"VpcId"`
		State struct{ Name string }

		NetworkInterfaces []struct {
			SubnetID           string                            `json:"SubnetId"`
			Groups             []struct{ GroupID string }        `json:"Groups"`
			IPv6Addresses      []struct{}                        `json:"Ipv6Addresses"`
			PrivateIPAddress   string                            `json:"PrivateIpAddress"`
			PrivateIPAddresses []struct{ Association *struct{} } `json:"PrivateIpAddresses"`
		}
	}
	f := new(instanceFacts)
	if json.Unmarshal(raw, &doc) != nil {
		return f
	}
	f.network = doc.VPCID
	parts := []string{doc.State.Name}
	for _, n := range doc.NetworkInterfaces {
		f.primary = append(f.primary, n.PrivateIPAddress)
		var groups []string
		for _, g := range n.Groups {
			groups = append(groups, g.GroupID)
		}
		slices.Sort(groups)
		public := 0
		for _, ip := range n.PrivateIPAddresses {
			if ip.Association != nil {
				public++
			}
		}
		parts = append(parts, n.SubnetID, strings.Join(groups, ","), itoa(public), itoa(len(n.IPv6Addresses)))
	}
	if len(doc.NetworkInterfaces) > 0 {
		f.like = strings.Join(parts, "|")
	}
	return f
}
