package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/triad-security/triad/deploy/kubernetes/apitest"
)

// TestUpReadsTheClusterOfTheKubeconfig runs the platform beside a real API server.
func TestUpReadsTheClusterOfTheKubeconfig(t *testing.T) {
	api := apitest.Start(t)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: lighthouse-2, user: test}}]
clusters: [{name: lighthouse-2, cluster: {server: %q, insecure-skip-tls-verify: true}}]
users: [{name: test, user: {token: %q}}]
`, api.URL, api.Token)
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", kubeconfig)
	up := start(t, program(t), "up", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--mirror", "http://127.0.0.1:1")
	up.waitFor(t, regexp.MustCompile(`read (the Kubernetes cluster): 1 reports`), 60*time.Second)
	up.waitFor(t, regexp.MustCompile(`console: (\S+)`), 60*time.Second)
}
