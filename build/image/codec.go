package image

import (
	"encoding/binary"
	"errors"
	"sort"
)

var errCodec = errors.New("damaged layer record")

// AppendLayer writes a layer in its compact form: names in order, each without what it
// shares with the one before.
func AppendLayer(b []byte, l *Layer) []byte {
	names := l.Names()
	b = binary.AppendUvarint(b, uint64(len(names)))
	last := ""
	for _, name := range names {
		e := l.Entries[name]
		b = appendShared(b, last, name)
		last = name
		b = append(b, byte(e.Type))
		switch e.Type {
		case Symlink, HardLink:
			b = appendString(b, e.Target)
		case Regular:
			b = binary.AppendUvarint(b, uint64(e.Evidence))
		}
	}
	b = appendSet(b, l.Whiteouts)
	b = appendSet(b, l.Opaque)
	b = binary.AppendUvarint(b, uint64(len(l.Skipped)))
	for _, s := range l.Skipped {
		b = appendString(b, s)
	}
	b = binary.AppendUvarint(b, uint64(l.Size))
	return appendString(b, l.DiffID)
}

func appendShared(b []byte, last, name string) []byte {
	n := 0
	for n < len(last) && n < len(name) && last[n] == name[n] {
		n++
	}
	b = binary.AppendUvarint(b, uint64(n))
	return appendString(b, name[n:])
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendSet(b []byte, set map[string]bool) []byte {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	sort.Strings(names)
	b = binary.AppendUvarint(b, uint64(len(names)))
	last := ""
	for _, name := range names {
		b = appendShared(b, last, name)
		last = name
	}
	return b
}

// DecodeLayer reads what AppendLayer wrote and returns the rest.
func DecodeLayer(b []byte) (*Layer, []byte, error) {
	r := &reader{b: b}
	n := r.count()
	l := &Layer{Entries: make(map[string]Entry, n)}
	last := ""
	for range n {
		name := r.shared(last)
		last = name
		e := Entry{Type: EntryType(r.byte())}
		switch e.Type {
		case Symlink, HardLink:
			e.Target = r.string()
		case Regular:
			e.Evidence = int32(r.uint()) //nolint:gosec // written from an int32
		}
		l.Entries[name] = e
	}
	l.Whiteouts, l.Opaque = r.set(), r.set()
	for range r.count() {
		l.Skipped = append(l.Skipped, r.string())
	}
	l.Size = int64(r.uint()) //nolint:gosec // written from an int64
	l.DiffID = r.string()
	if r.bad {
		return nil, nil, errCodec
	}
	return l, r.b, nil
}

type reader struct {
	b   []byte
	buf []byte
	bad bool
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a number of things of at least one byte each.
func (r *reader) count() int {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(n) //nolint:gosec // bounded by the length
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) bytes() []byte {
	n := r.count()
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) string() string { return string(r.bytes()) }

func (r *reader) shared(last string) string {
	n := r.uint()
	tail := r.bytes()
	if n > uint64(len(last)) {
		r.bad = true
		return ""
	}
	r.buf = append(append(r.buf[:0], last[:n]...), tail...)
	return string(r.buf)
}

func (r *reader) set() map[string]bool {
	n := r.count()
	set := make(map[string]bool, n)
	last := ""
	for range n {
		last = r.shared(last)
		set[last] = true
	}
	return set
}
