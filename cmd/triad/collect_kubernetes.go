package main

import (
	"github.com/spf13/cobra"

	"github.com/triad-security/triad/deploy/kubernetes"
)

func newCollectKubernetesCommand(a *app) *cobra.Command {
	var from, cluster string
	var registries trustedRegistries
	cmd := &cobra.Command{
		Use:   "kubernetes",
		Short: "Read a Kubernetes cluster, live or from kubectl output",
		Args:  cobra.NoArgs,
		Example: `  triad collect kubernetes --context production
  for k in namespaces nodes pods services endpointslices ingresses networkpolicies; do
    kubectl get $k -A -o yaml > dump/$k.yaml; done
  triad collect kubernetes --from dump --cluster production`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			trusted, err := registries.read(a)
			if err != nil {
				return err
			}
			o := kubernetes.Options{Tenant: a.tenant, Cluster: cluster, Collector: "kubernetes/" + version, Trusted: trusted}
			report, err := kubernetes.Dir(cmd.Context(), from, o)
			if err != nil {
				return err
			}
			return a.keepCollected(cmd.Context(), report)
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "folder of kubectl get KIND -A -o yaml output, one file per kind")
	f.StringVar(&cluster, "cluster", "", "the cluster's name; its identity too where the UID of kube-system is not known")
	registries.flag(f)
	return cmd
}
