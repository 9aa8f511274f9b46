package manifest

import (
	"slices"
	"testing"
)

func TestEachRuleFindsWhatItNamesAndNothingElse(t *testing.T) {
	trusted, err := TrustRegistries([]string{"registry.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	const good = "registry.example.com/app:1.2"
	for _, test := range []struct {
		name     string
		workload Workload
		want     []string
	}{
		{"a plain container", Workload{Containers: []Container{{Image: good}}}, nil},
		{"a privileged container", Workload{Containers: []Container{{Image: good, Privileged: true}}}, []string{"privileged-container"}},
		{"the Docker socket, read-only", Workload{Containers: []Container{{Image: good, Mounts: []HostMount{{"/var/run/docker.sock", "/d", true}}}}}, []string{"docker-socket-mount"}},
		{"the folder of the socket", Workload{Containers: []Container{{Image: good, Mounts: []HostMount{{"/var/run/", "/d", false}}}}}, []string{"docker-socket-mount"}},
		{"the root file system, read-only", Workload{Containers: []Container{{Image: good, Mounts: []HostMount{{"/", "/host", true}}}}}, []string{"host-path"}},
		{"the host's programs, writable", Workload{Containers: []Container{{Image: good, Mounts: []HostMount{{"/usr/local/bin", "/b", false}}}}}, []string{"host-path"}},
		{"the host's programs, read-only", Workload{Containers: []Container{{Image: good, Mounts: []HostMount{{"/usr/local/bin", "/b", true}}}}}, nil},
		{"the time zone", Workload{Containers: []Container{{Image: good, Mounts: []HostMount{{"/etc/localtime", "/etc/localtime", true}}}}}, nil},
		{"a path that hides behind dots", Workload{Containers: []Container{{Image: good, Mounts: []HostMount{{"/srv/../etc", "/b", false}}}}}, []string{"host-path"}},
		{"data of its own on the host", Workload{Containers: []Container{{Image: good, Mounts: []HostMount{{"/srv/data", "/data", false}}}}}, nil},
		{"a capability to mount", Workload{Containers: []Container{{Image: good, CapAdd: []string{"SYS_ADMIN"}}}}, []string{"dangerous-capability"}},
		{"a capability to bind low ports", Workload{Containers: []Container{{Image: good, CapAdd: []string{"NET_BIND_SERVICE"}}}}, nil},
		{"host namespaces", Workload{HostNetwork: true, HostPID: true, HostIPC: true, Containers: []Container{{Image: good}}}, []string{"host-ipc", "host-network", "host-pid"}},
		{"no tag", Workload{Containers: []Container{{Image: "registry.example.com/app"}}}, []string{"mutable-tag"}},
		{"latest, pinned", Workload{Containers: []Container{{Image: "registry.example.com/app:latest@sha256:8b133a3868993176b613738816247a7f4d357cae555996519cf5b543e9b3554b"}}}, nil},
		{"Docker Hub's short name", Workload{Containers: []Container{{Image: "nginx:1.27"}}}, []string{"untrusted-registry"}},
		{"a name that looks like the trusted one", Workload{Containers: []Container{{Image: "registry.example.com.evil.net/app:1"}}}, []string{"untrusted-registry"}},
		{"the trusted name as a user name", Workload{Containers: []Container{{Image: "evil.net/registry.example.com/app:1"}}}, []string{"untrusted-registry"}},
		{"the trusted host with another port", Workload{Containers: []Container{{Image: "registry.example.com:5000/app:1"}}}, []string{"untrusted-registry"}},
		{"a reference that is none", Workload{Containers: []Container{{Image: "UPPER CASE"}}}, []string{"untrusted-registry"}},
		{"an init container counts", Workload{Containers: []Container{{Image: good}, {Image: good, Init: true, Privileged: true}}}, []string{"privileged-container"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, f := range Check(&test.workload, "pods", trusted) {
				got = append(got, f.ID)
				if len(f.Evidence) == 0 || f.Fix == "" || f.Title == "" {
					t.Errorf("%s lacks evidence, fix or title", f.ID)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestTrustedRegistriesMatchWholeLabelsAndFolders(t *testing.T) {
	for _, test := range []struct {
		trusted, image string
		want           bool
	}{
		{"docker.io/library", "nginx:1", true},
		{"docker.io/library", "index.docker.io/library/nginx", true},
		{"docker.io/library", "evil/nginx", false},
		{"ghcr.io/acme", "ghcr.io/acme/app:1", true},
		{"ghcr.io/acme", "ghcr.io/acme-evil/app:1", false},
		{"*.dkr.ecr.us-east-1.amazonaws.com", "111122223333.dkr.ecr.us-east-1.amazonaws.com/app", true},
		{"*.dkr.ecr.us-east-1.amazonaws.com", "x.y.dkr.ecr.us-east-1.amazonaws.com/app", false},
		{"Registry.Example.com/", "registry.example.com/app", true},
		{"localhost:5000", "localhost:5000/app", true},
	} {
		r, err := TrustRegistries([]string{test.trusted})
		if err != nil {
			t.Fatal(err)
		}
		if refusal, err := r.Trusts(test.image); err != nil || (refusal == "") != test.want {
			t.Errorf("%s trusts %s: %v %v, want %v", test.trusted, test.image, refusal, err, test.want)
		}
	}
	if _, err := TrustRegistries([]string{"not a registry"}); err == nil {
		t.Error("a name with blanks is accepted")
	}
	if findings := Check(&Workload{Containers: []Container{{Image: "evil.net/x:1"}}}, "pods", Registries{}); len(findings) != 0 {
		t.Errorf("without trusted registries: %+v", findings)
	}
}

func TestTakeoverNamesEachWayOnce(t *testing.T) {
	w := Workload{HostPID: true, Containers: []Container{{
		Privileged: true, CapAdd: []string{"SYS_ADMIN", "NET_RAW", "SYS_ADMIN"}, Devices: []string{"/dev/sda", "/dev/fuse"},
		Mounts: []HostMount{{"/", "/host", false}, {"/run/containerd/containerd.sock", "/c", true}, {"/srv", "/srv", false}},
	}}}
	want := []string{"capability SYS_ADMIN", "device /dev/sda", "docker-socket /run/containerd/containerd.sock", "host-path /", "host-pid", "privileged"}
	if got := w.Takeover(&w.Containers[0]); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	w = Workload{UserNamespace: true, Containers: []Container{{CapAdd: []string{"SYS_ADMIN"}}}}
	if got := w.Takeover(&w.Containers[0]); len(got) != 0 {
		t.Errorf("a user namespace's SYS_ADMIN takes over the host: %v", got)
	}
}

func TestRegistriesAreInferredOnlyFromWhatMostWorkloadsShare(t *testing.T) {
	const own, other = "registry.example.com/app:1", "docker.io/evil/miner:latest"
	for _, test := range []struct {
		name   string
		images map[string][]string
		want   []string
	}{
		{"one registry serves most", map[string][]string{"a": {own}, "b": {own}, "c": {other}}, []string{"registry.example.com"}},
		{"half is not most", map[string][]string{"a": {own}, "b": {own}, "c": {other}, "d": {"ghcr.io/x/y"}}, nil},
		{"one workload is no custom", map[string][]string{"a": {own}}, nil},
		{"a public registry is no standard", map[string][]string{"a": {other}, "b": {other}, "c": {other}}, nil},
		{"what clusters are made of does not count", map[string][]string{"a": {own}, "b": {own}, "c": {"registry.k8s.io/pause:3"}, "d": {"nginx"}, "e": {"redis"}}, []string{"registry.example.com"}},
		{"two registries of one's own", map[string][]string{"a": {own}, "b": {own}, "c": {"1.dkr.ecr.us-east-1.amazonaws.com/x"}, "d": {"1.dkr.ecr.us-east-1.amazonaws.com/y"}}, []string{"1.dkr.ecr.us-east-1.amazonaws.com", "registry.example.com"}},
	} {
		r := Auto().Resolve(test.images)
		if !slices.Equal(r.Inferred(), test.want) {
			t.Errorf("%s: inferred %v, want %v", test.name, r.Inferred(), test.want)
		}
		findings := Check(&Workload{Containers: []Container{{Image: "evil.net/x:1"}}}, "pods", r)
		if (len(findings) == 1) != (len(test.want) > 0) {
			t.Errorf("%s: findings %+v", test.name, findings)
		}
	}
}
