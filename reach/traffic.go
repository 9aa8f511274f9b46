package reach

import (
	"slices"
)

// Traffic is an immutable set of (port, address) pairs: the packets of one protocol, by the
// port that a filter looks at and the address of the far end. The zero Traffic is empty.
//
// It is kept as a step function from ports to addresses: pieces are sorted, do not overlap,
// none has an empty address set, and neighbours that touch differ.
type Traffic struct{ pieces []piece }

type piece struct {
	lo, hi uint16
	from   AddrSet
}

// NewTraffic returns every pair of a port in p and an address in a.
func NewTraffic(p PortSet, a AddrSet) Traffic {
	if a.Empty() {
		return Traffic{}
	}
	pieces := make([]piece, len(p.spans))
	for i, s := range p.spans {
		pieces[i] = piece{s.lo, s.hi, a}
	}
	return Traffic{pieces}
}

// AllTraffic is every pair.
var AllTraffic = NewTraffic(AllPorts, AllAddresses)

// Union returns the pairs in t or u.
func (t Traffic) Union(u Traffic) Traffic {
	switch {
	case t.Empty():
		return u
	case u.Empty():
		return t
	}
	return combine(t, u, AddrSet.Union)
}

// Intersect returns the pairs in both t and u.
func (t Traffic) Intersect(u Traffic) Traffic {
	switch {
	case t.Empty() || u.Empty():
		return Traffic{}
	case u.all() || t.same(u):
		return t
	case t.all():
		return u
	}
	return combine(t, u, AddrSet.Intersect)
}

// Subtract returns the pairs in t and not in u.
func (t Traffic) Subtract(u Traffic) Traffic {
	if t.Empty() || u.Empty() {
		return t
	}
	return combine(t, u, AddrSet.Subtract)
}

// all reports whether t is AllTraffic itself, same whether t and u are one slice.
func (t Traffic) all() bool { return t.same(AllTraffic) }

func (t Traffic) same(u Traffic) bool {
	return len(t.pieces) > 0 && len(t.pieces) == len(u.pieces) && &t.pieces[0] == &u.pieces[0]
}

// combine applies op to the address sets of every port.
func combine(t, u Traffic, op func(a, b AddrSet) AddrSet) Traffic {
	var out []piece
	i, j := 0, 0
	for at := 0; at < 1<<16; {
		// What t and u hold at port at, and the last port up to which both stay the same.
		end := 1<<16 - 1
		here := func(pieces []piece, k *int) AddrSet {
			for *k < len(pieces) && int(pieces[*k].hi) < at {
				*k++
			}
			if *k == len(pieces) {
				return AddrSet{}
			}
			if int(pieces[*k].lo) > at {
				end = min(end, int(pieces[*k].lo)-1)
				return AddrSet{}
			}
			end = min(end, int(pieces[*k].hi))
			return pieces[*k].from
		}
		a, b := here(t.pieces, &i), here(u.pieces, &j)
		if set := op(a, b); !set.Empty() {
			if n := len(out); n > 0 && int(out[n-1].hi) == at-1 && out[n-1].from.Equal(set) {
				out[n-1].hi = uint16(end)
			} else {
				out = append(out, piece{uint16(at), uint16(end), set})
			}
		}
		at = end + 1
	}
	return Traffic{out}
}

// Empty reports whether there is no pair.
func (t Traffic) Empty() bool { return len(t.pieces) == 0 }

// Equal reports whether both have the same pairs.
func (t Traffic) Equal(u Traffic) bool {
	return slices.EqualFunc(t.pieces, u.pieces, func(a, b piece) bool {
		return a.lo == b.lo && a.hi == b.hi && a.from.Equal(b.from)
	})
}

// Ports returns the ports that occur with at least one address.
func (t Traffic) Ports() PortSet {
	var s []span[uint16]
	for _, p := range t.pieces {
		s = append(s, span[uint16]{p.lo, p.hi})
	}
	return PortSet{normalize[uint16, ports](s)}
}

// Some returns the addresses that occur with at least one port.
func (t Traffic) Some() AddrSet {
	var a AddrSet
	for _, p := range t.pieces {
		a = a.Union(p.from)
	}
	return a
}

// Every returns the addresses that occur with every one of the ports; all addresses when
// ports is empty.
func (t Traffic) Every(wanted PortSet) AddrSet {
	a := AllAddresses
	i := 0
	for _, s := range wanted.spans {
		for at := int(s.lo); at <= int(s.hi); {
			for i < len(t.pieces) && int(t.pieces[i].hi) < at {
				i++
			}
			if i == len(t.pieces) || int(t.pieces[i].lo) > at {
				return AddrSet{}
			}
			if a = a.Intersect(t.pieces[i].from); a.Empty() {
				return a
			}
			at = int(t.pieces[i].hi) + 1
		}
	}
	return a
}
