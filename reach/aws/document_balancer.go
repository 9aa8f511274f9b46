package aws

import "strings"

// What Elastic Load Balancing prints.

type attribute struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

// attributes of a load balancer or target group; nil when they were not read.
type attributes []attribute

func (a attributes) get(key string) string {
	for _, x := range a {
		if x.Key == key {
			return x.Value
		}
	}
	return ""
}

type loadBalancer struct {
	ARN    string `json:"LoadBalancerArn"`
	DNS    string `json:"DNSName"`
	Name   string `json:"LoadBalancerName"`
	Scheme string `json:"Scheme"` // internet-facing or internal
	Type   string `json:"Type"`   // application, network, gateway
	VPC    string `json:"VpcId"`
	State  struct {
		Code string `json:"Code"`
	} `json:"State"`
	Zones []struct {
		Zone   string `json:"ZoneName"`
		Subnet string `json:"SubnetId"`
	} `json:"AvailabilityZones"`
	Groups     []string   `json:"SecurityGroups"`
	Attributes attributes `json:"Attributes"`
	AddrType   string     `json:"IpAddressType"`
}

// suffix is the "app/name/id" by which its interfaces name it.
func (l *loadBalancer) suffix() string {
	_, s, _ := strings.Cut(l.ARN, ":loadbalancer/")
	return s
}

type targetGroupRef struct {
	ARN    string `json:"TargetGroupArn"`
	Weight *int   `json:"Weight"`
}

type action struct {
	Type        string `json:"Type"`
	TargetGroup string `json:"TargetGroupArn"`
	Forward     *struct {
		TargetGroups []targetGroupRef `json:"TargetGroups"`
	} `json:"ForwardConfig"`
}

type condition struct {
	Field       string   `json:"Field"`
	Values      []string `json:"Values"`
	HostHeader  *values  `json:"HostHeaderConfig"`
	PathPattern *values  `json:"PathPatternConfig"`
	SourceIP    *values  `json:"SourceIpConfig"`
}

type values struct {
	Values []string `json:"Values"`
}

type listenerRule struct {
	ARN        string      `json:"RuleArn"`
	Priority   string      `json:"Priority"`
	Conditions []condition `json:"Conditions"`
	Actions    []action    `json:"Actions"`
	Default    bool        `json:"IsDefault"`
}

type listener struct {
	ARN      string          `json:"ListenerArn"`
	Balancer string          `json:"LoadBalancerArn"`
	Port     int             `json:"Port"`
	Protocol string          `json:"Protocol"`
	Default  []action        `json:"DefaultActions"`
	Rules    *[]listenerRule `json:"Rules"`
	Mutual   *struct {
		Mode string `json:"Mode"`
	} `json:"MutualAuthentication"`

	rules []decodedRule // in the order of evaluation
}

type targetHealth struct {
	Target struct {
		ID   string `json:"Id"`
		Port int    `json:"Port"`
		Zone string `json:"AvailabilityZone"`
	} `json:"Target"`
	Health struct {
		State  string `json:"State"`
		Reason string `json:"Reason"`
	} `json:"TargetHealth"`
}

type targetGroup struct {
	ARN        string          `json:"TargetGroupArn"`
	Name       string          `json:"TargetGroupName"`
	Protocol   string          `json:"Protocol"`
	Port       int             `json:"Port"`
	VPC        string          `json:"VpcId"`
	TargetType string          `json:"TargetType"` // instance, ip, lambda, alb
	Balancers  []string        `json:"LoadBalancerArns"`
	Health     *[]targetHealth `json:"TargetHealthDescriptions"`
	Attributes attributes      `json:"Attributes"`
}
