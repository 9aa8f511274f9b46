//go:build tools

// Package apiserver pins the Kubernetes API server that tests run against. Its module stands
// alone, because Kubernetes can only be built with all its staging modules replaced.
package apiserver

import _ "k8s.io/kubernetes/cmd/kube-apiserver"
