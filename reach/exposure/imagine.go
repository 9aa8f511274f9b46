package exposure

import (
	"encoding/json"
	"net/netip"
	"slices"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/reach/aws"
)

// imagined is a view of an estate with one interface more: that of something whose interface
// was not collected, or which gets one only when it runs. Everything is still read through
// the view below, so that a Recorder there misses nothing.
type imagined struct {
	reach.View
	row  *reach.Row
	keys []string
}

// Rows implements reach.View.
func (i imagined) Rows(key string) []*reach.Row {
	rows := i.View.Rows(key)
	if slices.Contains(i.keys, key) {
		return append(slices.Clip(rows), i.row)
	}
	return rows
}

// imagine adds an interface in a subnet, with groups and, when public, a public address. Its
// own address is one of the subnet that AWS reserves, so that nothing else has it.
func imagine(v reach.View, scope, network, subnet string, groups []string, public bool, what string) (point, bool) {
	prefixes := subnetPrefixes(v, subnet)
	if len(prefixes) == 0 {
		return point{}, false
	}
	// Network address + 3 is "reserved for future use".
	// https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
	ip := prefixes[0].Masked().Addr().Next().Next().Next()
	type group struct {
		GroupID string `json:"GroupId"`
	}
	doc := map[string]any{
		"NetworkInterfaceId": "eni " + what, "VpcId": network, "SubnetId": subnet, "InterfaceType": "interface",
		"Description": what, "PrivateIpAddress": ip.String(),
	}
	list := []group{}
	for _, g := range groups {
		list = append(list, group{g})
	}
	doc["Groups"] = list
	if public {
		doc["Association"] = map[string]any{"PublicIp": netip.AddrFrom4([4]byte{192, 0, 2, 1}).String()}
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		return point{}, false
	}
	a := &triad.Asset{ID: "eni " + what, Type: triad.TypeNetworkInterface, Kind: "NetworkInterface", Section: "ec2-describe-network-interfaces", Doc: raw}
	decoded, keys, err := aws.Index(scope, a)
	if err != nil || decoded == nil {
		return point{}, false
	}
	return point{ip, imagined{v, &reach.Row{Scope: scope, Asset: a, Decoded: decoded}, keys}}, true
}
