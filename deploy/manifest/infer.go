package manifest

import (
	"maps"
	"slices"
	"strings"

	"github.com/triad-security/triad/policy/registry"
)

// publicHosts are registries where anybody may open an account and push.
var publicHosts = []string{
	"docker.io", "ghcr.io", "quay.io", "gcr.io", "public.ecr.aws", "registry.gitlab.com", "lscr.io", "nvcr.io", "ttl.sh",
}

// curated are the parts of public registries that their owners curate or that clusters
// themselves are made of; they are trusted by custom unless somebody says otherwise.
var curated = []string{
	"docker.io/library", "registry.k8s.io", "k8s.gcr.io", "mcr.microsoft.com", "gke.gcr.io",
	"public.ecr.aws/eks", "public.ecr.aws/eks-distro", "public.ecr.aws/docker/library", "public.ecr.aws/aws-observability",
	"602401143452.dkr.ecr.*.amazonaws.com", "registry.redhat.io", "registry.access.redhat.com",
}

// minInferred is how many workloads must use a registry before it is taken for a standard.
const minInferred = 2

// InferRegistries takes for trusted, where nobody named any, the private registries that
// serve at least two workloads each and together more than half of all that do not come from
// curated places. images maps workloads to their images. Without such registries it infers
// nothing.
func InferRegistries(images map[string][]string) Registries {
	custom, err := TrustRegistries(curated)
	if err != nil {
		panic(err) // the names above are wrong
	}
	users := map[string]map[string]bool{} // host → workloads
	total := 0
	for workload, references := range images {
		counted := false
		for _, reference := range references {
			repository, err := registry.Repository(reference)
			if err != nil {
				continue
			}
			if refusal, _ := custom.Trusts(reference); refusal == "" { // the reference was read above
				continue
			}
			host, _, _ := strings.Cut(repository, "/")
			if users[host] == nil {
				users[host] = map[string]bool{}
			}
			users[host][workload] = true
			counted = true
		}
		if counted {
			total++
		}
	}
	served := map[string]bool{}
	var hosts []string
	for host, workloads := range users {
		if len(workloads) >= minInferred && !slices.Contains(publicHosts, host) {
			hosts = append(hosts, host)
			maps.Copy(served, workloads)
		}
	}
	if len(hosts) == 0 || 2*len(served) <= total {
		return Registries{}
	}
	slices.Sort(hosts)
	trusted, err := TrustRegistries(append(slices.Clone(hosts), curated...))
	if err != nil {
		return Registries{} // a host that no name can have: nothing is inferred of it
	}
	trusted.inferred = hosts
	return trusted
}

// Inferred lists the registries that were taken for trusted without anybody naming them.
func (r Registries) Inferred() []string { return r.inferred }
