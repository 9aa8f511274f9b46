package kubernetes

import (
	"strings"

	"github.com/triad-security/triad/deploy/manifest"
)

// sanitize drops from an object what nobody needs and nobody should keep: bookkeeping, the
// contents of Secrets and ConfigMaps (their keys stay), and literal environment values and
// arguments that look secret.
func sanitize(kindName string, m map[string]any) {
	if meta, ok := m["metadata"].(map[string]any); ok {
		delete(meta, "managedFields")
		delete(meta, "resourceVersion") // grows with every heartbeat and says nothing else
		if annotations, ok := meta["annotations"].(map[string]any); ok {
			// It repeats the whole object as it was applied, secrets included.
			delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
			maskStrings(annotations)
		}
	}
	switch kindName {
	case "Node":
		dropHeartbeats(m)
	case "Secret", "ConfigMap":
		for _, field := range []string{"data", "stringData", "binaryData"} {
			if values, ok := m[field].(map[string]any); ok {
				for k := range values {
					values[k] = manifest.Masked
				}
			}
		}
		return
	}
	if spec, ok := m["spec"].(map[string]any); ok {
		maskSpec(spec, 0)
	}
}

// dropHeartbeats drops the times at which a node's kubelet last reported, so that a node that
// only lives does not change.
func dropHeartbeats(node map[string]any) {
	status, _ := node["status"].(map[string]any)
	conditions, _ := status["conditions"].([]any)
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok {
			delete(c, "lastHeartbeatTime")
		}
	}
}

// maskSpec masks the containers of a pod spec, or of the pod template at whatever depth its
// kind holds one.
func maskSpec(spec map[string]any, depth int) {
	if depth > 6 {
		return
	}
	for _, field := range []string{"containers", "initContainers", "ephemeralContainers"} {
		containers, _ := spec[field].([]any)
		for _, c := range containers {
			if c, ok := c.(map[string]any); ok {
				maskContainer(c)
			}
		}
	}
	for _, field := range []string{"template", "jobTemplate", "spec"} {
		if inner, ok := spec[field].(map[string]any); ok {
			maskSpec(inner, depth+1)
		}
	}
}

func maskContainer(c map[string]any) {
	env, _ := c["env"].([]any)
	for _, e := range env {
		if e, ok := e.(map[string]any); ok {
			if value, ok := e["value"].(string); ok {
				e["value"] = manifest.MaskEnv(str(e["name"]), value)
			}
		}
	}
	for _, field := range []string{"command", "args"} {
		args, ok := c[field].([]any)
		if !ok {
			continue
		}
		words := make([]string, len(args))
		for i, a := range args {
			words[i] = str(a)
		}
		for i, w := range manifest.MaskArgs(words) {
			if _, ok := args[i].(string); ok {
				args[i] = w
			}
		}
	}
}

func maskStrings(m map[string]any) {
	for k, v := range m {
		if s, ok := v.(string); ok && !strings.HasPrefix(s, "arn:") {
			m[k] = manifest.MaskValue(s)
		}
	}
}
