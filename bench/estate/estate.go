package estate

import (
	"encoding/json"
	"fmt"

	"github.com/triad-security/triad"
)

// Size of a generated estate. One cell is one account with its cluster.
type Size struct {
	Cells       int
	Nodes       int // instances of each cell
	Deployments int // of each cell, two pods each
	Images      int // of the whole estate
	Packages    int // of each image
}

// OfAssets returns a size of about n assets, cells alike.
func OfAssets(n int) Size {
	s := Size{Nodes: 8, Deployments: 30, Images: 200, Packages: 40}
	s.Cells = max(1, n/s.cell())
	return s
}

// cell is the number of assets of one cell.
func (s Size) cell() int {
	services := s.Deployments
	balancers := s.Deployments / balancerEach
	return 15 + 3*s.Nodes + 6*s.Deployments + services + 5*balancers + namespaces
}

const (
	namespaces   = 3
	balancerEach = 5 // every fifth deployment stands behind a load balancer of its own
	region       = "us-east-1"
)

type object = map[string]any

// cell builds the two reports of one account and its cluster.
type cell struct {
	Size
	n       int
	account string
	cluster string
	aws     triad.Report
	k8s     triad.Report
}

// Reports calls fn with every report: images, then account and cluster of each cell.
func (s Size) Reports(fn func(*triad.Report) error) error {
	for i := range s.Images {
		if err := fn(s.image(i)); err != nil {
			return err
		}
	}
	for i := range s.Cells {
		c := s.cellReports(i)
		for _, r := range []*triad.Report{&c.aws, &c.k8s} {
			if err := fn(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// Digest of the i-th image.
func Digest(i int) string { return fmt.Sprintf("sha256:%064x", 0xabc000+i) }

func (s Size) image(i int) *triad.Report {
	id := Digest(i)
	r := report("image/"+id, "packages")
	r.Assets = []triad.Asset{{ID: id, Type: triad.TypeImage, Kind: "Image", Section: "packages"}}
	for p := range s.Packages {
		name, version := fmt.Sprintf("package-%d", p), fmt.Sprintf("%d.0", i%10)
		r.Packages = append(r.Packages, triad.Package{
			Asset: id, Section: "packages", Name: name, Version: version, Ecosystem: "Debian:12",
			PURL: fmt.Sprintf("pkg:deb/debian/%s@%s?distro=debian-12", name, version),
		})
	}
	return r
}

func report(scope string, sections ...string) *triad.Report {
	r := &triad.Report{Tenant: triad.DefaultTenant, Scope: scope, Collector: "generated", Revision: 1}
	for _, s := range sections {
		r.Sections = append(r.Sections, triad.Section{Name: s, Status: triad.SectionComplete})
	}
	return r
}

// Group is the ID of the security group of a cell's nodes and pods.
func Group(cell int) string { return id("sg", cell, 1) }

// Balancer is the ID of the security group of a cell's load balancers.
func Balancer(cell int) string { return id("sg", cell, 2) }

// Scope is the AWS scope of a cell.
func Scope(cell int) string { return "aws/" + account(cell) + "/" + region }

// SecurityGroup is the asset of a group of a cell with one rule in: tcp port from a CIDR or
// from another group; no rule when from is empty.
func SecurityGroup(cell int, group, from string, port int) triad.Asset {
	rules := []object{}
	switch {
	case from == "":
	case from[0] == 's':
		rules = []object{{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": []object{{"GroupId": from, "UserId": account(cell)}}}}
	default:
		rules = []object{{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": []object{{"CidrIp": from}}}}
	}
	return asset(triad.TypeSecurityGroup, "SecurityGroup", "ec2-describe-security-groups", group, object{
		"GroupId": group, "GroupName": group, "OwnerId": account(cell), "VpcId": id("vpc", cell, 0),
		"IpPermissions":       rules,
		"IpPermissionsEgress": []object{{"IpProtocol": "-1", "IpRanges": []object{{"CidrIp": "0.0.0.0/0"}}}},
	})
}

func account(cell int) string { return fmt.Sprintf("%012d", 100_000_000_000+cell) }

func id(kind string, cell, n int) string { return fmt.Sprintf("%s-%08x%09x", kind, cell+1, n+1) }

func asset(t triad.AssetType, kind, section, id string, doc object) triad.Asset {
	return triad.Asset{ID: id, Type: t, Kind: kind, Section: section, Doc: encode(doc)}
}

func encode(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil { // the values here always marshal
		panic(err)
	}
	return data
}
