package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/scan"
	"github.com/triad-security/triad/cloud/aws"
	"github.com/triad-security/triad/demo"
	"github.com/triad-security/triad/deploy/docker"
	"github.com/triad-security/triad/deploy/kubernetes"
	"github.com/triad-security/triad/deploy/manifest"
	"github.com/triad-security/triad/run/workload"
)

// source is something on this machine that a collector can read.
type source struct {
	name string
	read func(ctx context.Context) ([]*triad.Report, error)
}

// discover finds the sources of this machine, and says what it looked for in vain.
func (a *app) discover(trusted manifest.Registries) (found []source, missing []string) {
	packages := &hostPackages{first: firstTime}
	found = append(found, source{"this machine", func(ctx context.Context) ([]*triad.Report, error) {
		r, err := workload.Host(ctx, workload.Reader{Mask: manifest.MaskArgs}, workload.Options{
			Tenant: a.tenant, Collector: "host/" + version, Now: time.Now(), Packages: packages.Find,
		})
		return one(r, err)
	}})
	if dockerHere() {
		scanned := map[string]bool{}
		found = append(found, source{"the Docker engine", func(ctx context.Context) ([]*triad.Report, error) {
			r, err := liveDocker(ctx, "", "", docker.Options{Tenant: a.tenant, Collector: "docker/" + version, Trusted: trusted, Now: time.Now()})
			if err != nil {
				return nil, err
			}
			return append([]*triad.Report{r}, a.scanRunning(ctx, r, scanned)...), nil
		}})
	} else {
		missing = append(missing, "no Docker engine: neither DOCKER_HOST nor /var/run/docker.sock")
	}
	if kubeconfigHere() {
		found = append(found, source{"the Kubernetes cluster", func(ctx context.Context) ([]*triad.Report, error) {
			return one(kubernetes.Live(ctx, kubernetes.Connection{UserAgent: "triad/" + version}, kubernetes.Options{
				Tenant: a.tenant, Collector: "kubernetes/" + version, Trusted: trusted, Now: time.Now(),
			}))
		}})
	} else {
		missing = append(missing, "no Kubernetes cluster: neither KUBECONFIG, ~/.kube/config nor a pod's own account")
	}
	if awsHere() {
		found = append(found, source{"the AWS account", func(ctx context.Context) ([]*triad.Report, error) {
			return one(aws.Collect(ctx, aws.Options{}))
		}})
	} else {
		missing = append(missing, "no cloud credentials: neither AWS_ACCESS_KEY_ID, AWS_PROFILE nor ~/.aws")
	}
	return found, missing
}

// demoEstate is the name of the demonstration's source.
const demoEstate = "the demonstration estate"

// demoSource reads the bundled estate from dir as collectors read saved output.
func (a *app) demoSource(dir string) source {
	return source{demoEstate, func(ctx context.Context) ([]*triad.Report, error) {
		if err := demo.Unpack(dir); err != nil {
			return nil, err
		}
		cloud, err := aws.FromDir(filepath.Join(dir, demo.AWS))
		if err != nil {
			return nil, err
		}
		cluster, err := kubernetes.Dir(ctx, filepath.Join(dir, demo.Kubernetes), kubernetes.Options{
			Tenant: a.tenant, Cluster: demo.Cluster, Collector: "demo/" + version, Now: time.Now(),
		})
		if err != nil {
			return nil, err
		}
		engine, err := docker.Dir(ctx, filepath.Join(dir, demo.Docker), docker.Options{
			Tenant: a.tenant, Collector: "demo/" + version, Now: time.Now(),
		})
		if err != nil {
			return nil, err
		}
		reports := []*triad.Report{cloud, cluster, engine}
		files, err := filepath.Glob(filepath.Join(dir, demo.SBOMs, "*.json"))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			r, err := readSBOM(file)
			if err != nil {
				return nil, err
			}
			reports = append(reports, r)
		}
		return reports, nil
	}}
}

func readSBOM(file string) (*triad.Report, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	result, err := scan.SBOM(f)
	if err != nil {
		return nil, err
	}
	return result.Report(), nil
}

// scanRunning scans the images of an engine's containers that were not scanned before. One
// that cannot be read is said and tried again at the next round.
func (a *app) scanRunning(ctx context.Context, engine *triad.Report, scanned map[string]bool) []*triad.Report {
	cache, err := scan.OpenCache(defaultCacheDir())
	if err != nil {
		a.say("running images are not scanned: %v", err)
		return nil
	}
	scanner := &scan.Scanner{Cache: cache}
	var reports []*triad.Report
	for _, rel := range engine.Relations {
		if rel.Type != triad.RelRuns || scanned[rel.To] {
			continue
		}
		result, err := scanImage(ctx, scanner, "", rel.To, true)
		if err != nil {
			a.say("image %s is not scanned: %v", rel.To, err)
			continue
		}
		scanned[rel.To] = true
		reports = append(reports, result.Report())
	}
	return reports
}

func one(r *triad.Report, err error) ([]*triad.Report, error) {
	if err != nil {
		return nil, err
	}
	return []*triad.Report{r}, nil
}

func dockerHere() bool {
	if os.Getenv("DOCKER_HOST") != "" {
		return true
	}
	info, err := os.Stat("/var/run/docker.sock")
	return err == nil && info.Mode()&os.ModeSocket != 0
}

func kubeconfigHere() bool {
	if os.Getenv("KUBECONFIG") != "" || os.Getenv("KUBERNETES_SERVICE_HOST") != "" {
		return true
	}
	return inHome(".kube", "config")
}

func awsHere() bool {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return inHome(".aws", "credentials") || inHome(".aws", "config")
}

func inHome(path ...string) bool {
	home, err := os.UserHomeDir()
	if err != nil {
		return false
	}
	_, err = os.Stat(filepath.Join(append([]string{home}, path...)...))
	return !errors.Is(err, os.ErrNotExist)
}
