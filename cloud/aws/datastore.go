package aws

import (
	"encoding/json"
	"slices"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/cloud/identity"
)

// subnetGroup is the element of RDS that places a database.
type dbDoc struct {
	Engine                           string
	DBInstanceIdentifier             string
	DbiResourceId                    string
	DbClusterResourceId              string
	DBClusterIdentifier              string
	AvailabilityZone                 string
	SecondaryAvailabilityZone        string
	PubliclyAccessible               bool
	IAMDatabaseAuthenticationEnabled bool
	HttpEndpointEnabled              bool
	Port                             int // of a cluster
	DbInstancePort                   int
	MasterUserSecret                 struct{ SecretArn string }
	Endpoint                         json.RawMessage // an object with Port for an instance, a name for a cluster
	VpcSecurityGroups                []struct{ VpcSecurityGroupId string }
	DBSubnetGroup                    json.RawMessage // an object for an instance, a name for a cluster
}

type subnetGroup struct {
	VpcId   string
	Subnets []struct{ SubnetIdentifier string }
}

func (a *assembly) database(r *triad.Report, x *asset) error {
	var d dbDoc
	if err := x.decode(&d); err != nil {
		return err
	}
	p := triad.DataStoreProps{
		Engine: d.Engine, Classification: x.Tags[classification],
		PubliclyAccessible: d.PubliclyAccessible, Port: d.Port,
	}
	var endpoint struct{ Port int }
	if json.Unmarshal(d.Endpoint, &endpoint) == nil && endpoint.Port != 0 {
		p.Port = endpoint.Port
	} else if p.Port == 0 {
		p.Port = d.DbInstancePort
	}
	for _, g := range d.VpcSecurityGroups {
		p.SecurityGroups = append(p.SecurityGroups, g.VpcSecurityGroupId)
	}
	var group subnetGroup
	if json.Unmarshal(d.DBSubnetGroup, &group) == nil {
		p.Network = group.VpcId
		for _, s := range group.Subnets {
			p.Subnets = append(p.Subnets, s.SubnetIdentifier)
		}
	}
	for _, ni := range a.interfaces() {
		if ni.RequesterId == "amazon-rds" || ni.Description == "RDSNetworkInterface" {
			if ni.serves(p, d.AvailabilityZone, d.SecondaryAvailabilityZone) {
				p.Addresses = append(p.Addresses, ni.addresses()...)
			}
		}
	}
	a.publiclyAccessible(r, x, p)
	return x.props("data-store/1", p)
}

func (a *assembly) redshift(r *triad.Report, x *asset) error {
	var d struct {
		VpcId                  string
		ClusterSubnetGroupName string
		PubliclyAccessible     bool
		Endpoint               struct{ Port int }
		VpcSecurityGroups      []struct{ VpcSecurityGroupId string }
		ClusterNodes           []struct{ PrivateIPAddress, PublicIPAddress string }
	}
	if err := x.decode(&d); err != nil {
		return err
	}
	p := triad.DataStoreProps{
		Engine: "redshift", Classification: x.Tags[classification],
		PubliclyAccessible: d.PubliclyAccessible, Port: d.Endpoint.Port, Network: d.VpcId,
	}
	for _, g := range d.VpcSecurityGroups {
		p.SecurityGroups = append(p.SecurityGroups, g.VpcSecurityGroupId)
	}
	for _, n := range d.ClusterNodes {
		for _, address := range []string{n.PrivateIPAddress, n.PublicIPAddress} {
			if address != "" && !slices.Contains(p.Addresses, address) {
				p.Addresses = append(p.Addresses, address)
			}
		}
	}
	for _, ni := range a.interfaces() {
		if ni.VpcId == d.VpcId && slices.Contains(p.Addresses, ni.PrivateIpAddress) {
			p.Subnets = append(p.Subnets, ni.SubnetId)
		}
	}
	if group := a.warehouseSubnets(d.ClusterSubnetGroupName); len(p.Subnets) == 0 && (p.Network == "" || p.Network == group.VpcId) {
		// In which of them its nodes are AWS does not say: they may be in each.
		p.Network = group.VpcId
		for _, s := range group.Subnets {
			p.Subnets = append(p.Subnets, s.SubnetIdentifier)
		}
	}
	a.publiclyAccessible(r, x, p)
	return x.props("data-store/1", p)
}

// warehouseSubnets is the subnet group of a Redshift cluster; empty where it was not read.
func (a *assembly) warehouseSubnets(name string) (group subnetGroup) {
	for _, x := range a.order {
		if name != "" && x.Kind == "ClusterSubnetGroup" && x.Name == name {
			_ = x.decode(&group) // what does not decode places nothing
		}
	}
	return group
}

