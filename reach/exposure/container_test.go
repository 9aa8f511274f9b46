package exposure

import (
	"testing"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

func bridge(bindings string) string {
	return `
Id: web
Name: /web
State: {Running: true, Status: running}
HostConfig: {NetworkMode: bridge}
NetworkSettings: {Ports: {` + bindings + `}, Networks: {bridge: {NetworkID: n1, IPAddress: 172.17.0.2}}}
`
}

func TestWaysIntoADockerContainer(t *testing.T) {
	onInstance := func(w *world) { w.host([]string{"aws-instance:i-a"}) }
	tests := []struct {
		name    string
		inspect string
		group   []string
		more    func(w *world)
		port    int
		want    triad.Exposure
		stop    string
		hops    string
		sources []string
	}{
		{name: "a published port that the group opens", inspect: bridge(`8080/tcp: [{HostIp: 0.0.0.0, HostPort: "80"}, {HostIp: "::", HostPort: "80"}]`), group: []string{"tcp 80 0.0.0.0/0"}, want: "open", hops: "internet, security-group sg-node, instance i-a, published-port 0.0.0.0:80, container web, container-port web"},
		{name: "a published port that the group closes", inspect: bridge(`8080/tcp: [{HostIp: 0.0.0.0, HostPort: "80"}]`), group: []string{"tcp 8080 0.0.0.0/0"}, want: "small", stop: "security-group sg-node", hops: "internet, internet-gateway, route rtb-public, network-acl acl-1"},
		{name: "a published port for some", inspect: bridge(`8080/tcp: [{HostIp: "", HostPort: "80"}]`), group: []string{"tcp 80 198.51.100.0/24"}, want: "controlled", hops: "published-port 0.0.0.0:80", sources: []string{"198.51.100.0/24"}},
		{name: "a port bound to loopback", inspect: bridge(`8080/tcp: [{HostIp: 127.0.0.1, HostPort: "80"}]`), group: []string{"tcp 80 0.0.0.0/0"}, want: "small", stop: "published-port 127.0.0.1:80"},
		{name: "a port bound to the instance's private address", inspect: bridge(`8080/tcp: [{HostIp: 10.0.1.10, HostPort: "80"}]`), group: []string{"tcp 80 0.0.0.0/0"}, want: "open", hops: "published-port 10.0.1.10:80"},
		{name: "a port bound to an address of the instance without a public one", inspect: bridge(`8080/tcp: [{HostIp: 10.0.1.31, HostPort: "80"}]`), group: []string{"tcp 80 0.0.0.0/0"}, want: "small"},
		{name: "a port that is not published", inspect: bridge(`8080/tcp: null`), group: []string{"tcp 80 0.0.0.0/0", "tcp 8080 0.0.0.0/0"}, want: "small", stop: "container web"},
		{name: "another protocol is not this one", inspect: bridge(`8080/udp: [{HostIp: 0.0.0.0, HostPort: "80"}]`), group: []string{"tcp 80 0.0.0.0/0"}, want: "small", stop: "container web"},
		{name: "a container that is stopped", inspect: `
Id: web
Name: /web
State: {Running: false, Status: exited}
HostConfig: {NetworkMode: bridge, PortBindings: {8080/tcp: [{HostIp: "", HostPort: "80"}]}}`, group: []string{"tcp 80 0.0.0.0/0"}, want: "small", stop: "container web"},
		{name: "the host's network", inspect: `
Id: web
Name: /web
State: {Running: true}
HostConfig: {NetworkMode: host}`, group: []string{"tcp 8080 0.0.0.0/0"}, want: "open", hops: "instance i-a, host-network web, container web"},
		{name: "the host's network at no known port, on a host that is open somewhere", inspect: `
Id: web
Name: /web
State: {Running: true}
HostConfig: {NetworkMode: host}`, group: []string{"tcp 8080 0.0.0.0/0"}, port: -1, want: "unknown"},
		{name: "the host's network at no known port, on a host that is shut", inspect: `
Id: web
Name: /web
State: {Running: true}
HostConfig: {NetworkMode: host}`, port: -1, want: "small", stop: "container web"},
		{name: "no network", inspect: `
Id: web
Name: /web
State: {Running: true}
HostConfig: {NetworkMode: none}`, group: []string{"tcp 8080 0.0.0.0/0"}, want: "small", stop: "container web"},
		{name: "the network of another container", inspect: `
Id: web
Name: /web
State: {Running: true}
HostConfig: {NetworkMode: "container:front"}`, group: []string{"tcp 80 0.0.0.0/0"}, more: func(w *world) {
			onInstance(w)
			w.container("front", `
Id: front
Name: /front
State: {Running: true}
HostConfig: {NetworkMode: bridge}
NetworkSettings: {Ports: {8080/tcp: [{HostIp: 0.0.0.0, HostPort: "80"}]}}`)
		}, want: "open", hops: "published-port 0.0.0.0:80, container front, container web"},
		{name: "the network of a container that is not known", inspect: `
Id: web
Name: /web
State: {Running: true}
HostConfig: {NetworkMode: "container:front"}`, want: "unknown"},
		{name: "an address of its own by macvlan", inspect: `
Id: web
Name: /web
State: {Running: true}
HostConfig: {NetworkMode: lan}
NetworkSettings: {Ports: {}, Networks: {lan: {NetworkID: n2, IPAddress: 192.168.1.50}}}`, more: func(w *world) {
			w.host(nil, "192.168.1.5")
			w.PutAsset(engine, &triad.Asset{ID: "docker-network:h/n2", Kind: "DockerNetwork", Doc: []byte(`{"Id":"n2","Driver":"macvlan"}`)})
		}, want: "small", stop: "private-address 192.168.1.50"},
		{name: "an instance of an account that was not collected", inspect: bridge(`8080/tcp: [{HostIp: 0.0.0.0, HostPort: "80"}]`), more: func(w *world) { w.host([]string{"aws-instance:i-other"}) }, want: "unknown"},
		{name: "this computer behind its router", inspect: bridge(`8080/tcp: [{HostIp: 0.0.0.0, HostPort: "80"}]`), more: func(w *world) { w.host(nil, "192.168.1.5", "127.0.0.1", "fe80::1") }, want: "small", stop: "private-address 192.168.1.5"},
		{name: "this computer with an internet address", inspect: bridge(`8080/tcp: [{HostIp: 0.0.0.0, HostPort: "80"}]`), more: func(w *world) { w.host(nil, "192.168.1.5", "203.0.113.9") }, want: "unknown", hops: "internet, host h, published-port 0.0.0.0:80, container web"},
		{name: "an IPv4 binding takes nothing by IPv6", inspect: bridge(`8080/tcp: [{HostIp: 0.0.0.0, HostPort: "80"}]`), more: func(w *world) { w.host(nil, "192.168.1.5", "2001:db8::9") }, want: "small"},
		{name: "an IPv6 binding does", inspect: bridge(`8080/tcp: [{HostIp: "::", HostPort: "80"}]`), more: func(w *world) { w.host(nil, "192.168.1.5", "2001:db8::9") }, want: "unknown", hops: "published-port [::]:80"},
		{name: "a computer that tells no address", inspect: bridge(`8080/tcp: [{HostIp: 0.0.0.0, HostPort: "80"}]`), more: func(w *world) { w.host(nil) }, want: "unknown"},
		{name: "a load balancer before the instance", inspect: bridge(`8080/tcp: [{HostIp: 0.0.0.0, HostPort: "80"}]`), group: []string{"tcp 80 sg-lb"}, more: func(w *world) {
			onInstance(w)
			w.group("sg-lb", "tcp 443 0.0.0.0/0")
			w.balancer("application", "internet-facing", "sg-lb", "instance", []doc{}, "i-a|80")
		}, want: "open", hops: "load-balancer, listener, target-group, instance i-a, published-port 0.0.0.0:80, container web"},
		{name: "the best of all published ports", inspect: bridge(`8080/tcp: [{HostIp: 127.0.0.1, HostPort: "80"}], 9090/tcp: [{HostIp: 0.0.0.0, HostPort: "81"}]`), group: []string{"tcp 81 0.0.0.0/0"}, port: -1, want: "open", hops: "published-port 0.0.0.0:81"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.group("sg-node", tt.group...)
			if tt.more == nil {
				onInstance(w)
			} else {
				tt.more(w)
			}
			id := w.container("web", tt.inspect)
			port := 8080
			if tt.port != 0 {
				port = max(tt.port, 0)
			}
			expect(t, Of(w, id, "tcp", port), tt.want, tt.stop, tt.hops, tt.sources...)
		})
	}
}

func TestHosts(t *testing.T) {
	w := newWorld(t)
	w.group("sg-node", "tcp 22 198.51.100.0/24")
	w.host([]string{"aws-instance:i-a"})
	expect(t, Host(w, "docker-host:h", "tcp", 22), "controlled", "", "internet, security-group sg-node, instance i-a", "198.51.100.0/24")
	expect(t, Host(w, "i-a", "tcp", 80), "small", "security-group sg-node", "")
	if r := Host(w, "i-a", "tcp", 0); r.Verdict != reach.Reachable {
		t.Errorf("any port: %+v", r)
	}
	w.objects(nodes)
	expect(t, Host(w, "k8s:c/Node/a", "tcp", 22), "controlled", "", "security-group sg-node, node i-a", "198.51.100.0/24")
	expect(t, Host(w, "k8s:c/Node/b", "tcp", 22), "small", "route rtb-private", "")
}
