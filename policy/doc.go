// Package policy decides whether a subject (an image, a folder, later a Kubernetes object) may
// go on: guardrails written in CEL, one language for build, deploy, run and cloud, with
// exceptions that have an owner, a reason and an expiry. What could not be read makes the
// guardrails that read it unknown, never passed. It knows no scanner and no store: callers fill
// in a Subject. Guardrails, exceptions and their tests are YAML files; see docs/policy.md.
package policy
