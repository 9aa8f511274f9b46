package scan

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path"
	"strconv"

	"github.com/triad-security/triad/build/sbom"
)

// Tags of a package's header (lib/rpmtag.h) and its types.
const (
	rpmName         = 1000
	rpmVersion      = 1001
	rpmRelease      = 1002
	rpmEpoch        = 1003
	rpmVendor       = 1011
	rpmArch         = 1022
	rpmOldFilenames = 1027 // before rpm 4
	rpmSourceRPM    = 1044
	rpmDirIndexes   = 1116
	rpmBaseNames    = 1117
	rpmDirNames     = 1118
	rpmModuleLabel  = 5096

	rpmInt32       = 4
	rpmString      = 6
	rpmStringArray = 8
	rpmI18NString  = 9
)

// rpmEntry is one tag of a header: its type, count, and the data from where it begins.
type rpmEntry struct {
	kind, count uint32
	data        []byte
}

// rpmPackageOf reads a header: two big-endian counts (entries, bytes of data), the entries of
// 16 bytes (tag, type, offset, count), the data (lib/header.c, without the lead and magic that
// package files have).
func rpmPackageOf(b []byte) (f found, files []string, err error) {
	be := binary.BigEndian
	if len(b) < 8 {
		return f, nil, fmt.Errorf("%w: a header of %d bytes", errRPM, len(b))
	}
	entries, length := int64(be.Uint32(b)), int64(be.Uint32(b[4:]))
	if 8+16*entries+length > int64(len(b)) {
		return f, nil, fmt.Errorf("%w: a header that is longer than it is", errRPM)
	}
	index, data := b[8:8+16*entries], b[8+16*entries:8+16*entries+length]
	tags := map[uint32]rpmEntry{}
	for ; len(index) > 0; index = index[16:] {
		tag := be.Uint32(index)
		switch tag {
		case rpmName, rpmVersion, rpmRelease, rpmEpoch, rpmVendor, rpmArch, rpmOldFilenames, rpmSourceRPM, rpmDirIndexes, rpmBaseNames, rpmDirNames, rpmModuleLabel:
		default:
			continue
		}
		offset := int64(be.Uint32(index[8:]))
		if offset > length {
			return f, nil, fmt.Errorf("%w: tag %d lies outside its header", errRPM, tag)
		}
		if _, again := tags[tag]; !again {
			tags[tag] = rpmEntry{be.Uint32(index[4:]), be.Uint32(index[12:]), data[offset:]}
		}
	}
	f.Name, f.Arch = tags[rpmName].text(), tags[rpmArch].text()
	if f.Name == "" {
		return f, nil, fmt.Errorf("%w: a package without a name", errRPM)
	}
	f.Version = tags[rpmVersion].text() + "-" + tags[rpmRelease].text()
	if e := tags[rpmEpoch]; e.kind == rpmInt32 && e.count > 0 && len(e.data) >= 4 {
		f.Epoch = int(be.Uint32(e.data))
	}
	f.Module, f.Vendor = tags[rpmModuleLabel].text(), tags[rpmVendor].text()
	f.Source, f.SourceVersion, _ = sbom.SourceRPM(tags[rpmSourceRPM].text())
	if files, err = rpmFileNames(tags); err != nil {
		err = fmt.Errorf("files of %s: %w", strconv.Quote(f.Name), err)
	}
	return f, files, err
}

func rpmFileNames(tags map[uint32]rpmEntry) ([]string, error) {
	if old := tags[rpmOldFilenames].list(); len(old) > 0 {
		return old, nil
	}
	dirs, names, indexes := tags[rpmDirNames].list(), tags[rpmBaseNames].list(), tags[rpmDirIndexes]
	if len(names) == 0 {
		return nil, nil
	}
	if indexes.kind != rpmInt32 || 4*len(names) > len(indexes.data) {
		return nil, errRPM
	}
	out := make([]string, len(names))
	for i, name := range names {
		dir := binary.BigEndian.Uint32(indexes.data[4*i:])
		if int64(dir) >= int64(len(dirs)) {
			return nil, errRPM
		}
		out[i] = path.Join(dirs[dir], name)
	}
	return out, nil
}

// text is a tag's string, "" where it has none.
func (e rpmEntry) text() string {
	if e.kind != rpmString && e.kind != rpmI18NString {
		return ""
	}
	s, _, _ := bytes.Cut(e.data, []byte{0})
	if string(s) == "(none)" {
		return ""
	}
	return string(s)
}

// list are a tag's strings; a count that the data cannot hold ends with the data.
func (e rpmEntry) list() []string {
	if e.kind != rpmStringArray {
		return nil
	}
	var out []string
	for rest := e.data; uint32(len(out)) < e.count && len(rest) > 0; { //nolint:gosec // as many as bytes
		var s []byte
		s, rest, _ = bytes.Cut(rest, []byte{0})
		out = append(out, string(s))
	}
	return out
}
