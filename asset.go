package triad

import (
	"encoding/json"
	"strconv"
	"time"
)

// AssetType is the broad class of an asset; Kind names it exactly, as its provider does.
type AssetType string

// The asset types. Compute, then network, then identity and data.
const (
	TypeImage      AssetType = "image"
	TypeLayer      AssetType = "layer"
	TypePackage    AssetType = "package"
	TypeRepository AssetType = "repository"
	TypeRegistry   AssetType = "registry"
	TypeWorkload   AssetType = "workload" // Deployment, DaemonSet, … or a Docker container that nothing owns
	TypePod        AssetType = "pod"
	TypeContainer  AssetType = "container" // one container of one pod, or one Docker container
	TypeProcess    AssetType = "process"
	TypeFunction   AssetType = "function"
	TypeHost       AssetType = "host" // machine: EC2 instance, Kubernetes node, this computer
	TypeCluster    AssetType = "cluster"
	TypeNamespace  AssetType = "namespace"

	TypeService          AssetType = "service"
	TypeIngress          AssetType = "ingress"
	TypeNetworkPolicy    AssetType = "network-policy"
	TypeLoadBalancer     AssetType = "load-balancer"
	TypeListener         AssetType = "listener"
	TypeTargetGroup      AssetType = "target-group"
	TypeSecurityGroup    AssetType = "security-group"
	TypeNetworkACL       AssetType = "network-acl"
	TypePrefixList       AssetType = "prefix-list"
	TypeRouteTable       AssetType = "route-table"
	TypeGateway          AssetType = "gateway" // internet, NAT, egress-only, transit gateways, peering, VPC endpoints
	TypeNetworkInterface AssetType = "network-interface"
	TypeAddress          AssetType = "address"
	TypeSubnet           AssetType = "subnet"
	TypeNetwork          AssetType = "network" // VPC, Docker network
	TypeInternet         AssetType = "internet"

	TypeIdentity  AssetType = "identity" // IAM role or user, service account
	TypePolicy    AssetType = "policy"   // IAM policy, RBAC role, resource policy
	TypeDataStore AssetType = "data-store"
	TypeConfig    AssetType = "config" // any other provider object, kept for checks
)

// Asset is one thing a collector saw, as one scope sees it. Two scopes that see
// the same thing each have their own Asset; aliases join them.
type Asset struct {
	// ID is the provider's own where that is unique (i-…, sg-…, an ARN, an image digest
	// sha256:…), else built by KubernetesID, DockerID or HostID.
	ID string `json:"id"`
	// Aliases are further IDs of the same thing. An alias of one row may be the ID or an
	// alias of another, whichever arrives first.
	Aliases []string  `json:"aliases,omitempty"`
	Type    AssetType `json:"type"`
	Kind    string    `json:"kind"`
	// Name is what people call it: cluster/namespace/name, host/container, account/region/function.
	Name    string `json:"name,omitempty"`
	Section string `json:"section"`
	// Tags are the provider's labels or tags.
	Tags map[string]string `json:"tags,omitempty"`
	// Props holds the typed properties of props.go for this Type; Schema names their version,
	// such as "container/1".
	Schema string          `json:"schema,omitempty"`
	Props  json.RawMessage `json:"props,omitempty"`
	// Doc is the provider's own document of this thing: one element of what
	// `aws ec2 describe-…` or `kubectl get -o json` or `docker inspect` prints; bounded, secrets redacted.
	Doc json.RawMessage `json:"doc,omitempty"`
}

// RelationType says how one asset stands to another.
type RelationType string

// The relation types, read as "from RELATION to".
const (
	RelRuns      RelationType = "runs"       // container or function → image
	RelContains  RelationType = "contains"   // pod → container, container → process, cluster → namespace
	RelOwnedBy   RelationType = "owned-by"   // pod → the workload at the top of its owners
	RelRunsOn    RelationType = "runs-on"    // pod or container → host
	RelListens   RelationType = "listens"    // container or process → endpoint; Props is Listen
	RelRoutes    RelationType = "routes"     // load balancer → target, service → pod
	RelAllows    RelationType = "allows"     // security group, policy → …
	RelAssumes   RelationType = "assumes"    // workload, pod, function, host → identity; service account → role
	RelCanAccess RelationType = "can-access" // identity → data store; Props is Access
	RelBuiltFrom RelationType = "built-from" // image → base image, repository
)

// Relation joins two assets by ID; either may belong to another scope or arrive later.
type Relation struct {
	From     string          `json:"from"`
	Type     RelationType    `json:"type"`
	To       string          `json:"to"`
	Section  string          `json:"section"`
	Props    json.RawMessage `json:"props,omitempty"`
	Evidence []Evidence      `json:"evidence,omitempty"`
}

// Key is unique among a scope's relations.
func (r Relation) Key() string { return r.From + "|" + string(r.Type) + "|" + r.To }

