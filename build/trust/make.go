package trust

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/triad-security/triad"
)

// Scan is what a vulnerability scan attests (cosign's COSIGN_VULN_ATTESTATION_SPEC.md).
type Scan struct {
	Scanner  string // URI
	Version  string
	DB       string // URI of the advisories
	Revision string // theirs
	// Invocation is what ran the scan: the URI of a pipeline's run. Empty where none did.
	Invocation string
	Result     any
	Started    time.Time
	Finished   time.Time
}

// Predicate returns the attestation of the scan.
func (s Scan) Predicate() (Predicate, error) {
	var p struct {
		Invocation struct {
			Parameters []string `json:"parameters"`
			URI        string   `json:"uri"`
			EventID    string   `json:"event_id"`
			BuilderID  string   `json:"builder.id"`
		} `json:"invocation"`
		Scanner struct {
			URI     string `json:"uri"`
			Version string `json:"version"`
			DB      struct {
				URI     string `json:"uri"`
				Version string `json:"version"`
			} `json:"db"`
			Result any `json:"result"`
		} `json:"scanner"`
		Metadata struct {
			Started  time.Time `json:"scanStartedOn"`
			Finished time.Time `json:"scanFinishedOn"`
		} `json:"metadata"`
	}
	p.Invocation.Parameters, p.Invocation.URI = []string{}, s.Invocation
	p.Scanner.URI, p.Scanner.Version, p.Scanner.Result = s.Scanner, s.Version, s.Result
	p.Scanner.DB.URI, p.Scanner.DB.Version = s.DB, s.Revision
	p.Metadata.Started, p.Metadata.Finished = s.Started.UTC(), s.Finished.UTC()
	body, err := json.Marshal(p)
	if err != nil {
		return Predicate{}, fmt.Errorf("attesting the scan: %w", err)
	}
	return Predicate{Type: PredicateVuln, Body: body}, nil
}

// Build is what a provenance attests (slsa.dev/spec/v1.0/provenance).
type Build struct {
	Type       string // URI of how builds of this kind are described
	Builder    string // URI of who builds
	Source     string // repository: git+https://github.com/acme/shop@refs/heads/main
	Commit     string // of the source, hex
	Invocation string // URI of the run
	// Parameters are what the build was asked to do, in the terms of Type.
	Parameters map[string]any
	Started    time.Time
	Finished   time.Time
}

// buildType is the kind of builds that nothing more is known of.
const buildType = "https://triad-security.github.io/buildtypes/generic/v1"

// Predicate returns the provenance.
func (b Build) Predicate() (Predicate, error) {
	if b.Builder == "" {
		return Predicate{}, triad.Errorf(triad.CodeInvalid, "a provenance says who built the image: give --builder")
	}
	if b.Type == "" {
		b.Type = buildType
	}
	type dependency struct {
		URI    string            `json:"uri"`
		Digest map[string]string `json:"digest,omitempty"`
	}
	var p struct {
		BuildDefinition struct {
			BuildType            string         `json:"buildType"`
			ExternalParameters   map[string]any `json:"externalParameters"`
			ResolvedDependencies []dependency   `json:"resolvedDependencies,omitempty"`
		} `json:"buildDefinition"`
		RunDetails struct {
			Builder struct {
				ID string `json:"id"`
			} `json:"builder"`
			Metadata struct {
				InvocationID string    `json:"invocationId,omitempty"`
				StartedOn    time.Time `json:"startedOn,omitzero"`
				FinishedOn   time.Time `json:"finishedOn,omitzero"`
			} `json:"metadata"`
		} `json:"runDetails"`
	}
	p.BuildDefinition.BuildType = b.Type
	p.BuildDefinition.ExternalParameters = b.Parameters
	if b.Parameters == nil {
		p.BuildDefinition.ExternalParameters = map[string]any{}
	}
	if b.Source != "" {
		d := dependency{URI: b.Source}
		if b.Commit != "" {
			d.Digest = map[string]string{"gitCommit": b.Commit}
		}
		p.BuildDefinition.ResolvedDependencies = []dependency{d}
	}
	p.RunDetails.Builder.ID = b.Builder
	m := &p.RunDetails.Metadata
	m.InvocationID, m.StartedOn, m.FinishedOn = b.Invocation, b.Started.UTC(), b.Finished.UTC()
	body, err := json.Marshal(p)
	if err != nil {
		return Predicate{}, fmt.Errorf("provenance: %w", err)
	}
	return Predicate{Type: PredicateProvenance, Body: body}, nil
}