func (a *assembly) publiclyAccessible(r *triad.Report, x *asset, p triad.DataStoreProps) {
	if !p.PubliclyAccessible {
		return
	}
	r.Findings = append(r.Findings, triad.Finding{
		Kind: triad.FindingMisconfiguration, ID: "publicly-accessible-database", Asset: x.ID, Section: x.Section, Severity: "low",
		Title:    "The database asks for a public address; only its network decides who reaches it",
		Evidence: []triad.Evidence{{Source: x.Section, Detail: "PubliclyAccessible is true"}},
		Fix:      "set PubliclyAccessible to false unless clients outside the VPC need it",
	})
}

// networkInterface is what of an interface tells whose it is.
type networkInterface struct {
	NetworkInterfaceId, Description, RequesterId string
	VpcId, SubnetId, AvailabilityZone            string
	PrivateIpAddress                             string
	Association                                  struct{ PublicIp string } // of the primary address, said again below by EC2
	Groups                                       []struct{ GroupId string }
	PrivateIpAddresses                           []struct {
		PrivateIpAddress string
		Association      struct{ PublicIp string }
	}
	Ipv6Addresses []struct{ Ipv6Address string }
}

func (a *assembly) interfaces() []networkInterface {
	if !a.interfacesRead {
		a.interfacesRead = true
		for _, x := range a.order {
			var ni networkInterface
			if x.Kind == "NetworkInterface" && x.decode(&ni) == nil && ni.RequesterId != "" {
				a.managed = append(a.managed, ni)
			}
		}
	}
	return a.managed
}

// serves reports whether a managed interface may be the database's: AWS does not say. Groups,
// subnet, zone and having a public address must agree; of two databases that share all of
// these each is given both addresses.
func (ni networkInterface) serves(p triad.DataStoreProps, zones ...string) bool {
	if p.Network != "" && ni.VpcId != p.Network || p.Subnets != nil && !slices.Contains(p.Subnets, ni.SubnetId) {
		return false
	}
	groups := map[string]bool{}
	for _, g := range ni.Groups {
		groups[g.GroupId] = true
	}
	if len(groups) == 0 || len(groups) != len(p.SecurityGroups) {
		return false
	}
	for _, g := range p.SecurityGroups {
		if !groups[g] {
			return false
		}
	}
	if zones[0] != "" && ni.AvailabilityZone != "" && !slices.Contains(zones, ni.AvailabilityZone) {
		return false
	}
	return ni.public() == p.PubliclyAccessible || !ni.public()
}

func (ni networkInterface) public() bool {
	if ni.Association.PublicIp != "" {
		return true
	}
	for _, ip := range ni.PrivateIpAddresses {
		if ip.Association.PublicIp != "" {
			return true
		}
	}
	return false
}

func (ni networkInterface) addresses() []string {
	var out []string
	for _, ip := range ni.PrivateIpAddresses {
		out = append(out, ip.PrivateIpAddress)
		if ip.Association.PublicIp != "" {
			out = append(out, ip.Association.PublicIp)
		}
	}
	if ip := ni.Association.PublicIp; ip != "" && !slices.Contains(out, ip) {
		out = append(out, ip)
	}
	for _, ip := range ni.Ipv6Addresses {
		out = append(out, ip.Ipv6Address)
	}
	return out
}

// ways are the ways into a store by identity.
func (a *assembly) ways(x *asset) []identity.Way {
	switch x.Kind {
	case "Bucket":
		return identity.BucketWays(x.ID)
	case "Table":
		return identity.TableWays(x.ID)
	case "RedshiftCluster":
		return identity.RedshiftWays(a.scope.partition(), a.scope.region, a.scope.account, text(x.doc, "ClusterIdentifier"))
	case "DBInstance", "DBCluster":
		var d dbDoc
		if x.decode(&d) != nil {
			return nil
		}
		db := identity.Database{
			Partition: a.scope.partition(), Region: a.scope.region, Account: a.scope.account, ARN: x.ID,
			ResourceID: d.DbiResourceId, IAMAuthentication: d.IAMDatabaseAuthenticationEnabled,
			DataAPI: d.HttpEndpointEnabled, SecretARN: d.MasterUserSecret.SecretArn,
		}
		if x.Kind == "DBCluster" {
			db.ResourceID = d.DbClusterResourceId
		}
		return db.Ways()
	}
	return nil
}
