package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/triad-security/triad"
)

// folder writes files and reads them as a dump.
func folder(t *testing.T, files map[string]string) *triad.Report {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "test")
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Dir(context.Background(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const podYAML = `apiVersion: v1
kind: Pod
metadata: {name: a, namespace: default}
spec: {containers: [{name: c, image: "nginx:1"}]}
`

func TestEveryFormOfKubectlOutputIsRead(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"a single object":               {"pods.yaml": podYAML},
		"several documents":             {"pods.yaml": podYAML + "---\n" + strings.Replace(podYAML, "name: a", "name: b", 1)},
		"a List with items at the left": {"pods.yaml": "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: a\n    namespace: default\n  spec:\n    containers:\n    - name: c\n      image: nginx:1\nkind: List\nmetadata:\n  resourceVersion: \"\"\n"},
		"a List with items indented":    {"pods.yaml": "apiVersion: v1\nkind: List\nitems:\n  - kind: Pod\n    metadata:\n      name: a\n      namespace: default\n    spec:\n      containers:\n        - name: c\n          image: nginx:1\n"},
		"a List in flow style":          {"pods.yaml": "{kind: List, items: [{kind: Pod, metadata: {name: a, namespace: default}, spec: {containers: [{name: c}]}}]}"},
		"items that share an anchor":    {"pods.yaml": "kind: List\nitems:\n- &p\n  kind: Pod\n  metadata: {name: b, namespace: default}\n- kind: Pod\n  metadata: {name: a, namespace: default}\n"},
		"JSON":                          {"po.json": `{"kind":"List","items":[{"kind":"Pod","metadata":{"name":"a","namespace":"default"},"spec":{"containers":[{"name":"c"}]}}]}`},
		"the API's own list":            {"pods.json": `{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"a","namespace":"default"},"spec":{"containers":[{"name":"c"}]}}]}`},
		"kubectl cluster-info dump":     {"nodes.json": `{"kind":"NodeList","items":[]}`, "default/pods.json": `{"kind":"PodList","items":[{"metadata":{"name":"a","namespace":"default"},"spec":{"containers":[{"name":"c"}]}}]}`, "default/a/logs.txt": "x"},
		"all kinds in one file":         {"everything.yaml": podYAML + "---\nkind: Service\nmetadata: {name: s, namespace: default}\n"},
		"lines that end as on Windows":  {"pods.yaml": strings.ReplaceAll("kind: List\nitems:\n- kind: Pod\n  metadata:\n    name: a\n    namespace: default\n", "\n", "\r\n")},
	} {
		t.Run(name, func(t *testing.T) {
			r := folder(t, files)
			find(t, r, "k8s:test/Pod/default/a")
			if s := section(t, r, "pods"); s.Status != triad.SectionComplete {
				t.Errorf("pods: %+v", s)
			}
		})
	}
}

func TestWhatADumpLacksIsUnreadWhereVerdictsNeedIt(t *testing.T) {
	r := folder(t, map[string]string{"pods.yaml": podYAML, "roles.yaml": "kind: List\nitems: []\n"})
	for name, want := range map[string]triad.SectionStatus{
		"pods": triad.SectionComplete, "services": triad.SectionUnread, "networkpolicies": triad.SectionUnread,
		"daemonsets": triad.SectionAbsent, "cronjobs": triad.SectionAbsent, "targetgroupbindings": triad.SectionAbsent,
		"roles": triad.SectionComplete, "clusterrolebindings": triad.SectionUnread,
	} {
		if got := section(t, r, name); got.Status != want || want != triad.SectionComplete && got.Reason == "" {
			t.Errorf("%s: %+v, want %s", name, got, want)
		}
	}
	if s := section(t, folder(t, map[string]string{"pods.yaml": podYAML}), "clusterrolebindings"); s.Status != triad.SectionAbsent {
		t.Errorf("without any RBAC file: %+v", s)
	}
}

func TestHostileFilesAreBoundedAndLeaveTheirSectionUnread(t *testing.T) {
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	for name, text := range map[string]string{
		"aliases that explode":  "kind: Pod\nmetadata: {name: a, namespace: default}\n" + bomb,
		"an alias of itself":    "kind: Pod\nmetadata: &m {name: a, x: *m}\n",
		"deep YAML":             "kind: Pod\nmetadata: {name: a}\nspec: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "\n",
		"deep JSON":             `{"kind":"Pod","metadata":{"name":"a"},"spec":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}",
		"truncated JSON":        `{"kind":"List","items":[{"kind":"Pod","metadata":{"name":"a"}`,
		"no YAML":               "\x00\x01\x02",
		"a list of no objects":  "kind: List\nitems: [1, 2]\n",
		"an object without one": "kind: Pod\nmetadata: {}\n",
		"fields of other types": "kind: Pod\nmetadata: {name: a, namespace: default}\nspec: {containers: {a: b}}\n",
		"a page of several":     "kind: List\nmetadata: {continue: abc}\nitems:\n- kind: Pod\n  metadata: {name: a, namespace: default}\n",
		"an object of 3 MiB":    "kind: Pod\nmetadata: {name: a, namespace: default}\nspec: {x: \"" + strings.Repeat("x", 3<<20) + "\"}\n",
	} {
		t.Run(name, func(t *testing.T) {
			file := "pods.yaml"
			if strings.HasPrefix(text, "{") {
				file = "pods.json"
			}
			if s := section(t, folder(t, map[string]string{file: text}), "pods"); s.Status != triad.SectionUnread {
				t.Errorf("pods: %+v", s)
			}
		})
	}
}

func TestSecretsDoNotReachAReport(t *testing.T) {
	const secret = "hunter2hunter2"
	r := folder(t, map[string]string{
		"secrets.yaml":    "kind: Secret\nmetadata: {name: s, namespace: default}\ndata: {password: " + secret + "}\nstringData: {x: " + secret + "}\n",
		"configmaps.yaml": "kind: ConfigMap\nmetadata: {name: c, namespace: default}\ndata: {x: " + secret + "}\n",
		"deployments.yaml": "kind: Deployment\nmetadata:\n  name: d\n  namespace: default\n  managedFields: [{x: " + secret + "}]\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: '{\"password\":\"" + secret + "\"}'\n" +
			"spec:\n  template:\n    spec:\n      containers:\n      - name: c\n        args: [--password, " + secret + "]\n        env:\n        - {name: DB_PASSWORD, value: " + secret + "}\n        - {name: DATABASE_URL, value: \"mysql://u:" + secret + "@h/d\"}\n",
		"cronjobs.yaml": "kind: CronJob\nmetadata: {name: j, namespace: default}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c, env: [{name: API_TOKEN, value: " + secret + "}]}]}}}}}\n",
	})
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if i := bytes.Index(data, []byte(secret)); i >= 0 {
		t.Errorf("a secret is in the report: %s", data[max(0, i-200):i+20])
	}
	if !bytes.Contains(find(t, r, "k8s:test/Secret/default/s").Doc, []byte(`"password":"***"`)) {
		t.Error("a Secret lost its keys")
	}
}

func FuzzDumpReadersOnlyFailWithAnError(f *testing.F) {
	f.Add([]byte(podYAML))
	f.Add([]byte("apiVersion: v1\nitems:\n- kind: Pod\n  metadata:\n    name: a\nkind: List\n---\nkind: Service\nmetadata: {name: s}\n"))
	f.Add([]byte(`{"kind":"PodList","items":[{"metadata":{"name":"a","ownerReferences":[{"kind":"Pod","name":"a","controller":true}]},"spec":{"containers":[{"ports":[{"containerPort":-1}]}]}}]}`))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := newDump("fuzz")
		add := func(list header, m map[string]any) error {
			if m != nil {
				if str(m["kind"]) == "" {
					m["kind"] = list.item()
				}
				_ = d.add(m)
			}
			return nil
		}
		_ = eachYAML(data, add)
		_ = eachJSON(bytes.NewReader(data), add)
		r := d.report(Options{})
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	})
}
