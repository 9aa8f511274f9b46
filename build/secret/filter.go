package secret

import (
	"bytes"
	"encoding/binary"
)

// minWord is the shortest word that the filter can look for: it looks at every second
// position, four bytes at a time. A word of four bytes is one before a character of a token.
const minWord = 4

// filter finds words in one pass whose cost hardly depends on how many they are. Every second
// position's four bytes, folded, are looked up in a set of bits that fits the processor's
// first cache; only what is in it is looked up in a table and compared in full.
type filter struct {
	bits    [1 << filterBits / 64]uint64
	table   [1 << tableBits]uint16 // 1 + index into buckets
	buckets [][]entry
	words   []word
	longest int
}

const (
	filterBits = 17
	tableBits  = 13
	fold       = 0x20202020
)

type entry struct {
	word   int
	offset int // of the four bytes in the word: 0 or 1
}

type word struct {
	text  []byte // lower case when folded
	fold  bool
	rules []int
}

// spread is a hash by multiplication (Knuth, volume 3, section 6.4).
func spread(v uint32) uint32 { return (v | fold) * 0x9e3779b1 }

// newFilter makes a filter of the rules' words.
func newFilter(rules []*rule) *filter {
	f := &filter{}
	index := map[string]int{}
	for r, rule := range rules {
		for _, text := range rule.words {
			if len(text) < minWord {
				panic("secret: the word " + text + " is too short to be looked for")
			}
			key := text
			if rule.fold {
				text = string(bytes.ToLower([]byte(text)))
				key = "fold " + text
			}
			w, known := index[key]
			if !known {
				w = len(f.words)
				index[key] = w
				f.words = append(f.words, word{text: []byte(text), fold: rule.fold})
				f.longest = max(f.longest, len(text))
				f.add(text, entry{w, 0})
				rest := text[1:]
				if len(text) > minWord {
					f.add(rest, entry{w, 1})
				} else {
					for _, next := range tokenBytes {
						f.add(rest+string(next), entry{w, 1})
					}
				}
			}
			f.words[w].rules = append(f.words[w].rules, r)
		}
	}
	f.longest++ // a word of four bytes is found by the byte after it
	return f
}

// tokenBytes may follow a word of four bytes; of those that fold to one another one is enough.
const tokenBytes = "abcdefghijklmnopqrstuvwxyz0123456789-_+/=.:"

func (f *filter) add(text string, e entry) {
	h := spread(binary.LittleEndian.Uint32([]byte(text)))
	bit := h >> (32 - filterBits)
	f.bits[bit/64] |= 1 << (bit % 64)
	s := h >> (32 - tableBits)
	if f.table[s] == 0 {
		f.buckets = append(f.buckets, nil)
		f.table[s] = uint16(len(f.buckets)) //nolint:gosec // at most as many as the table has
	}
	b := &f.buckets[f.table[s]-1]
	*b = append(*b, e)
}

// scan calls hit for every word that begins in data[from:to]; words may reach beyond to, not
// beyond data.
func (f *filter) scan(data []byte, from, to int, hit func(pos, word int)) {
	i := from
	for i+10 <= len(data) && i+6 <= to {
		d := data[i : i+10 : i+10]
		a := spread(binary.LittleEndian.Uint32(d))
		b := spread(binary.LittleEndian.Uint32(d[2:]))
		c := spread(binary.LittleEndian.Uint32(d[4:]))
		e := spread(binary.LittleEndian.Uint32(d[6:]))
		if f.bit(a)|f.bit(b)|f.bit(c)|f.bit(e) != 0 {
			for j, h := range [4]uint32{a, b, c, e} {
				if f.bit(h) != 0 {
					f.look(h, data, i+2*j, from, to, hit)
				}
			}
		}
		i += 8
	}
	for ; i <= to && i < len(data); i += 2 {
		var four [4]byte
		copy(four[:], data[i:]) // at the end of a file fewer are left
		if h := spread(binary.LittleEndian.Uint32(four[:])); f.bit(h) != 0 {
			f.look(h, data, i, from, to, hit)
		}
	}
}

// bit is 1 when a word may have four bytes of this hash.
func (f *filter) bit(h uint32) uint64 {
	h >>= 32 - filterBits
	return f.bits[h/64] >> (h % 64) & 1
}

// look compares the words that may have their four bytes, of hash h, at data[i].
func (f *filter) look(h uint32, data []byte, i, from, to int, hit func(pos, word int)) {
	bucket := f.table[h>>(32-tableBits)]
	if bucket == 0 {
		return
	}
	found := -1
	for _, e := range f.buckets[bucket-1] {
		w := &f.words[e.word]
		p := i - e.offset
		if e.word == found || p < from || p >= to || p+len(w.text) > len(data) {
			continue
		}
		if have := data[p : p+len(w.text)]; w.fold && equalFold(have, w.text) || !w.fold && string(have) == string(w.text) {
			found = e.word
			hit(p, e.word)
		}
	}
}

// equalFold compares ASCII text with lower-case ASCII text of the same length.
func equalFold(have, lower []byte) bool {
	for i, c := range lower {
		h := have[i]
		if h >= 'A' && h <= 'Z' {
			h |= 0x20
		}
		if h != c {
			return false
		}
	}
	return true
}