// Evidence says where a statement was read, so that a person can look for themselves.
type Evidence struct {
	// Source is the API call, file or kernel event: "ec2-describe-security-groups", "Dockerfile:12".
	Source string `json:"source"`
	// Detail is the part that decides: "tcp 443 from 0.0.0.0/0".
	Detail string     `json:"detail,omitempty"`
	Scope  string     `json:"scope,omitempty"`
	At     *time.Time `json:"at,omitempty"`
}

// Hop is one step of a path, or the step at which it ends. Types and ids are those of
// docs/reach.md: "security-group" and its id, "pod" and namespace/name, …
type Hop struct {
	Type     string    `json:"type"`
	ID       string    `json:"id,omitempty"`
	Evidence *Evidence `json:"evidence,omitempty"`
	// Reason says in a sentence why the hop blocks; empty on hops that let through.
	Reason string `json:"reason,omitempty"`
}

// Unread is a part of the world that could not be read, and why.
type Unread struct {
	Scope   string `json:"scope,omitempty"`
	Section string `json:"section"`
	Reason  string `json:"reason"`
}

// Package is one installed package of an image, host or function.
type Package struct {
	// Asset is the ID of the image (config digest or manifest digest), host or function.
	Asset   string `json:"asset,omitempty"`
	Section string `json:"section,omitempty"`
	Name    string `json:"name"`
	Version string `json:"version"`
	// Ecosystem is OSV's, with the release: "Debian:12", "Alpine:v3.20", "npm", "Go".
	Ecosystem string `json:"ecosystem"`
	PURL      string `json:"purl"`
	// Source and SourceVersion name the source package where a distribution's advisories do.
	Source        string `json:"source,omitempty"`
	SourceVersion string `json:"source_version,omitempty"`
	// Path is where it was found; a nested archive is written outer.jar!inner.jar.
	Path string `json:"path,omitempty"`
	// Owner is the distribution's package that brought this language's package: its fixes are
	// the distribution's, so it is not matched by itself.
	Owner string `json:"owner,omitempty"`
	// Dev: only developing and testing needs it; a lock file says so.
	Dev bool `json:"dev,omitempty"`
	// Layer is the diff ID of the layer that brought it, Step the build step of that layer.
	Layer string `json:"layer,omitempty"`
	Step  string `json:"step,omitempty"`
	// Origin says whose layer that is, Dockerfile where the step stands: "Dockerfile:12-15".
	Origin     Origin `json:"origin,omitempty"`
	Dockerfile string `json:"dockerfile,omitempty"`
	// Files are its loadable files (programs, shared libraries, archives), to join it with
	// what a process has mapped or opened. Absolute paths.
	Files []string `json:"files,omitempty"`
}

// Key is unique among a scope's packages.
func (p Package) Key() string { return p.Asset + "|" + p.PURL + "|" + p.Path }

// FindingKind is the class of a finding.
type FindingKind string

// The finding kinds.
const (
	FindingVulnerability    FindingKind = "vulnerability"
	FindingMalware          FindingKind = "malware"
	FindingSecret           FindingKind = "secret"
	FindingCode             FindingKind = "code"
	FindingMisconfiguration FindingKind = "misconfiguration"
	FindingDetection        FindingKind = "detection"
	FindingCompliance       FindingKind = "compliance"
)

// Finding is something wrong with an asset that a collector or scanner saw itself.
// Vulnerabilities are not reported: they are matched from packages against the
// advisories of the moment.
type Finding struct {
	Kind     FindingKind `json:"kind"`
	ID       string      `json:"id"` // the rule or advisory: "privileged-container"
	Aliases  []string    `json:"aliases,omitempty"`
	Asset    string      `json:"asset"`
	Section  string      `json:"section"`
	Title    string      `json:"title,omitempty"`
	Severity string      `json:"severity,omitempty"` // low, medium, high, critical
	Evidence []Evidence  `json:"evidence,omitempty"`
	Fix      string      `json:"fix,omitempty"`
	// Path and Line say where in the asset's files it is; a nested archive is written
	// outer.jar!inner.jar. Empty and zero where it is of the asset as a whole.
	Path string `json:"path,omitempty"`
	Line int    `json:"line,omitempty"`
	// Detail is the part that decides, masked where it is a secret.
	Detail string `json:"detail,omitempty"`
	// Layer, Step and Origin say how an image came by it: the layer's diff ID, its build step,
	// and whose layer it is; Dockerfile is where the step stands: "Dockerfile:12-15".
	Layer      string `json:"layer,omitempty"`
	Step       string `json:"step,omitempty"`
	Origin     Origin `json:"origin,omitempty"`
	Dockerfile string `json:"dockerfile,omitempty"`
}

// Origin says whether something came with the base image or was added to it.
type Origin string

// The origins; empty where the base is not known.
const (
	OriginBase  Origin = "base"
	OriginYours Origin = "yours"
)

// Key is unique among a scope's findings.
func (f Finding) Key() string {
	key := f.Asset + "|" + string(f.Kind) + "|" + f.ID
	if f.Path != "" {
		key += "|" + f.Path + ":" + strconv.Itoa(f.Line)
	}
	return key
}
