package kubernetes

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/deploy/kubernetes/apitest"
)

func TestMain(m *testing.M) { os.Exit(apitest.Main(m)) }

// apply creates the objects of a folder on a server, with their status.
func apply(t *testing.T, client dynamic.Interface, dir string) {
	t.Helper()
	ctx := context.Background()
	for _, k := range kinds {
		path := filepath.Join(dir, k.Plural+".yaml")
		if _, err := os.Stat(path); err != nil || k.custom {
			continue
		}
		resource := client.Resource(schema.GroupVersionResource{Group: k.Group, Version: k.Version, Resource: k.Plural})
		err := eachFile(path, func(_ header, m map[string]any) error {
			if m == nil {
				return nil
			}
			data, err := json.Marshal(m)
			if err != nil {
				return err
			}
			o := new(unstructured.Unstructured)
			if err := o.UnmarshalJSON(data); err != nil {
				return err
			}
			o.SetResourceVersion("")
			o.SetUID("")
			target := dynamic.ResourceInterface(resource)
			if o.GetNamespace() != "" {
				target = resource.Namespace(o.GetNamespace())
			}
			if _, err := target.Get(ctx, o.GetName(), metav1.GetOptions{}); err == nil {
				return nil // the server's own, such as service default/kubernetes
			}
			created, err := target.Create(ctx, o, metav1.CreateOptions{})
			if apierrors.IsAlreadyExists(err) {
				return nil
			}
			if err != nil {
				return err
			}
			if status, ok := o.Object["status"]; ok && k.Kind != "Namespace" {
				created.Object["status"] = status
				_, err = target.UpdateStatus(ctx, created, metav1.UpdateOptions{})
			}
			return err
		})
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
}

func TestRealServerIsReadAsTheFolderOfTheSameObjects(t *testing.T) {
	dir := filepath.Join(shared(t), "scenarios", "shop", "kubernetes")
	server := apitest.Start(t)
	c := connection(t, server.URL, server.Token, "anything")
	config, _, err := c.config()
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, client, dir)

	folder, err := Dir(context.Background(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	record := t.TempDir()
	live, err := Live(context.Background(), c, Options{Cluster: "shop", Record: record})
	if err != nil {
		t.Fatal(err)
	}
	uid := strings.TrimPrefix(live.Scope, "kubernetes/")
	if len(uid) != 36 {
		t.Errorf("scope %s is not the UID of kube-system", live.Scope)
	}
	recorded, err := Dir(context.Background(), record, Options{Cluster: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*triad.Report{"live": live, "recorded": recorded} {
		assets, relations, findings := map[string]triad.Asset{}, map[string]bool{}, map[string]bool{}
		shop := func(s string) string { return strings.ReplaceAll(s, uid, "shop") }
		for _, a := range r.Assets {
			assets[shop(a.ID)] = a
		}
		for _, rel := range r.Relations {
			relations[shop(rel.Key())] = true
		}
		for _, f := range r.Findings {
			findings[shop(f.Key())] = true
		}
		for _, want := range folder.Assets {
			if want.Kind == "TargetGroupBinding" {
				continue // the server lacks the load balancer controller's own kind
			}
			got, ok := assets[want.ID]
			if !ok || got.Type != want.Type || got.Name != want.Name || string(got.Props) != string(want.Props) {
				t.Errorf("%s: asset %s is %s %s %s, want %s %s %s", name, want.ID, got.Type, got.Name, got.Props, want.Type, want.Name, want.Props)
			}
		}
		for _, want := range folder.Relations {
			if !relations[want.Key()] {
				t.Errorf("%s: missing relation %s", name, want.Key())
			}
		}
		for _, want := range folder.Findings {
			if !findings[want.Key()] {
				t.Errorf("%s: missing finding %s", name, want.Key())
			}
		}
		for _, s := range r.Sections {
			if s.Status == triad.SectionUnread {
				t.Errorf("%s: section %s is unread: %s", name, s.Name, s.Reason)
			}
		}
	}
}

func TestRealServerThatAllowsOnlyPodsLeavesTheRestUnread(t *testing.T) {
	server := apitest.Start(t)
	admin, _, err := connection(t, server.URL, server.Token, "test").config()
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	rbac := schema.GroupVersion{Group: "rbac.authorization.k8s.io", Version: "v1"}
	for resource, object := range map[string]map[string]any{
		"clusterroles": {
			"apiVersion": rbac.String(), "kind": "ClusterRole", "metadata": map[string]any{"name": "pod-lister"},
			"rules": []any{map[string]any{"apiGroups": []any{""}, "resources": []any{"pods"}, "verbs": []any{"list"}}},
		},
		"clusterrolebindings": {
			"apiVersion": rbac.String(), "kind": "ClusterRoleBinding", "metadata": map[string]any{"name": "pod-lister"},
			"roleRef":  map[string]any{"apiGroup": rbac.Group, "kind": "ClusterRole", "name": "pod-lister"},
			"subjects": []any{map[string]any{"apiGroup": rbac.Group, "kind": "User", "name": "limited"}},
		},
	} {
		_, err := client.Resource(rbac.WithResource(resource)).Create(context.Background(), &unstructured.Unstructured{Object: object}, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	c := connection(t, server.URL, server.Token, "limited")
	data, err := os.ReadFile(c.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	data = []byte(strings.Replace(string(data), `"token":`, `"as":"limited","token":`, 1))
	if err := os.WriteFile(c.Kubeconfig, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Live(context.Background(), c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Sections {
		want := triad.SectionUnread
		switch s.Name {
		case "pods":
			want = triad.SectionComplete
		case "targetgroupbindings": // denied as well, but the cluster has no such kind
			want = triad.SectionAbsent
		}
		if s.Status != want || want == triad.SectionUnread && !strings.Contains(s.Reason, `User "limited" cannot list resource`) {
			t.Errorf("section %s: %+v", s.Name, s)
		}
	}
}
