package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/deploy/kubernetes"
)

func newCollectKubernetesCommand(a *app) *cobra.Command {
	var from, cluster, record string
	connection := kubernetes.Connection{UserAgent: "triad/" + version}
	var registries trustedRegistries
	cmd := &cobra.Command{
		Use:   "kubernetes",
		Short: "Read a Kubernetes cluster, live or from kubectl output",
		Long: `Lists the objects that decide what runs, who it may become and who reaches it; never Secrets.
A kind that may not be listed is reported as unread, and the verdicts that need it are unknown.
A ClusterRole with get and list on the listed kinds is enough.`,
		Args: cobra.NoArgs,
		Example: `  triad collect kubernetes --context production
  for k in namespaces nodes pods services endpointslices ingresses networkpolicies; do
    kubectl get $k -A -o yaml > dump/$k.yaml; done
  triad collect kubernetes --from dump --cluster production`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			trusted, err := registries.read(a)
			if err != nil {
				return err
			}
			o := kubernetes.Options{
				Tenant: a.tenant, Cluster: cluster, Collector: "kubernetes/" + version,
				Trusted: trusted, Record: record, Now: time.Now(),
			}
			var report *triad.Report
			if from != "" {
				report, err = kubernetes.Dir(cmd.Context(), from, o)
			} else {
				report, err = kubernetes.Live(cmd.Context(), connection, o)
			}
			if err != nil {
				return err
			}
			return a.keepCollected(cmd.Context(), report)
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "folder of kubectl get KIND -A -o yaml output, one file per kind")
	f.StringVar(&cluster, "cluster", "", "the cluster's name; its identity too where the UID of kube-system is not known")
	f.StringVar(&connection.Kubeconfig, "kubeconfig", "", "kubeconfig file; default KUBECONFIG, else ~/.kube/config, else the pod's own account")
	f.StringVar(&connection.Context, "context", "", "context of the kubeconfig; default the current one")
	f.StringVar(&record, "record", "", "also write what is read, secrets masked, to this folder in the form that --from reads")
	registries.flag(f)
	return cmd
}
