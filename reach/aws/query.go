package aws

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// Question is one question about reachability, in the format of a queries file.
type Question struct {
	From       End       `json:"from"`
	To         End       `json:"to"`
	Protocol   string    `json:"protocol"` // tcp, udp, icmp, any, or an IP protocol number
	Port       PortRange `json:"port,omitzero"`
	SourcePort PortRange `json:"source_port,omitzero"`
	// Match: "all" (the default), every port and protocol must get through; "some", one is enough.
	Match string `json:"match,omitempty"`
}

// End is one end of a question: internet (with or without IP), instance (by ID, with an
// address where it matters), ip, or of other adapters.
type End struct {
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`
	IP   string `json:"ip,omitempty"`
	// Network is the VPC of an ip where several VPCs use the same range.
	Network string `json:"network,omitempty"`
}

// PortRange is a port or a range of ports, both ends included; the zero value is all ports.
type PortRange struct{ Lo, Hi uint16 }

// Set returns the ports.
func (r PortRange) Set() reach.PortSet {
	if r == (PortRange{}) {
		return reach.Ports(1, 1<<16-1)
	}
	return reach.Ports(r.Lo, r.Hi)
}

// String writes 443, 8000-8080, or all ports.
func (r PortRange) String() string {
	switch {
	case r == (PortRange{}):
		return "all ports"
	case r.Lo == r.Hi:
		return strconv.Itoa(int(r.Lo))
	}
	return strconv.Itoa(int(r.Lo)) + "-" + strconv.Itoa(int(r.Hi))
}

// UnmarshalJSON reads 443, "443" or "1-65535".
func (r *PortRange) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		var n int
		if json.Unmarshal(data, &n) != nil {
			return fmt.Errorf("%s is not a port or a range of ports", data)
		}
		text = strconv.Itoa(n)
	}
	p, err := ParsePorts(text)
	*r = p
	return err
}

// MarshalJSON writes a port as a number and a range as a string.
func (r PortRange) MarshalJSON() ([]byte, error) {
	if r.Lo == r.Hi {
		return strconv.AppendUint(nil, uint64(r.Lo), 10), nil
	}
	return fmt.Appendf(nil, `"%d-%d"`, r.Lo, r.Hi), nil
}

// ParsePorts reads "443" or "8000-8080"; empty is all ports.
func ParsePorts(s string) (PortRange, error) {
	if s == "" {
		return PortRange{}, nil
	}
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	lo, err := strconv.ParseUint(strings.TrimSpace(from), 10, 16)
	if err == nil {
		var hi uint64
		if hi, err = strconv.ParseUint(strings.TrimSpace(to), 10, 16); err == nil && lo <= hi {
			return PortRange{uint16(lo), uint16(hi)}, nil
		}
	}
	return PortRange{}, fmt.Errorf("%q is not a port (0 to 65535) or a range such as 8000-8080", s)
}

// Bounds of a queries file.
const (
	maxQueriesBytes = 64 << 20
	maxQueries      = 1_000_000
)

// ParseQueries reads a queries file: {"queries":[…]} or a list. Fields that it does not know,
// such as the expected answer, are ignored.
func ParseQueries(data []byte) ([]Question, error) {
	if len(data) > maxQueriesBytes {
		return nil, triad.Errorf(triad.CodeInvalid, "the queries have %d bytes, over the limit of %d", len(data), maxQueriesBytes)
	}
	var file struct {
		Queries []json.RawMessage `json:"queries"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		if json.Unmarshal(data, &file.Queries) != nil {
			return nil, triad.Errorf(triad.CodeInvalid, "reading queries: %w", err)
		}
	}
	if len(file.Queries) > maxQueries {
		return nil, triad.Errorf(triad.CodeInvalid, "there are %d queries, over the limit of %d", len(file.Queries), maxQueries)
	}
	out := make([]Question, len(file.Queries))
	for i, raw := range file.Queries {
		err := json.Unmarshal(raw, &out[i])
		if err == nil {
			err = out[i].check()
		}
		if err != nil {
			return nil, triad.Errorf(triad.CodeInvalid, "query %d: %w", i+1, err)
		}
	}
	return out, nil
}

func (q *Question) check() error {
	if q.Protocol == "" {
		q.Protocol = "tcp"
	}
	if _, err := parseProtocol(q.Protocol); err != nil {
		return err
	}
	if q.Match != "" && q.Match != "all" && q.Match != "some" {
		return fmt.Errorf("match is %q, not all or some", q.Match)
	}
	for _, e := range []End{q.From, q.To} {
		if e.IP != "" {
			if _, err := netip.ParseAddr(e.IP); err != nil {
				return err
			}
		}
		switch {
		case e.Kind == "":
			return fmt.Errorf("an end has no kind; say internet, instance or ip")
		case e.Kind == "ip" && e.IP == "":
			return fmt.Errorf("an end of kind ip has no ip")
		case e.Kind == "instance" && e.ID == "":
			return fmt.Errorf("an end of kind instance has no id")
		}
	}
	return nil
}
