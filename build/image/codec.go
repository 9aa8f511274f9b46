package image

import (
	"encoding/binary"
	"errors"
	"slices"
)

var errCodec = errors.New("damaged layer record")

// AppendLayer writes a layer in its compact form: every name as its folder's number and its
// own part, folders first.
func AppendLayer(b []byte, l *Layer) []byte {
	t := l.names
	b = slices.Grow(b, t.text.len+6*t.nodes.len) // near what follows, so that millions of names are not copied again and again
	b = binary.AppendUvarint(b, uint64(t.nodes.len))
	for i := uint32(0); int(i) < t.nodes.len; i++ {
		n := t.node(i)
		b = append(b, n.flags<<4|byte(n.kind))
		if i > 0 {
			b = binary.AppendUvarint(b, uint64(i-n.parent))
			b = binary.AppendUvarint(b, uint64(n.length))
			b = append(b, t.bytesAt(n.name, n.length)...)
		}
		switch {
		case n.flags&flagEntry == 0:
		case n.kind == Symlink, n.kind == HardLink:
			b = appendString(b, t.target(n.value))
		case n.kind == Regular:
			b = binary.AppendUvarint(b, uint64(n.value))
		}
	}
	b = binary.AppendUvarint(b, uint64(len(l.Skipped)))
	for _, s := range l.Skipped {
		b = appendString(b, s)
	}
	b = binary.AppendUvarint(b, uint64(l.Size)) //nolint:gosec // not negative
	return appendString(b, l.DiffID)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// DecodeLayer reads what AppendLayer wrote and returns the rest.
func DecodeLayer(b []byte) (*Layer, []byte, error) {
	r := &reader{b: b}
	count := r.count()
	l := NewLayer()
	t := l.names
	t.reserve(count)
	for i := range count {
		head := r.byte()
		at := uint32(0)
		if i > 0 {
			up, base := r.uint(), r.bytes()
			if up == 0 || up > uint64(i) || len(base) == 0 || len(base) > maxName {
				return nil, nil, errCodec
			}
			at = t.addChild(uint32(i)-uint32(up), string(base)) //nolint:gosec // bounded by the count
		}
		e := Entry{Type: EntryType(head & 0xf)}
		flags := head >> 4
		switch {
		case flags&flagEntry == 0:
		case e.Type == Symlink, e.Type == HardLink:
			e.Target = r.string()
		case e.Type == Regular:
			e.Evidence = int32(r.uint()) //nolint:gosec // written from an int32
		}
		if r.bad {
			return nil, nil, errCodec
		}
		if flags&flagEntry != 0 {
			t.set(at, e)
		}
		t.node(at).flags = flags
	}
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
