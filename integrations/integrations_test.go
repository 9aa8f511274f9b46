package integrations

import (
	"archive/zip"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// built builds triad once.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "triad-integrations-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "triad")
	out, err := exec.CommandContext(context.Background(), "go", "build", "-o", path, "../cmd/triad").CombinedOutput()
	if err != nil {
		return "", &buildError{string(out), err}
	}
	return path, nil
})

type buildError struct {
	output string
	error
}

func (e *buildError) Error() string { return e.error.Error() + ": " + e.output }

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := built(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

func triad(t *testing.T) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// read decodes a YAML file of the repository.
func read(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// run runs a program and returns its status and what it said.
func run(t *testing.T, dir string, env map[string]string, name string, args ...string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C.UTF-8"}
	for _, k := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, k+"="+env[k])
	}
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// write makes files below a folder.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// advisories makes a data directory that knows one exploited vulnerability of lodash.
func advisories(t *testing.T) string {
	t.Helper()
	dir, data := t.TempDir(), filepath.Join(t.TempDir(), "data")
	write(t, dir, map[string]string{
		"kev/known_exploited_vulnerabilities.json": `{"catalogVersion":"2026.11.01","vulnerabilities":[{"cveID":"CVE-2026-0001","dateAdded":"2026-11-01"}]}`,
		"osv/npm/x": "",
	})
	f, err := os.Create(filepath.Join(dir, "osv", "npm", "all.zip"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	w, err := z.Create("GHSA-1.json")
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write([]byte(`{"id":"GHSA-1","modified":"` + time.Now().UTC().Format(time.RFC3339) + `","aliases":["CVE-2026-0001"],"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],` +
		`"affected":[{"package":{"ecosystem":"npm","name":"lodash"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"4.17.12"}]}]}]}`))
	for _, err := range []error{err, z.Close(), f.Close(), os.Remove(filepath.Join(dir, "osv", "npm", "x"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if status, out := run(t, dir, nil, triad(t), "db", "import", "-q", "--data", data, dir); status != 0 {
		t.Fatalf("db import: %d %s", status, out)
	}
	return data
}

const (
	vulnerable = `{"name": "lodash", "version": "4.17.4"}`
	fixed      = `{"name": "lodash", "version": "4.17.21"}`
	lodash     = "app/node_modules/lodash/package.json"
)

func TestTheGitHubActionRefusesWithASummaryAndOutputs(t *testing.T) {
	var action struct {
		Inputs map[string]struct {
			Default  string
			Required bool
		}
		Outputs map[string]struct{ Value string }
		Runs    struct {
			Using string
			Steps []struct {
				ID, Shell, Run string
				Env            map[string]string
			}
		}
	}
	read(t, "../action.yml", &action)
	if action.Runs.Using != "composite" {
		t.Fatal(action.Runs.Using)
	}
	for _, test := range []struct {
		name, content, fail string
		status              int
		verdict             string
	}{
		{"what is exploited is refused", vulnerable, "true", 2, "refused"},
		{"a refusal is only told of", vulnerable, "false", 0, "refused"},
		{"what is fixed passes", fixed, "true", 0, "allowed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			work := t.TempDir()
			write(t, work, map[string]string{lodash: test.content, "out": "", "summary": "", "tmp/x": ""})
			inputs := map[string]string{"target": "app", "binary": triad(t), "data": advisories(t), "advisories": "none", "fail": test.fail}
			for name, in := range action.Inputs {
				if _, given := inputs[name]; !given {
					inputs[name] = in.Default
				}
			}
			outputs := map[string]map[string]string{}
			status, said := 0, ""
			for _, step := range action.Runs.Steps {
				if step.Shell != "bash" || step.Run == "" {
					t.Fatalf("step %s is not run by bash", step.ID)
				}
				env := map[string]string{
					"GITHUB_OUTPUT": filepath.Join(work, "out"), "GITHUB_STEP_SUMMARY": filepath.Join(work, "summary"),
					"RUNNER_TEMP": filepath.Join(work, "tmp"), "GITHUB_WORKSPACE": work, "CI": "true",
				}
				for k, v := range step.Env {
					env[k] = expression(t, v, inputs, outputs)
				}
				if err := os.WriteFile(filepath.Join(work, "out"), nil, 0o644); err != nil {
					t.Fatal(err)
				}
				// As the runner calls it: bash --noprofile --norc -eo pipefail FILE.
				write(t, work, map[string]string{"step.sh": step.Run})
				status, said = run(t, work, env, "bash", "--noprofile", "--norc", "-eo", "pipefail", filepath.Join(work, "step.sh"))
				outputs[step.ID] = pairs(t, filepath.Join(work, "out"))
				if status != 0 {
					break
				}
			}
			if status != test.status {
				t.Fatalf("status %d, want %d: %s", status, test.status, said)
			}
			for name, o := range action.Outputs {
				if expression(t, o.Value, inputs, outputs) == "" {
					t.Errorf("output %s is empty: %s", name, said)
				}
			}
			gate := outputs["gate"]
			if gate["verdict"] != test.verdict {
				t.Errorf("verdict %q, want %q: %s", gate["verdict"], test.verdict, said)
			}
			summary := text(t, filepath.Join(work, "summary"))
			if refused := strings.Contains(summary, "CVE-2026-0001 in lodash 4.17.4"); refused != (test.verdict == "refused") {
				t.Errorf("summary: %s", summary)
			}
			var sarif struct {
				Runs []struct{ Results []struct{ RuleID string } }
			}
			if err := json.Unmarshal([]byte(text(t, gate["sarif"])), &sarif); err != nil || len(sarif.Runs) != 1 {
				t.Fatalf("SARIF: %v", err)
			}
			if n := len(sarif.Runs[0].Results); (n == 1) != (test.verdict == "refused") {
				t.Errorf("%d results of SARIF", n)
			}
			if refused := strings.Contains(said, "::error title=Triad gate::"); refused != (test.verdict == "refused") {
				t.Errorf("said %s", said)
			}
		})
	}
}

// expression evaluates the ${{ … }} that the action uses: inputs and outputs of steps.
func expression(t *testing.T, value string, inputs map[string]string, outputs map[string]map[string]string) string {
	t.Helper()
	inner, ok := strings.CutPrefix(value, "${{ ")
	if !ok {
		return value
	}
	inner = strings.TrimSuffix(inner, " }}")
	if name, ok := strings.CutPrefix(inner, "inputs."); ok {
		v, known := inputs[name]
		if !known {
			t.Fatalf("%s: there is no such input", value)
		}
		return v
	}
	parts := strings.Split(inner, ".") // steps.ID.outputs.NAME
	if len(parts) != 4 || parts[0] != "steps" || parts[2] != "outputs" {
		t.Fatalf("%s is not understood", value)
	}
	return outputs[parts[1]][parts[3]]
}

func pairs(t *testing.T, path string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for line := range strings.Lines(text(t, path)) {
		if k, v, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
			all[k] = v
		}
	}
	return all
}

func text(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestTheGitLabTemplateWritesTheReportAndRefuses(t *testing.T) {
	var template struct {
		Gate struct {
			Variables map[string]string
			Script    []string
			Artifacts struct {
				When    string
				Paths   []string
				Reports map[string]string
			}
		} `yaml:"triad-gate"`
	}
	read(t, "gitlab/triad.gitlab-ci.yml", &template)
	job := template.Gate
	if job.Artifacts.When != "always" {
		t.Error("a refused job keeps no report")
	}
	for _, test := range []struct {
		name, content string
		status        int
	}{{"what is exploited is refused", vulnerable, 2}, {"what is fixed passes", fixed, 0}} {
		t.Run(test.name, func(t *testing.T) {
			work := t.TempDir()
			// An image as a bill of materials: what the job before this one left.
			version := "4.17.4"
			if test.content == fixed {
				version = "4.17.21"
			}
			write(t, work, map[string]string{"web.cdx.json": `{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"metadata":{"component":{"type":"container","name":"registry.example.com/shop/web:1.0","version":"sha256:4e5203b252797ae13abf66521d7d030b76f14501a49ae1a8a07a3a19df5f5e9f"}},` +
				`"components":[{"type":"library","bom-ref":"a","name":"lodash","version":"` + version + `","purl":"pkg:npm/lodash@` + version + `"}]}`})
			env := map[string]string{"CI_PROJECT_DIR": work, "CI_REGISTRY_IMAGE": "registry.example.com/shop/web", "CI_COMMIT_SHORT_SHA": "abc", "GITLAB_CI": "true"}
			for k, v := range job.Variables { // variables of variables, as the runner expands them
				env[k] = os.Expand(v, func(name string) string { return env[name] })
			}
			env["TRIAD_BINARY"], env["TRIAD_TARGET"], env["TRIAD_ADVISORIES"], env["TRIAD_DATA"] = triad(t), "web.cdx.json", "none", advisories(t)
			status, said := run(t, work, env, "bash", "-eo", "pipefail", "-c", strings.Join(job.Script, "\n"))
			if status != test.status {
				t.Fatalf("status %d, want %d: %s", status, test.status, said)
			}
			for _, path := range append(job.Artifacts.Paths, job.Artifacts.Reports["container_scanning"]) {
				if text(t, filepath.Join(work, path)) == "" {
					t.Errorf("%s is empty", path)
				}
			}
			var report struct {
				Version         string
				Vulnerabilities []struct{ Identifiers []struct{ Name string } }
				Scan            struct{ Type string }
			}
			if err := json.Unmarshal([]byte(text(t, filepath.Join(work, job.Artifacts.Reports["container_scanning"]))), &report); err != nil {
				t.Fatal(err)
			}
			if report.Scan.Type != "container_scanning" || (len(report.Vulnerabilities) == 1) != (test.status == 2) {
				t.Errorf("report %+v", report)
			}
		})
	}
}

func TestTheHookJudgesWhatIsStagedNotWhatLiesAbout(t *testing.T) {
	var hooks []struct {
		ID, Language, Entry string
		PassFilenames       bool `yaml:"pass_filenames"`
	}
	read(t, "../.pre-commit-hooks.yaml", &hooks)
	if len(hooks) != 1 || hooks[0].Language != "script" || hooks[0].PassFilenames {
		t.Fatalf("%+v", hooks)
	}
	entry, err := filepath.Abs(filepath.Join("..", hooks[0].Entry))
	if err != nil {
		t.Fatal(err)
	}
	git := func(t *testing.T, dir string, env map[string]string, args ...string) (int, string) {
		all := map[string]string{"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com"}
		maps.Copy(all, env)
		return run(t, dir, all, "git", args...)
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)}))
	for _, test := range []struct {
		name          string
		staged, about map[string]string
		advisories    bool
		status        int
		says          string
	}{
		{"a secret", map[string]string{"deploy/id_rsa": key}, nil, true, 1, "no-secrets"},
		{"a secret that lies about unstaged", map[string]string{"README": "hello"}, map[string]string{"id_rsa": key}, true, 0, ""},
		{"a lock file with an exploited package", map[string]string{"package-lock.json": `{"name":"a","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{"":{"name":"a","version":"1.0.0","dependencies":{"lodash":"4.17.4"}},"node_modules/lodash":{"version":"4.17.4"}}}`}, nil, true, 1, "CVE-2026-0001"},
		{"the same without advisories", map[string]string{"package-lock.json": `{"name":"a","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{"":{"name":"a","version":"1.0.0","dependencies":{"lodash":"4.17.4"}},"node_modules/lodash":{"version":"4.17.4"}}}`}, nil, false, 0, "no advisories are here"},
		{"a secret without advisories", map[string]string{"deploy/id_rsa": key}, nil, false, 1, "no-secrets"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			env := map[string]string{"TRIAD_BINARY": triad(t), "TRIAD_DATA": filepath.Join(dir, ".git", "none"), "TRIAD_CACHE_DIR": t.TempDir()}
			if test.advisories {
				env["TRIAD_DATA"] = advisories(t)
			}
			for _, args := range [][]string{{"init", "-q"}, {"config", "core.hooksPath", ".git/hooks"}} {
				if status, out := git(t, dir, nil, args...); status != 0 {
					t.Fatal(out)
				}
			}
			if err := os.MkdirAll(filepath.Join(dir, ".git", "hooks"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(entry, filepath.Join(dir, ".git", "hooks", "pre-commit")); err != nil {
				t.Fatal(err)
			}
			write(t, dir, test.staged)
			if status, out := git(t, dir, nil, "add", "-A"); status != 0 {
				t.Fatal(out)
			}
			write(t, dir, test.about)
			status, out := git(t, dir, env, "commit", "-q", "-m", "a commit")
			if status != test.status || !strings.Contains(out, test.says) {
				t.Errorf("status %d, want %d: %s", status, test.status, out)
			}
			if _, log := git(t, dir, nil, "log", "--oneline"); strings.Contains(log, "a commit") != (test.status == 0) {
				t.Errorf("the log says %s", log)
			}
		})
	}
}
