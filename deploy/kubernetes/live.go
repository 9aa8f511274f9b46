package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/triad-security/triad"
)

const (
	// pageSize is what kubectl asks for at a time.
	pageSize = 500
	// maxPages bounds one kind: an API server that never ends a list is not believed.
	maxPages = maxObjects / pageSize
	// requestTimeout bounds one page.
	requestTimeout = time.Minute
	// A collection makes a few requests a second at most for every kind; these are client-go's
	// limits for a controller, doubled.
	queriesPerSecond, burst = 20, 40
)

// Connection says which API server to read.
type Connection struct {
	Kubeconfig string // file; empty is KUBECONFIG, else ~/.kube/config, else the pod's own account
	Context    string // of the kubeconfig; empty is the current one
	UserAgent  string
}

// config resolves a connection, and the name that the kubeconfig gives the cluster.
func (c Connection) config() (*rest.Config, string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.Kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: c.Context})
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, "", triad.Errorf(triad.CodeInvalid, "no Kubernetes cluster to read (give --kubeconfig, --context or --from): %w", err)
	}
	config.QPS, config.Burst, config.UserAgent = queriesPerSecond, burst, c.UserAgent
	raw, err := loader.RawConfig()
	if err != nil {
		return config, "", nil // inside a pod there is no kubeconfig
	}
	name := c.Context
	if name == "" {
		name = raw.CurrentContext
	}
	if entry := raw.Contexts[name]; entry != nil {
		return config, contextName(entry.Cluster), nil
	}
	return config, "", nil
}

// contextName is the cluster's name in a kubeconfig, without what tools put around it: EKS
// writes the cluster's ARN, eksctl NAME.REGION.eksctl.io, GKE gke_PROJECT_ZONE_NAME.
func contextName(cluster string) string {
	if rest, ok := strings.CutPrefix(cluster, "arn:"); ok {
		return rest[strings.LastIndexByte(rest, '/')+1:]
	}
	if strings.HasSuffix(cluster, ".eksctl.io") {
		name, _, _ := strings.Cut(cluster, ".")
		return name
	}
	if parts := strings.SplitN(cluster, "_", 4); len(parts) == 4 && parts[0] == "gke" {
		return parts[3]
	}
	if u, err := url.Parse(cluster); err == nil && u.Host != "" {
		return u.Hostname()
	}
	if cluster == "kubernetes" || cluster == "default" { // kubeadm's and k3s's, for every cluster
		return ""
	}
	return cluster
}

// Live reads a cluster through its API server. A kind that may not be listed, or whose listing
// fails, is an unread section; only a server that answers nothing at all is an error.
func Live(ctx context.Context, c Connection, o Options) (*triad.Report, error) {
	config, name, err := c.config()
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", config.Host, err)
	}
	groups, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", config.Host, err)
	}
	d := newDump(config.Host)
	d.base = name
	if err := d.list(ctx, client, groups); err != nil {
		return nil, err
	}
	if o.Record != "" {
		if err := d.record(o.Record); err != nil {
			return nil, err
		}
	}
	return d.report(o), nil
}

func (d *dump) list(ctx context.Context, client dynamic.Interface, groups discovery.ServerResourcesInterface) error {
	answered := false
	var first error
	for _, k := range kinds {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := d.listKind(ctx, client, k)
		var status apierrors.APIStatus
		switch {
		case err == nil:
			d.read(k.Plural)
			answered = true
		case !k.core && (apierrors.IsNotFound(err) || k.custom && apierrors.IsForbidden(err) && unknown(groups, k)):
			d.sections[k.Plural] = triad.Section{Name: k.Plural, Status: triad.SectionAbsent, Reason: "the cluster knows no " + k.Kind}
			answered = true
		default:
			d.unread(k.Plural, err.Error())
			answered = answered || errors.As(err, &status)
			if first == nil {
				first = err
			}
		}
	}
	if !answered {
		return triad.Errorf(triad.CodeUnavailable, "the Kubernetes API server at %s does not answer: %w", d.source, first)
	}
	d.readKubeadm(ctx, client)
	return nil
}

// unknown reports whether the cluster has no such kind at all: a server denies what it does
// not know like anything else.
func unknown(groups discovery.ServerResourcesInterface, k kind) bool {
	_, err := groups.ServerResourcesForGroupVersion(schema.GroupVersion{Group: k.Group, Version: k.Version}.String())
	return apierrors.IsNotFound(err)
}

// listKind reads all pages of a kind. A token that expired while paging (HTTP 410) starts the
// list anew, once.
func (d *dump) listKind(ctx context.Context, client dynamic.Interface, k kind) error {
	resource := client.Resource(schema.GroupVersionResource{Group: k.Group, Version: k.Version, Resource: k.Plural})
	restarted := false
	options := metav1.ListOptions{Limit: pageSize}
	for range maxPages {
		page, err := listPage(ctx, resource, options)
		if apierrors.IsResourceExpired(err) && options.Continue != "" && !restarted {
			restarted, options.Continue = true, ""
			d.drop(k.Kind)
			continue
		}
		if err != nil {
			return err
		}
		for i := range page.Items {
			m := page.Items[i].Object
			if str(m["kind"]) == "" {
				m["kind"] = k.Kind
			}
			if err := d.add(m); err != nil {
				d.unread(k.Plural, err.Error())
			}
		}
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return nil
		}
	}
	return fmt.Errorf("the list does not end after %d pages", maxPages)
}

func listPage(ctx context.Context, resource dynamic.ResourceInterface, options metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return resource.List(ctx, options)
}

func (d *dump) drop(kindName string) {
	for key := range d.objects {
		if key.kind == kindName {
			delete(d.objects, key)
		}
	}
}

// readKubeadm reads the one ConfigMap that may name the cluster; others are not read.
func (d *dump) readKubeadm(ctx context.Context, client dynamic.Interface) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	o, err := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).
		Namespace("kube-system").Get(ctx, "kubeadm-config", metav1.GetOptions{})
	if err != nil {
		return
	}
	data, _, _ := unstructured.NestedString(o.Object, "data", "ClusterConfiguration")
	d.kubeadm = data
}
