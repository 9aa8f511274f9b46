package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/deploy/docker"
	"github.com/triad-security/triad/reach"
	"github.com/triad-security/triad/reach/exposure"
)

// A laptop's containers: no cloud is known to run it, so its own addresses decide.
func TestAPublishedPortOfAMachineInNoCloudIsDecidedByItsAddresses(t *testing.T) {
	const inspect = `[{"Id": "c1", "Name": "/web", "Image": "sha256:01", "State": {"Running": true},
		"HostConfig": {"NetworkMode": "bridge", "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}},
		"NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}}, "Config": {"Image": "web"}}]`
	host := func(addresses ...string) *triad.Report { // what triad collect host says
		props, err := json.Marshal(triad.HostProps{Hostname: "laptop", Addresses: addresses})
		must(t, err)
		return &triad.Report{
			Scope: "host/m1", Sections: []triad.Section{{Name: "host", Status: triad.SectionComplete}},
			Assets: []triad.Asset{{ID: triad.HostID("m1"), Aliases: []string{"machine:m1"}, Type: triad.TypeHost, Kind: "Host", Name: "laptop", Section: "host", Props: props}},
		}
	}
	for _, test := range []struct {
		name    string
		machine string // host.json
		host    *triad.Report
		want    triad.Exposure
		at      string
	}{
		{"nobody knows them", `{"machineId": "m1"}`, nil, triad.ExposureUnknown, ""},
		{"the engine's collector says private ones", `{"machineId": "m1", "addresses": ["192.168.1.7"]}`, nil, triad.ExposureSmall, "private-address"},
		{"the host's collector says private ones", `{"machineId": "m1"}`, host("192.168.1.7", "172.17.0.1"), triad.ExposureSmall, "private-address"},
		{"the host's collector says a public one", `{"machineId": "m1"}`, host("192.168.1.7", "203.0.113.9"), triad.ExposureUnknown, ""},
		{"another machine's addresses are not its own", `{"machineId": "m2"}`, host("192.168.1.7"), triad.ExposureUnknown, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.WriteFile(filepath.Join(dir, "docker-inspect.json"), []byte(inspect), 0o644))
			must(t, os.WriteFile(filepath.Join(dir, "host.json"), []byte(test.machine), 0o644))
			report, err := docker.Dir(t.Context(), dir, docker.Options{Host: "laptop"})
			must(t, err)
			estate := reach.NewEstate(exposure.Indexes()...)
			estate.PutReport(report)
			if test.host != nil {
				estate.PutReport(test.host)
			}
			r := exposure.Of(estate, docker.ContainerID("laptop", "c1"), "tcp", 80)
			if r.Exposure != test.want || (test.at != "") != (r.BlockedBy != nil) || test.at != "" && r.BlockedBy.Type != test.at {
				t.Errorf("exposure %s, blocked by %+v, unread %+v; want %s at %q", r.Exposure, r.BlockedBy, r.Unread, test.want, test.at)
			}
		})
	}
}
