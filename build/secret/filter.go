package secret

import (
	"bytes"
	"encoding/binary"
)

// minWord is the shortest word that the filter can look for: it looks at every second
// position, three bytes at a time.
const minWord = 4

// filter finds words in one pass whose cost hardly depends on how many they are. Every second
// position's three bytes, folded, are looked up in a table; only a hit is compared in full.
type filter struct {
	table   [1 << filterBits]uint16 // 1 + index into buckets
	buckets [][]entry
	words   []word
	longest int
}

const filterBits = 14

type entry struct {
	word   int
	offset int // of the three bytes in the word: 0 or 1
}

type word struct {
	text  []byte // lower case when folded
	fold  bool
	rules []int
}

func slot(v uint32) uint32 {
	return (v&0xffffff | 0x202020) * 0x9e3779b1 >> (32 - filterBits)
}

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
				for offset := range 2 {
					f.add(text[offset:], entry{w, offset})
				}
			}
			f.words[w].rules = append(f.words[w].rules, r)
		}
	}
	return f
}

func (f *filter) add(text string, e entry) {
	s := slot(uint32(text[0]) | uint32(text[1])<<8 | uint32(text[2])<<16)
	if f.table[s] == 0 {
		f.buckets = append(f.buckets, nil)
		f.table[s] = uint16(len(f.buckets)) //nolint:gosec // twice the words
	}
	b := &f.buckets[f.table[s]-1]
	*b = append(*b, e)
}

// scan calls hit for every word that begins in data[from:to]; words may reach beyond to, not
// beyond data.
func (f *filter) scan(data []byte, from, to int, hit func(pos, word int)) {
	i := from
	// Eight bytes at a time, four positions of them.
	for ; i+9 <= len(data) && i+6 <= to; i += 8 {
		v := binary.LittleEndian.Uint64(data[i:])
		a := f.table[slot(uint32(v))]                           //nolint:gosec // the low half is meant
		b := f.table[slot(uint32(v>>16))]                       //nolint:gosec // as above
		c := f.table[slot(uint32(v>>32))]                       //nolint:gosec // as above
		d := f.table[slot(uint32(v>>48)|uint32(data[i+8])<<16)] //nolint:gosec // as above
		if a|b|c|d == 0 {
			continue
		}
		if a != 0 {
			f.compare(a, data, i, from, to, hit)
		}
		if b != 0 {
			f.compare(b, data, i+2, from, to, hit)
		}
		if c != 0 {
			f.compare(c, data, i+4, from, to, hit)
		}
		if d != 0 {
			f.compare(d, data, i+6, from, to, hit)
		}
	}
	for ; i <= to && i+3 <= len(data); i += 2 {
		if b := f.table[slot(uint32(data[i])|uint32(data[i+1])<<8|uint32(data[i+2])<<16)]; b != 0 {
			f.compare(b, data, i, from, to, hit)
		}
	}
}

func (f *filter) compare(bucket uint16, data []byte, i, from, to int, hit func(pos, word int)) {
	for _, e := range f.buckets[bucket-1] {
		w := &f.words[e.word]
		p := i - e.offset
		if p < from || p >= to || p+len(w.text) > len(data) {
			continue
		}
		if have := data[p : p+len(w.text)]; w.fold && equalFold(have, w.text) || !w.fold && string(have) == string(w.text) {
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
