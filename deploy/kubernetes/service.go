package kubernetes

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/triad-security/triad"
)

// assumedListeners adds the ports to which services send traffic and that no container of the
// pod declares: containerPort informs only, and a process listens there all the same. The
// listener is then each container that runs, for nobody says which.
func (b *rows) assumedListeners() {
	pods := b.of("Pod")
	for _, s := range b.of("Service") {
		var service struct {
			Spec struct {
				Selector map[string]string `json:"selector"`
				Ports    []struct {
					Port       int             `json:"port"`
					TargetPort json.RawMessage `json:"targetPort"`
					Protocol   string          `json:"protocol"`
				} `json:"ports"`
			} `json:"spec"`
		}
		if err := json.Unmarshal(s.Doc, &service); err != nil {
			b.unread("services", fmt.Sprintf("Service %s/%s: %v", s.Namespace, s.Name, err))
			continue
		}
		if len(service.Spec.Selector) == 0 {
			continue
		}
		for _, o := range pods {
			p := b.parsed[o.key()]
			if p == nil || o.Namespace != s.Namespace || !selects(service.Spec.Selector, p.Metadata.Labels) {
				continue
			}
			for _, port := range service.Spec.Ports {
				target := port.Port // the default of targetPort
				if len(port.TargetPort) > 0 && json.Unmarshal(port.TargetPort, &target) != nil {
					continue // a name, which only a declared port can have
				}
				protocol := strings.ToLower(port.Protocol)
				if protocol == "" {
					protocol = "tcp"
				}
				b.assume(o, p, protocol, target, s)
			}
		}
	}
}

func (b *rows) assume(o *object, p *workloadObject, protocol string, port int, s *object) {
	running := p.Spec.all()
	for _, c := range running {
		for _, declared := range c.Ports {
			if declared.ContainerPort == port && (strings.EqualFold(declared.Protocol, protocol) || declared.Protocol == "" && protocol == "tcp") {
				return
			}
		}
	}
	for _, c := range running {
		if !c.init {
			b.listens(triad.PodContainerID(b.cluster, o.Namespace, o.Name, c.Name),
				triad.Listen{Protocol: protocol, Port: port, Basis: triad.BasisAssumed},
				fmt.Sprintf("service %s/%s sends to", s.Namespace, s.Name))
		}
	}
}

func selects(selector, labels map[string]string) bool {
	for k, v := range selector {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	return true
}
