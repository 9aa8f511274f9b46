package triad

// Typed properties by asset type. They are what risk reads; adapters of reach read Doc.

// ContainerProps ("container/1") of a container.
type ContainerProps struct {
	Name     string `json:"name"`
	ImageRef string `json:"image_ref"`
	// Digest is what the runtime says it runs: manifest digest (Kubernetes) or config digest (Docker).
	Digest     string `json:"digest,omitempty"`
	Privileged bool   `json:"privileged,omitempty"`
	// Takeover lists in a word each what lets a process in here take over its host:
	// "privileged", "host-pid", "docker-socket /var/run/docker.sock", "host-path /", "capability SYS_ADMIN".
	Takeover []string `json:"takeover,omitempty"`
	// HostNetwork: it shares its host's network namespace.
	HostNetwork bool `json:"host_network,omitempty"`
	Running     bool `json:"running"`
	// Metadata says whether the machine's metadata service answers it at all, as far as
	// the container's own networking decides that (host network, bridge).
	Init bool `json:"init,omitempty"`
}

// WorkloadProps ("workload/1") of a workload.
type WorkloadProps struct {
	Cluster   string `json:"cluster,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Host      string `json:"host,omitempty"` // asset ID of the host, for a container that runs outside a cluster
	Name      string `json:"name"`
	Replicas  int    `json:"replicas,omitempty"`
}

// FunctionProps ("function/1") of a function.
type FunctionProps struct {
	Runtime    string `json:"runtime,omitempty"`
	CodeDigest string `json:"code_digest,omitempty"` // base64 CodeSha256
	ImageRef   string `json:"image_ref,omitempty"`
	Role       string `json:"role,omitempty"`
}

// HostProps ("host/1") of a host.
type HostProps struct {
	Hostname  string   `json:"hostname,omitempty"`
	OS        string   `json:"os,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	// MetadataTokens: "required" or "optional"; MetadataHopLimit: how many hops an answer of
	// the metadata service travels; zero when unknown. MetadataOff: the service is disabled.
	MetadataTokens   string `json:"metadata_tokens,omitempty"`
	MetadataHopLimit int    `json:"metadata_hop_limit,omitempty"`
	MetadataOff      bool   `json:"metadata_off,omitempty"`
}

// ProcessProps ("process/1") of a process: one per distinct executable and arguments, not per PID.
type ProcessProps struct {
	Exe  string   `json:"exe"`
	Args []string `json:"args,omitempty"` // bounded; values that look secret are masked
	User string   `json:"user,omitempty"`
	// Loads are the files it has mapped or holds open as code: shared libraries, jars, modules.
	Loads []string `json:"loads,omitempty"`
}

// Basis says how a listener is known.
type Basis string

// The bases, best first.
const (
	BasisObserved Basis = "observed" // /proc or the sensor saw the socket
	BasisDeclared Basis = "declared" // EXPOSE, containerPort, published port
	BasisAssumed  Basis = "assumed"
)

// Listen are the properties of a listens relation.
type Listen struct {
	Protocol string `json:"protocol"` // tcp, udp, sctp
	Port     int    `json:"port"`
	Name     string `json:"name,omitempty"` // the port's name in Kubernetes
	// Address it is bound to inside its network namespace: 0.0.0.0, ::, 127.0.0.1; empty when unknown.
	Address string `json:"address,omitempty"`
	Basis   Basis  `json:"basis"`
	// Process is the asset ID of the process; empty unless observed.
	Process string `json:"process,omitempty"`
}

// IdentityProps ("identity/1") of an identity.
type IdentityProps struct {
	Provider string  `json:"provider"` // aws, kubernetes
	Trusts   []Trust `json:"trusts,omitempty"`
	Admin    bool    `json:"admin,omitempty"`
}

// Trust is one way to become an identity.
type Trust struct {
	// Type: "oidc" (web identity), "service" (ec2.amazonaws.com, lambda.amazonaws.com), "principal" (ARN or account).
	Type      string `json:"type"`
	Principal string `json:"principal"` // issuer host and path for oidc, service name, ARN
	// Subjects are patterns (* and ?) for the token's sub claim, such as
	// system:serviceaccount:shop:storefront; nil is any subject.
	Subjects []string `json:"subjects,omitempty"`
	// Unknown says which condition could not be evaluated; the trust is then unknown, not absent.
	Unknown string `json:"unknown,omitempty"`
}

// Access are the properties of a can-access relation.
type Access struct {
	Actions []string `json:"actions"` // the granted actions that read, write or connect
	Read    bool     `json:"read"`
	Write   bool     `json:"write"`
	// Unknown says which condition could not be evaluated; the access is then unknown, not granted.
	Unknown string `json:"unknown,omitempty"`
}

// DataStoreProps ("data-store/1") of a data store.
type DataStoreProps struct {
	Engine         string `json:"engine"`                   // s3, redshift, postgres, …
	Classification string `json:"classification,omitempty"` // tag data-classification
	// Public: everybody on the internet may read or write it by policy, not by network.
	Public        bool   `json:"public,omitempty"`
	PublicUnknown string `json:"public_unknown,omitempty"`
	// Endpoint of a store that is reached over the network. Addresses are those of its network
	// interfaces as far as known.
	Port      int      `json:"port,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	Network   string   `json:"network,omitempty"` // vpc-…
	// PubliclyAccessible: it has a public address if its subnet routes one.
	PubliclyAccessible bool     `json:"publicly_accessible,omitempty"`
	SecurityGroups     []string `json:"security_groups,omitempty"`
	Subnets            []string `json:"subnets,omitempty"`
}

// ImageProps ("image/1") of an image.
type ImageProps struct {
	Refs         []string `json:"refs,omitempty"`
	OS           string   `json:"os,omitempty"` // "Debian GNU/Linux 12 (bookworm)"
	Architecture string   `json:"architecture,omitempty"`
	Entrypoint   []string `json:"entrypoint,omitempty"`
	Cmd          []string `json:"cmd,omitempty"`
	User         string   `json:"user,omitempty"`
	Exposed      []string `json:"exposed,omitempty"` // "8080/tcp"
	Layers       []Layer  `json:"layers,omitempty"`
}

// Layer is one layer of an image, base first.
type Layer struct {
	DiffID string `json:"diff_id"`
	Digest string `json:"digest,omitempty"` // of the compressed blob
	Step   string `json:"step,omitempty"`   // the history entry that made it
	// Origin says whether the base image brought it, Dockerfile where its step stands:
	// "Dockerfile:12-15", or "Dockerfile:2 or Dockerfile:5" where nothing tells two apart.
	Origin     Origin `json:"origin,omitempty"`
	Dockerfile string `json:"dockerfile,omitempty"`
	Size       int64  `json:"size,omitempty"` // bytes uncompressed, where known
}
