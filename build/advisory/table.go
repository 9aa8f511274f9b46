package advisory

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"slices"
	"sync"
	"unsafe"
)

// A segment is a run of values, then a hash table over those of them that have a key:
//
//	values     bytes, each with its CRC-32C kept by whoever points at it
//	entries    24 bytes each, by hash: hash u64, offset u48, CRC-32C u32, length u48
//	directory  u32 for each bucket and one more: the first entry of the bucket
//	trailer    entries u32, bucket bits u32, CRC-32C of both u32
//
// A look-up costs three small reads wherever the key lies. All offsets are from the
// segment's start, so that a segment is copied from one generation to the next as it is.
const (
	entrySize   = 24
	trailerSize = 12
	maxValue    = 1 << 30 // bytes of one value
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// hashKey is FNV-1a, 64 bits, and a finish that spreads it to the upper bits.
func hashKey(key string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * 1099511628211
	}
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

// pointer says where in a segment a value lies.
type pointer struct {
	offset, length uint64
	sum            uint32
}

func (w *writer) pointer(p pointer) {
	w.uint(p.offset)
	w.uint(p.length)
	w.uint(uint64(p.sum))
}

func (r *reader) pointer() pointer {
	return pointer{offset: r.uint(), length: r.uint(), sum: uint32(r.uint())}
}

type tableEntry struct {
	hash uint64
	at   pointer
}

// tableWriter writes one segment.
type tableWriter struct {
	w       *bufio.Writer
	n       uint64
	entries []tableEntry
}

func newTableWriter(w io.Writer) *tableWriter { return &tableWriter{w: bufio.NewWriterSize(w, 1<<18)} }

// value appends a value and says where it lies.
func (t *tableWriter) value(b []byte) (pointer, error) {
	p := pointer{offset: t.n, length: uint64(len(b)), sum: checksum(b)}
	if len(b) > maxValue {
		return p, fmt.Errorf("value of %d bytes is larger than a database can hold", len(b))
	}
	n, err := t.w.Write(b)
	t.n += uint64(n)
	return p, err
}

// put appends a value under a key, which the value must begin with.
func (t *tableWriter) put(key string, b []byte) error {
	p, err := t.value(b)
	t.entries = append(t.entries, tableEntry{hashKey(key), p})
	return err
}

// close writes the table.
func (t *tableWriter) close() error {
	slices.SortStableFunc(t.entries, func(a, b tableEntry) int {
		switch {
		case a.hash < b.hash:
			return -1
		case a.hash > b.hash:
			return 1
		}
		return 0
	})
	bucketBits := max(0, bits.Len(uint(len(t.entries)))-3) // about eight entries a bucket
	var b []byte
	for _, e := range t.entries {
		b = binary.LittleEndian.AppendUint64(b, e.hash)
		b = append48(b, e.at.offset)
		b = binary.LittleEndian.AppendUint32(b, e.at.sum)
		b = append48(b, e.at.length)
	}
	next := 0
	for bucket := range 1<<bucketBits + 1 {
		for next < len(t.entries) && bucketOf(t.entries[next].hash, bucketBits) < bucket {
			next++
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(next))
	}
	sum := checksum(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(t.entries)))
	b = binary.LittleEndian.AppendUint32(b, uint32(bucketBits))
	b = binary.LittleEndian.AppendUint32(b, sum)
	if _, err := t.w.Write(b); err != nil {
		return err
	}
	t.n += uint64(len(b))
	return t.w.Flush()
}

func bucketOf(hash uint64, bucketBits int) int {
	if bucketBits == 0 {
		return 0
	}
	return int(hash >> (64 - bucketBits))
}

func append48(b []byte, v uint64) []byte {
	return append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24), byte(v>>32), byte(v>>40))
}

func get48(b []byte) uint64 {
	return uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint16(b[4:]))<<32
}

// table reads one segment.
type table struct {
	r          *io.SectionReader
	count      int
	bucketBits int
	entries    int64 // offset
	directory  int64 // offset
	sum        uint32
}

