package risk

import (
	"encoding/json"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// Keys of Index.
const (
	keyClusterNodes   = "risk/cluster-nodes/"   // + cluster: its Node rows
	keyManagedCluster = "risk/managed-cluster/" // + name: clusters that a cloud provider runs
)

// Index names the keys under which risk looks rows up; an Engine adds it to its estate.
func Index(_ string, a *triad.Asset) (any, []string, error) {
	switch a.Type {
	case triad.TypeHost:
		if a.Kind == "Node" {
			return nil, []string{keyClusterNodes + objectOf(a.ID, a.Kind).cluster}, nil
		}
	case triad.TypeDataStore, triad.TypeGateway:
		return nil, networkKeys(a), nil
	case triad.TypeCluster:
		if strings.HasPrefix(a.ID, "arn:") {
			return nil, []string{keyManagedCluster + managedCluster(a).Name}, nil
		}
	}
	return nil, nil, nil
}

var _ reach.Index = Index

// eksCluster is what of a managed cluster's document is read here.
type eksCluster struct {
	Name     string `json:"name"`
	Identity struct {
		OIDC struct {
			Issuer string `json:"issuer"`
		} `json:"oidc"`
	} `json:"identity"`
}

func managedCluster(a *triad.Asset) (d eksCluster) {
	_ = json.Unmarshal(a.Doc, &d) // what does not decode has no issuer
	return d
}

// props decodes an asset's typed properties; the zero value when it has none or they are of
// another shape.
func props[T any](a *triad.Asset) (p T) {
	if a != nil && len(a.Props) > 0 {
		_ = json.Unmarshal(a.Props, &p) // a collector of another version: read what fits
	}
	return p
}

// object is a Kubernetes asset ID taken apart.
type object struct{ cluster, namespace, name, container string }

// objectOf takes apart what triad.KubernetesID and PodContainerID made. The cluster's name
// may hold slashes, so the kind is what divides.
func objectOf(id, kind string) object {
	rest, ok := strings.CutPrefix(id, "k8s:")
	if !ok {
		return object{}
	}
	rest, container, _ := strings.Cut(rest, "#")
	i := strings.LastIndex(rest, "/"+kind+"/")
	if i < 0 {
		return object{}
	}
	o := object{cluster: rest[:i], container: container}
	rest = rest[i+len(kind)+2:]
	if namespace, name, two := strings.Cut(rest, "/"); two {
		o.namespace, o.name = namespace, name
	} else {
		o.name = rest
	}
	return o
}

func relationProps[T any](r *triad.Relation) (p T) {
	if len(r.Props) > 0 {
		_ = json.Unmarshal(r.Props, &p)
	}
	return p
}
