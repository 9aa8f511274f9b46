package scan

import (
	"encoding/binary"
	"path"
	"slices"
	"strings"

	"github.com/triad-security/triad/build/image"
)

// owns is a set of file names as their 64-bit hashes, eight bytes each: a package's list of
// files names hundreds of thousands in a large image, and all that is ever asked is whether
// some package brought a file.
type owns []byte

// maxOwned names of one list are kept: 16 MiB.
const maxOwned = 2 << 20

// add adds a file's name, with or without its leading slash.
func (o *owns) add(name string) {
	if len(*o) < 8*maxOwned {
		*o = binary.LittleEndian.AppendUint64(*o, nameHash(strings.TrimPrefix(name, "/")))
	}
}

// nameHash is FNV-1a with a finisher that spreads its high bits.
func nameHash(name string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	h ^= h >> 32
	h *= 0x9e3779b97f4a7c15
	return h ^ h>>29
}

// ownership answers whether a package of the merged image brought a file. Names of lists are
// as the package has them: /bin/ls, where the image has bin → usr/bin.
type ownership struct {
	m      *merger
	hashes []uint64 // sorted
}

func (m *merger) ownership() *ownership {
	o := &ownership{m: m}
	add := func(set owns) {
		for ; len(set) >= 8; set = set[8:] {
			o.hashes = append(o.hashes, binary.LittleEndian.Uint64(set))
		}
	}
	// Also lists that no longer show: what they name was brought by a package at that time.
	for _, r := range m.records {
		if r == nil {
			continue
		}
		for i := range r.Evidence {
			add(r.Evidence[i].Owns)
			for j := range r.Evidence[i].Packages {
				add(r.Evidence[i].Packages[j].Owns)
			}
		}
	}
	slices.Sort(o.hashes)
	o.hashes = slices.Compact(o.hashes)
	return o
}

// owned reports whether a distribution's or a language's package brought the file. described:
// a program that says itself what it is made of is owned too, as far as being known goes; that
// excuses no set-user-ID bit and no hidden name.
func (o *ownership) owned(name string, layer int, described bool) bool {
	if o.listed(name) {
		return true
	}
	if rest, ok := strings.CutPrefix(name, "usr/"); ok {
		if real, ok := o.m.tree.Resolve(path.Dir(rest)); ok && real == path.Dir(name) && o.listed(rest) {
			return true
		}
	}
	// A program or archive that says itself which packages it is made of.
	if e, ok := o.m.entry(name, layer); described && ok {
		if ev := o.m.records[layer].at(e); ev != nil && (ev.Kind == kindGo || ev.Kind == kindJava) && len(ev.Packages) > 0 {
			return true
		}
	}
	// All below a folder that is a package: node_modules/name/package.json.
	for dir := path.Dir(name); dir != "." && dir != "/"; dir = path.Dir(dir) {
		if path.Base(path.Dir(dir)) != "node_modules" && !strings.HasPrefix(path.Base(path.Dir(dir)), "@") {
			continue
		}
		file := dir + "/package.json"
		if e, at, ok := o.m.tree.Lookup(file); ok {
			if ev := o.m.evidence(e, file, at); ev != nil && len(ev.Packages) > 0 {
				return true
			}
		}
		if e, ok := o.m.entry(file, layer); ok {
			if ev := o.m.records[layer].at(e); ev != nil && len(ev.Packages) > 0 {
				return true
			}
		}
	}
	return false
}

func (o *ownership) listed(name string) bool {
	_, ok := slices.BinarySearch(o.hashes, nameHash(name))
	return ok
}

// entry is what a layer itself holds at a name.
func (m *merger) entry(name string, layer int) (image.Entry, bool) {
	if m.records[layer] == nil {
		return image.Entry{}, false
	}
	return m.records[layer].layer.Entry(name)
}

// own says which packages of languages a package of the distribution brought: their fixes
// are the distribution's. Where the distribution has no advisories nobody fixes them, and
// they stand for themselves.
func (m *merger) own(packages []brought, all []shown, lists map[string]*evidence) {
	if m.distro.Ecosystem() == "" {
		return
	}
	want := map[uint64][]int{}
	for i, p := range packages {
		if p.system {
			continue
		}
		file, _, _ := strings.Cut(strings.TrimPrefix(p.Path, m.root), "!")
		want[nameHash(file)] = append(want[nameHash(file)], i)
		if rest, ok := strings.CutPrefix(file, "usr/"); ok { // its list may say /lib for /usr/lib
			want[nameHash(rest)] = append(want[nameHash(rest)], i)
		}
	}
	if len(want) == 0 {
		return
	}
	for _, s := range all {
		if !isDistribution(s.Kind) {
			continue
		}
		for _, f := range s.Packages {
			if m.foreign(f) {
				continue
			}
			set := f.Owns
			if list := listOf(f, lists); s.Kind == kindDpkg && list != nil {
				set = list.Owns
			}
			for ; len(set) >= 8; set = set[8:] {
				for _, i := range want[binary.LittleEndian.Uint64(set)] {
					if packages[i].Owner == "" {
						packages[i].Owner = f.Name
					}
				}
			}
		}
	}
}

// vendors are words of the vendor tag of a distribution's own rpms.
var vendors = map[string]string{
	"rhel": "red hat", "almalinux": "alma", "rocky": "rocky", "sles": "suse", "opensuse-leap": "suse", "opensuse-tumbleweed": "suse",
	"mageia": "mageia", "openeuler": "openeuler", "azurelinux": "microsoft", "mariner": "microsoft",
}

// foreign: an rpm that somebody else than the distribution built (EPEL, a vendor's own
// repository). The distribution fixes nothing in it.
func (m *merger) foreign(f found) bool {
	word := vendors[strings.ToLower(m.distro.ID)]
	return word != "" && f.Vendor != "" && !strings.Contains(strings.ToLower(f.Vendor), word)
}
