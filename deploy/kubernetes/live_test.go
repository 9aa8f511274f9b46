package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/triad-security/triad"
)

// fakeAPI stands for an API server that does what a real one does not do on request: deny one
// kind, expire a continue token, lack a custom resource. The real one is in server_test.go.
func fakeAPI(t *testing.T, lists map[string]http.HandlerFunc) Connection {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		resource := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		if handle := lists[resource]; handle != nil {
			handle(w, r)
			return
		}
		if k, ok := kindOfFile(resource); ok && !k.custom {
			fmt.Fprintf(w, `{"kind":"%sList","apiVersion":"v1","metadata":{},"items":[]}`, k.Kind)
			return
		}
		status(w, http.StatusNotFound, "NotFound", "the server could not find the requested resource")
	}))
	t.Cleanup(server.Close)
	return connection(t, server.URL, "", "fake")
}

func status(w http.ResponseWriter, code int, reason, message string) {
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":%q,"reason":%q,"code":%d}`, message, reason, code)
}

// connection writes a kubeconfig for a server.
func connection(t *testing.T, server, token, name string) Connection {
	t.Helper()
	config := map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "test",
		"clusters": []any{map[string]any{"name": name, "cluster": map[string]any{"server": server, "insecure-skip-tls-verify": strings.HasPrefix(server, "https")}}},
		"users":    []any{map[string]any{"name": "test", "user": map[string]any{"token": token}}},
		"contexts": []any{map[string]any{"name": "test", "context": map[string]any{"cluster": name, "user": "test"}}},
	}
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return Connection{Kubeconfig: path}
}

func pod(name string) string {
	return fmt.Sprintf(`{"metadata":{"name":%q,"namespace":"default"},"spec":{"containers":[{"name":"c","image":"nginx"}]}}`, name)
}

func section(t *testing.T, r *triad.Report, name string) triad.Section {
	t.Helper()
	for _, s := range r.Sections {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no section %s", name)
	return triad.Section{}
}

func TestFakeServerThatDeniesAKindLeavesItsSectionUnread(t *testing.T) {
	c := fakeAPI(t, map[string]http.HandlerFunc{
		"networkpolicies": func(w http.ResponseWriter, _ *http.Request) {
			status(w, http.StatusForbidden, "Forbidden", `networkpolicies.networking.k8s.io is forbidden: User "x" cannot list resource`)
		},
		"pods": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"kind":"PodList","apiVersion":"v1","items":[%s]}`, pod("a"))
		},
	})
	r, err := Live(context.Background(), c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s := section(t, r, "networkpolicies"); s.Status != triad.SectionUnread || !strings.Contains(s.Reason, "forbidden") {
		t.Errorf("networkpolicies: %+v", s)
	}
	if s := section(t, r, "targetgroupbindings"); s.Status != triad.SectionAbsent {
		t.Errorf("targetgroupbindings: %+v", s)
	}
	if s := section(t, r, "pods"); s.Status != triad.SectionComplete {
		t.Errorf("pods: %+v", s)
	}
	if r.Scope != "kubernetes/fake" {
		t.Errorf("scope %s, want the kubeconfig's name for a cluster without kube-system", r.Scope)
	}
	find(t, r, "k8s:fake/Pod/default/a")
}

func TestFakeServerThatExpiresAContinueTokenIsAskedAnew(t *testing.T) {
	expired := false
	c := fakeAPI(t, map[string]http.HandlerFunc{"pods": func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("limit"); got != "500" {
			t.Errorf("limit %s", got)
		}
		switch token := r.URL.Query().Get("continue"); {
		case token == "" && !expired:
			fmt.Fprintf(w, `{"kind":"PodList","apiVersion":"v1","metadata":{"continue":"two"},"items":[%s]}`, pod("gone"))
		case token == "two":
			expired = true
			status(w, http.StatusGone, "Expired", "the provided continue parameter is too old")
		default:
			fmt.Fprintf(w, `{"kind":"PodList","apiVersion":"v1","items":[%s,%s]}`, pod("a"), pod("b"))
		}
	}})
	r, err := Live(context.Background(), c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s := section(t, r, "pods"); s.Status != triad.SectionComplete {
		t.Errorf("pods: %+v", s)
	}
	find(t, r, "k8s:fake/Pod/default/b")
	for _, a := range r.Assets {
		if strings.HasSuffix(a.ID, "/gone") {
			t.Error("a pod of the expired page is still there")
		}
	}
}

func TestFakeServerThatFailsMidwayLeavesARecordThatSaysSo(t *testing.T) {
	c := fakeAPI(t, map[string]http.HandlerFunc{"pods": func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("continue") == "" {
			fmt.Fprintf(w, `{"kind":"PodList","apiVersion":"v1","metadata":{"continue":"two"},"items":[%s]}`, pod("a"))
			return
		}
		status(w, http.StatusInternalServerError, "InternalError", "etcd is unwell")
	}})
	record := t.TempDir()
	o := Options{Cluster: "fake", Record: record, Now: time.Unix(1, 0)}
	live, err := Live(context.Background(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := Dir(context.Background(), record, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*triad.Report{live, folder} {
		if s := section(t, r, "pods"); s.Status != triad.SectionUnread {
			t.Errorf("pods: %+v", s)
		}
		if s := section(t, r, "services"); s.Status != triad.SectionComplete {
			t.Errorf("services: %+v", s)
		}
		find(t, r, "k8s:fake/Pod/default/a")
	}
}

func TestAServerThatDoesNotAnswerIsAnError(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	_, err := Live(context.Background(), connection(t, server.URL, "", "gone"), Options{})
	if triad.ErrorCode(err) != triad.CodeUnavailable {
		t.Errorf("error %v", err)
	}
}

func TestClusterNamesInKubeconfigsLoseWhatToolsPutAroundThem(t *testing.T) {
	for given, want := range map[string]string{
		"arn:aws:eks:us-east-1:111122223333:cluster/shop": "shop",
		"shop.us-east-1.eksctl.io":                        "shop",
		"gke_project_europe-west1-b_shop":                 "shop",
		"kind-shop":                                       "kind-shop",
		"kubernetes":                                      "",
	} {
		if got := contextName(given); got != want {
			t.Errorf("%s is called %q, want %q", given, got, want)
		}
	}
}
