package risk

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/risk/graph"
)

// Keys of Index on networks.
const (
	keyNetworkStores = "risk/network-stores" // data stores with an endpoint on the network
	keyPublicStores  = "risk/public-stores"  // those of them with a public address
	keyStoresIn      = "risk/stores-in/"     // + VPC: those of them in it; alone, those whose network is not known
	keyLink          = "risk/links-network/" // + VPC or transit gateway: what may join it to another
	maxNetworks      = 1024                  // bounds a walk over joined networks
)

// networkKeys names data stores by the network that they are in, and what joins networks.
func networkKeys(a *triad.Asset) []string {
	switch a.Kind {
	case "VpcPeeringConnection":
		var d struct {
			AccepterVpcInfo, RequesterVpcInfo struct {
				VpcID string `json:"VpcId"`
			}
		}
		if json.Unmarshal(a.Doc, &d) == nil {
			return linkKeys(d.AccepterVpcInfo.VpcID, d.RequesterVpcInfo.VpcID)
		}
	case "TransitGatewayAttachment", "TransitGatewayVpcAttachment":
		if d := attachment(a); d.VpcID != "" || d.ResourceID != "" {
			return linkKeys(d.TransitGatewayID, d.VpcID, d.ResourceID)
		}
	}
	if a.Type != triad.TypeDataStore {
		return nil
	}
	p := props[triad.DataStoreProps](a)
	if p.Port == 0 {
		return nil
	}
	keys := []string{keyNetworkStores, keyStoresIn + p.Network}
	if p.PubliclyAccessible {
		keys = append(keys, keyPublicStores)
	}
	return keys
}

type attached struct {
	TransitGatewayID string `json:"TransitGatewayId"`
	VpcID            string `json:"VpcId"`
	ResourceID       string `json:"ResourceId"`
}

func attachment(a *triad.Asset) (d attached) {
	_ = json.Unmarshal(a.Doc, &d) // what does not decode joins nothing; the adapter says so
	return d
}

func linkKeys(ends ...string) []string {
	var keys []string
	for _, e := range ends {
		if e != "" {
			keys = append(keys, keyLink+e)
		}
	}
	return keys
}

// joined returns the VPCs that peering connections or transit gateways may join to a VPC,
// itself first among equals. Whether they carry a packet is for reach to say; this only
// spares the questions whose answer is no.
func (e *Engine) joined(c *graph.Context, vpc string) []string {
	return graph.Get(c, graph.ID{Kind: "joined", Of: vpc}, func(c *graph.Context) []string {
		queue, known := []string{vpc}, map[string]bool{vpc: true}
		var list []string
		for len(queue) > 0 {
			next := queue[0]
			queue = queue[1:]
			if strings.HasPrefix(next, "vpc-") {
				list = append(list, next)
			}
			for _, r := range c.Rows(keyLink + next) {
				for _, key := range networkKeys(r.Asset) {
					end := strings.TrimPrefix(key, keyLink)
					if !known[end] && len(known) < maxNetworks {
						known[end] = true
						queue = append(queue, end)
					}
				}
			}
		}
		slices.Sort(list)
		return list
	})
}

// nearStores returns the data stores that something in a VPC could connect to: those in the
// networks joined to it, those whose network is not known, and those with a public address
// that the internet reaches. Where the VPC is not known they are all.
func (e *Engine) nearStores(c *graph.Context, vpc string) []string {
	if vpc == "" {
		return storeIDs(c.Rows(keyNetworkStores))
	}
	ids := storeIDs(c.Rows(keyStoresIn)) // those whose network is not known may be in any
	for _, v := range e.joined(c, vpc) {
		ids = append(ids, storeIDs(c.Rows(keyStoresIn+v))...)
	}
	for _, id := range storeIDs(c.Rows(keyPublicStores)) {
		if e.storeWay(c, id).Exposure != triad.ExposureSmall {
			ids = append(ids, id)
		}
	}
	return sorted(ids)
}

// storeWay grades the way from the internet to a data store's endpoint.
func (e *Engine) storeWay(c *graph.Context, id string) reach.Result {
	return graph.Get(c, graph.ID{Kind: "store-way", Of: id}, func(c *graph.Context) reach.Result {
		return e.options.Ways.dataStore(c, id)
	})
}

func storeIDs(rows []*reach.Row) []string {
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.Asset.ID)
	}
	return ids
}

// vpcOf reads the VPC from an EC2 instance's or a Lambda function's document.
func vpcOf(a *triad.Asset) string {
	var d struct {
		VpcID     string `json:"VpcId"`
		VpcConfig struct {
			VpcID string `json:"VpcId"`
		}
	}
	_ = json.Unmarshal(a.Doc, &d) // unread: the VPC is then not known
	if d.VpcID != "" {
		return d.VpcID
	}
	return d.VpcConfig.VpcID
}