// BuildOf returns what the environment of GitHub Actions or GitLab CI says of the build that
// runs in it, in their own terms; an empty Build elsewhere.
func BuildOf(getenv func(string) string) Build {
	switch {
	case getenv("GITHUB_ACTIONS") == "true":
		// actions.github.io/buildtypes/workflow/v1
		server, repository := getenv("GITHUB_SERVER_URL"), getenv("GITHUB_REPOSITORY")
		return Build{
			Type:       "https://actions.github.io/buildtypes/workflow/v1",
			Builder:    server + "/" + getenv("GITHUB_WORKFLOW_REF"),
			Source:     "git+" + server + "/" + repository + "@" + getenv("GITHUB_REF"),
			Commit:     getenv("GITHUB_SHA"),
			Invocation: server + "/" + repository + "/actions/runs/" + getenv("GITHUB_RUN_ID") + "/attempts/" + getenv("GITHUB_RUN_ATTEMPT"),
			Parameters: map[string]any{"workflow": map[string]any{
				"ref": getenv("GITHUB_REF"), "repository": server + "/" + repository, "path": workflowPath(getenv("GITHUB_WORKFLOW_REF"), repository),
			}},
		}
	case getenv("GITLAB_CI") == "true":
		// docs.gitlab.com, CI/CD variables; gitlab-runner's PROVENANCE.md
		return Build{
			Type:       "https://gitlab.com/gitlab-org/gitlab-runner/-/blob/main/PROVENANCE.md",
			Builder:    getenv("CI_SERVER_URL") + "/-/runners/" + getenv("CI_RUNNER_ID"),
			Source:     "git+" + getenv("CI_PROJECT_URL") + "@" + getenv("CI_COMMIT_REF_NAME"),
			Commit:     getenv("CI_COMMIT_SHA"),
			Invocation: getenv("CI_JOB_URL"),
			Parameters: map[string]any{"source": getenv("CI_PROJECT_URL"), "entryPoint": getenv("CI_JOB_NAME")},
		}
	}
	return Build{}
}

// workflowPath is the file of acme/shop/.github/workflows/build.yml@refs/heads/main.
func workflowPath(ref, repository string) string {
	ref = ref[min(len(ref), len(repository)+1):]
	for i := range len(ref) {
		if ref[i] == '@' {
			return ref[:i]
		}
	}
	return ref
}

// ReadPredicate checks a predicate that somebody else made: it must be a JSON object.
func ReadPredicate(predicateType string, body []byte) (Predicate, error) {
	if len(body) > maxAttestation {
		return Predicate{}, triad.Errorf(triad.CodeInvalid, "the predicate has %d bytes; at most %d are attested", len(body), maxAttestation)
	}
	if err := checkJSON(body); err != nil {
		return Predicate{}, triad.Errorf(triad.CodeInvalid, "the predicate: %w", err)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil || object == nil {
		return Predicate{}, triad.Errorf(triad.CodeInvalid, "the predicate is no JSON object: %v", err)
	}
	return Predicate{Type: predicateType, Body: body}, nil
}

// TypeOf returns the predicate type that is written for a kind of attestation. Of a bill of
// materials the document says which.
func TypeOf(kind string, body []byte) (string, error) {
	switch kind {
	case KindSBOM:
		var d struct {
			BOMFormat   string `json:"bomFormat"`
			SPDXVersion string `json:"spdxVersion"`
			Context     any    `json:"@context"` // SPDX 3
		}
		_ = json.Unmarshal(body, &d)
		switch {
		case d.BOMFormat == "CycloneDX":
			return PredicateCycloneDX, nil
		case d.SPDXVersion != "" || d.Context != nil:
			return PredicateSPDX, nil
		}
		return "", triad.Errorf(triad.CodeInvalid, "the predicate is neither CycloneDX nor SPDX in JSON")
	case KindProvenance:
		return PredicateProvenance, nil
	}
	types, err := predicateTypes(kind)
	if err != nil {
		return "", err
	}
	return types[0], nil
}
