package docker

import (
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

func FuzzIndex(f *testing.F) {
	for _, text := range []string{
		`{"Id":"c","Name":"/web","State":{"Running":true},"HostConfig":{"NetworkMode":"bridge"},"NetworkSettings":{"Ports":{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"80"},{"HostIp":"::","HostPort":"x"}],"81/udp":null},"Networks":{"n":{"NetworkID":"n","IPAddress":"10.0.0.2"}}}}`,
		`{"Id":"c","State":{"Running":true},"HostConfig":{"NetworkMode":"container:c"}}`,
		`{"Id":"c","State":{"Running":true},"HostConfig":{"NetworkMode":"host","PortBindings":{"80/tcp":[{"HostIp":"999.1.1.1","HostPort":"99999"}]}}}`,
		`{"Id":"n","Driver":"macvlan","Internal":true}`,
		`[]`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(_ *testing.T, raw []byte) {
		e := reach.NewEstate(Index)
		e.PutAsset("docker/h", &triad.Asset{ID: "docker:h/c", Kind: "DockerContainer", Doc: raw})
		e.PutAsset("docker/h", &triad.Asset{ID: "docker-network:h/n", Kind: "DockerNetwork", Doc: raw})
		c, _ := ContainerOf(e, "docker:h/c#container")
		if c == nil {
			return
		}
		for _, l := range append(c.Ports(e), triad.Listen{Protocol: "tcp", Port: 80}, triad.Listen{Protocol: "tcp"}) {
			Entrances(e, c, l.Protocol, l.Port)
		}
		c.Isolated(e)
		c.HostID(e)
	})
}

func TestDocumentsThatAreNoContainers(t *testing.T) {
	for _, raw := range [][]byte{[]byte(`{}`), []byte(`[]`), make([]byte, maxDoc+1)} {
		if decoded, _, err := Index("docker/h", &triad.Asset{ID: "docker:h/c", Kind: "DockerContainer", Doc: raw}); decoded != nil || err == nil {
			t.Errorf("%.20q: %v, %v", raw, decoded, err)
		}
	}
}
