package reach

import (
	"net/netip"
	"slices"
)

// span is a closed interval. A set is a sorted list of spans that neither overlap nor touch.
type span[T any] struct{ lo, hi T }

// line is an ordered, discrete line of points. Implementations have no state; next and prev
// report false at the line's ends and where it is broken (between IPv4 and IPv6).
type line[T any] interface {
	compare(a, b T) int
	next(T) (T, bool)
	prev(T) (T, bool)
}

// addrs is the line of IP addresses: all of IPv4, then all of IPv6, with a break between.
type addrs struct{}

func (addrs) compare(a, b netip.Addr) int { return a.Compare(b) }

func (addrs) next(a netip.Addr) (netip.Addr, bool) {
	n := a.Next()
	return n, n.IsValid()
}

func (addrs) prev(a netip.Addr) (netip.Addr, bool) {
	p := a.Prev()
	return p, p.IsValid()
}

// ports is the line of 16-bit numbers.
type ports struct{}

func (ports) compare(a, b uint16) int      { return int(a) - int(b) }
func (ports) next(p uint16) (uint16, bool) { return p + 1, p != 1<<16-1 }
func (ports) prev(p uint16) (uint16, bool) { return p - 1, p != 0 }

// touches reports whether hi is directly before lo.
func touches[T any, L line[T]](hi, lo T) bool {
	var l L
	n, ok := l.next(hi)
	return ok && l.compare(n, lo) == 0
}

// normalize sorts spans in place and joins those that overlap or touch.
func normalize[T any, L line[T]](s []span[T]) []span[T] {
	var l L
	if len(s) < 2 {
		return s
	}
	slices.SortFunc(s, func(a, b span[T]) int { return l.compare(a.lo, b.lo) })
	out := s[:1]
	for _, x := range s[1:] {
		last := &out[len(out)-1]
		if l.compare(x.lo, last.hi) <= 0 || touches[T, L](last.hi, x.lo) {
			if l.compare(x.hi, last.hi) > 0 {
				last.hi = x.hi
			}
			continue
		}
		out = append(out, x)
	}
	return out
}

func union[T any, L line[T]](a, b []span[T]) []span[T] {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0 || same(a, b) || within[T, L](b, a):
		return a
	case within[T, L](a, b):
		return b
	}
	return normalize[T, L](slices.Concat(a, b))
}

func intersect[T any, L line[T]](a, b []span[T]) []span[T] {
	var l L
	switch {
	case len(a) == 0 || len(b) == 0:
		return nil
	case same(a, b) || within[T, L](a, b):
		return a
	case within[T, L](b, a):
		return b
	}
	out := make([]span[T], 0, len(a)+len(b)-1)
	for i, j := 0, 0; i < len(a) && j < len(b); {
		lo, hi := a[i].lo, a[i].hi
		if l.compare(b[j].lo, lo) > 0 {
			lo = b[j].lo
		}
		aEndsFirst := l.compare(a[i].hi, b[j].hi) <= 0
		if !aEndsFirst {
			hi = b[j].hi
		}
		if l.compare(lo, hi) <= 0 {
			out = append(out, span[T]{lo, hi})
		}
		if aEndsFirst {
			i++
		} else {
			j++
		}
	}
	return out
}

// subtract returns the points of a that are not in b.
func subtract[T any, L line[T]](a, b []span[T]) []span[T] {
	var l L
	switch {
	case len(a) == 0 || len(b) == 0:
		return a
	case same(a, b) || within[T, L](a, b):
		return nil
	}
	out := make([]span[T], 0, len(a)+len(b))
	j := 0
	for _, x := range a {
		for j < len(b) && l.compare(b[j].hi, x.lo) < 0 {
			j++
		}
		lo, open := x.lo, true
		for k := j; k < len(b) && l.compare(b[k].lo, x.hi) <= 0; k++ {
			if l.compare(b[k].lo, lo) > 0 {
				before, _ := l.prev(b[k].lo)
				out = append(out, span[T]{lo, before})
			}
			if l.compare(b[k].hi, x.hi) >= 0 {
				open = false
				break
			}
			lo, _ = l.next(b[k].hi)
		}
		if open {
			out = append(out, span[T]{lo, x.hi})
		}
	}
	return out
}

// same reports whether both are one slice; sets are immutable and often shared.
func same[T any](a, b []span[T]) bool { return len(a) == len(b) && &a[0] == &b[0] }

// within reports whether all of a lies in one span of b, looked for among the first few.
func within[T any, L line[T]](a, b []span[T]) bool {
	var l L
	for i := 0; i < len(b) && i < 2; i++ {
		if l.compare(b[i].lo, a[0].lo) <= 0 && l.compare(a[len(a)-1].hi, b[i].hi) <= 0 {
			return true
		}
	}
	return false
}

func contains[T any, L line[T]](s []span[T], p T) bool {
	var l L
	i, found := slices.BinarySearchFunc(s, p, func(x span[T], p T) int { return l.compare(x.lo, p) })
	return found || i > 0 && l.compare(p, s[i-1].hi) <= 0
}

func equal[T any, L line[T]](a, b []span[T]) bool {
	var l L
	return slices.EqualFunc(a, b, func(x, y span[T]) bool {
		return l.compare(x.lo, y.lo) == 0 && l.compare(x.hi, y.hi) == 0
	})
}
