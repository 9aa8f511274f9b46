package triad

import "time"

// Exception lets a guardrail's refusal pass for a while: one finding, in one place, for a
// reason that somebody owns. All but Source is required.
type Exception struct {
	ID string `json:"id"`
	// Guardrail is the name of the one it is from; * is every one.
	Guardrail string `json:"guardrail"`
	// Finding is an ID or alias of the finding, such as CVE-2021-44228; * is the guardrail as a whole.
	Finding string `json:"finding"`
	// Scope says where: patterns with * and ?.
	Scope  ExceptionScope `json:"scope"`
	Owner  string         `json:"owner"`
	Reason string         `json:"reason"`
	// Expires is when it ends. After that it is not applied, and said.
	Expires time.Time `json:"expires"`
	// Source is where it was read: a file and line.
	Source string `json:"source,omitempty"`
}

// ExceptionScope is where an exception holds. What is empty holds everywhere; one of them is
// given.
type ExceptionScope struct {
	// Images are patterns of full references: registry.example.com/shop/web:*.
	Images []string `json:"images,omitempty"`
	// Artifacts are patterns of the names of folders, bills of materials and functions.
	Artifacts []string `json:"artifacts,omitempty"`
	// Packages are patterns of package names.
	Packages []string `json:"packages,omitempty"`
	// Paths are patterns of paths within the artifact.
	Paths []string `json:"paths,omitempty"`
	// Workloads are patterns of namespace/name, and Container the name of the one container of
	// it, at admission.
	Workloads []string `json:"workloads,omitempty"`
	Container string   `json:"container,omitempty"`
}

// Expired says whether the exception had ended at a time.
func (e *Exception) Expired(now time.Time) bool { return !now.Before(e.Expires) }
