package reach

import (
	"strconv"
	"strings"
)

// PortSet is an immutable set of 16-bit numbers: the ports of TCP and UDP, or for ICMP the
// messages as type<<8 | code (see ICMP). The zero PortSet is empty.
type PortSet struct{ spans []span[uint16] }

// AllPorts is every 16-bit number.
var AllPorts = Ports(0, 1<<16-1)

// Ports returns the set of the ports from lo to hi, both included; empty when lo > hi.
func Ports(lo, hi uint16) PortSet {
	if lo > hi {
		return PortSet{}
	}
	return PortSet{[]span[uint16]{{lo, hi}}}
}

// Port returns the set of one port.
func Port(p uint16) PortSet { return Ports(p, p) }

// ICMP returns the messages of a type and code; -1 stands for every code, or with type -1
// for every message.
func ICMP(typ, code int) PortSet {
	switch {
	case typ < 0 || typ > 255:
		return AllPorts
	case code < 0 || code > 255:
		return Ports(uint16(typ)<<8, uint16(typ)<<8|255)
	}
	return Port(uint16(typ)<<8 | uint16(code))
}

// Union returns the ports in p or q.
func (p PortSet) Union(q PortSet) PortSet { return PortSet{union[uint16, ports](p.spans, q.spans)} }

// Intersect returns the ports in both p and q.
func (p PortSet) Intersect(q PortSet) PortSet {
	return PortSet{intersect[uint16, ports](p.spans, q.spans)}
}

// Subtract returns the ports in p and not in q.
func (p PortSet) Subtract(q PortSet) PortSet {
	return PortSet{subtract[uint16, ports](p.spans, q.spans)}
}

// Complement returns all ports that are not in p.
func (p PortSet) Complement() PortSet { return AllPorts.Subtract(p) }

// Contains reports whether the port is in the set.
func (p PortSet) Contains(port uint16) bool { return contains[uint16, ports](p.spans, port) }

// Empty reports whether the set has no port.
func (p PortSet) Empty() bool { return len(p.spans) == 0 }

// Equal reports whether both sets have the same ports.
func (p PortSet) Equal(q PortSet) bool { return equal[uint16, ports](p.spans, q.spans) }

// Covers reports whether every port of q is in p.
func (p PortSet) Covers(q PortSet) bool { return q.Subtract(p).Empty() }

// Size is the number of ports.
func (p PortSet) Size() int {
	n := 0
	for _, s := range p.spans {
		n += int(s.hi) - int(s.lo) + 1
	}
	return n
}

// Single returns the only port of a set that has exactly one.
func (p PortSet) Single() (uint16, bool) {
	if len(p.spans) == 1 && p.spans[0].lo == p.spans[0].hi {
		return p.spans[0].lo, true
	}
	return 0, false
}

// String writes the set as 22,80-443.
func (p PortSet) String() string {
	var b strings.Builder
	for i, s := range p.spans {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(int(s.lo)))
		if s.hi != s.lo {
			b.WriteByte('-')
			b.WriteString(strconv.Itoa(int(s.hi)))
		}
	}
	return b.String()
}