func openTable(r *io.SectionReader) (*table, error) {
	var b [trailerSize]byte
	if r.Size() < trailerSize {
		return nil, errDamaged
	}
	if _, err := r.ReadAt(b[:], r.Size()-trailerSize); err != nil {
		return nil, err
	}
	t := &table{
		r: r, count: int(binary.LittleEndian.Uint32(b[:])), bucketBits: int(binary.LittleEndian.Uint32(b[4:])),
		sum: binary.LittleEndian.Uint32(b[8:]),
	}
	if t.bucketBits > 31 {
		return nil, errDamaged
	}
	t.directory = r.Size() - trailerSize - 4*(1<<t.bucketBits+1)
	t.entries = t.directory - int64(t.count)*entrySize
	if t.entries < 0 {
		return nil, errDamaged
	}
	return t, nil
}

// read returns a value after checking its checksum.
func (t *table) read(p pointer) ([]byte, error) {
	if p.length > maxValue || p.offset+p.length > uint64(t.entries) {
		return nil, errDamaged
	}
	b := make([]byte, p.length)
	if _, err := t.r.ReadAt(b, int64(p.offset)); err != nil {
		return nil, err
	}
	if checksum(b) != p.sum {
		return nil, errDamaged
	}
	return b, nil
}

// text is a value that read returned, as a string, without copying it once more. Nobody else
// has the bytes and nobody writes them.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// buckets are spaces for the entries of one bucket.
var buckets = sync.Pool{New: func() any { return new([32 * entrySize]byte) }}

// get returns what is under the key, without the key, or "".
func (t *table) get(key string) (string, error) {
	if t.count == 0 {
		return "", nil
	}
	hash := hashKey(key)
	var d [8]byte
	if _, err := t.r.ReadAt(d[:], t.directory+4*int64(bucketOf(hash, t.bucketBits))); err != nil {
		return "", err
	}
	from, to := int64(binary.LittleEndian.Uint32(d[:])), int64(binary.LittleEndian.Uint32(d[4:]))
	if from > to || to > int64(t.count) || to-from > 1<<16 {
		return "", errDamaged
	}
	space := buckets.Get().(*[32 * entrySize]byte)
	defer buckets.Put(space)
	b := space[:]
	if n := int(to-from) * entrySize; n <= len(b) {
		b = b[:n]
	} else {
		b = make([]byte, n)
	}
	if _, err := t.r.ReadAt(b, t.entries+from*entrySize); err != nil && len(b) > 0 {
		return "", err
	}
	prefix := (&writer{}).keyPrefix(key)
	for ; len(b) > 0; b = b[entrySize:] {
		if binary.LittleEndian.Uint64(b) != hash {
			continue
		}
		v, err := t.read(pointer{offset: get48(b[8:]), sum: binary.LittleEndian.Uint32(b[14:]), length: get48(b[18:])})
		if err != nil {
			return "", err
		}
		if bytes.HasPrefix(v, prefix) {
			return text(v[len(prefix):]), nil
		}
	}
	return "", nil
}

// keyPrefix is how a value under a key begins.
func (w *writer) keyPrefix(key string) []byte {
	w.string(key)
	return w.b
}

// each calls fn for every value that has a key, in the order of the hashes.
func (t *table) each(fn func(key, value string) error) error {
	b := make([]byte, t.r.Size()-trailerSize-t.entries)
	if _, err := t.r.ReadAt(b, t.entries); err != nil {
		return err
	}
	if checksum(b) != t.sum {
		return errDamaged
	}
	for i := range t.count {
		e := b[i*entrySize:]
		v, err := t.read(pointer{offset: get48(e[8:]), sum: binary.LittleEndian.Uint32(e[14:]), length: get48(e[18:])})
		if err != nil {
			return err
		}
		r := reader{s: string(v)}
		k := r.string()
		if r.bad {
			return errDamaged
		}
		if err := fn(k, r.s); err != nil {
			return err
		}
	}
	return nil
}
