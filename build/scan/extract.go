package scan

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	cpb "github.com/google/osv-scalibr/binary/proto/config_go_proto"
	"github.com/google/osv-scalibr/extractor"
	"github.com/google/osv-scalibr/extractor/filesystem"
	"github.com/google/osv-scalibr/extractor/filesystem/language/golang/gobinary"
	"github.com/google/osv-scalibr/extractor/filesystem/language/java/archive"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/packagejson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/wheelegg"
	"github.com/google/osv-scalibr/extractor/filesystem/os/apk"
	apkmeta "github.com/google/osv-scalibr/extractor/filesystem/os/apk/metadata"
	"github.com/google/osv-scalibr/extractor/filesystem/os/dpkg"
	dpkgmeta "github.com/google/osv-scalibr/extractor/filesystem/os/dpkg/metadata"
	"github.com/google/osv-scalibr/log"

	"github.com/triad-security/triad/build/image"
)

// The extractors of osv-scalibr, one file each at a time. Nested archives are opened here,
// so the Java one is told to stay at the first level.
var (
	dpkgExtractor = must(dpkg.New(&cpb.PluginConfig{MaxFileSizeBytes: maxDatabase, PluginSpecific: []*cpb.PluginSpecificConfig{{
		Config: &cpb.PluginSpecificConfig_Dpkg{Dpkg: &cpb.DpkgConfig{IncludeNotInstalled: true}},
	}}}))
	apkExtractor    = must(apk.New(&cpb.PluginConfig{MaxFileSizeBytes: maxDatabase}))
	goExtractor     = must(gobinary.New(&cpb.PluginConfig{}))
	npmExtractor    = must(packagejson.New(&cpb.PluginConfig{}))
	pythonExtractor = must(wheelegg.New(&cpb.PluginConfig{}))
	javaExtractor   = must(archive.New(&cpb.PluginConfig{PluginSpecific: []*cpb.PluginSpecificConfig{{
		Config: &cpb.PluginSpecificConfig_JavaArchive{JavaArchive: &cpb.JavaArchiveConfig{MaxZipDepth: 1, HashJars: new(bool)}},
	}}}))
)

func must(e filesystem.Extractor, err error) filesystem.Extractor {
	if err != nil {
		panic(err) // a constant configuration
	}
	return e
}

func init() { log.SetLogger(silence{}) }

// silence drops what extractors log: what matters comes back as an error.
type silence struct{}

func (silence) Errorf(string, ...any) {}
func (silence) Error(...any)          {}
func (silence) Warnf(string, ...any)  {}
func (silence) Warn(...any)           {}
func (silence) Infof(string, ...any)  {}
func (silence) Info(...any)           {}
func (silence) Debugf(string, ...any) {}
func (silence) Debug(...any)          {}

// extract runs an extractor on one file that is virtual to it.
func (a *analyser) extract(e filesystem.Extractor, f *image.File, r io.Reader) ([]found, error) {
	return a.run(e, &filesystem.ScanInput{FS: emptyFS{}, Path: f.Name, Info: info{f.Name, f.Size, f.Mode}, Reader: r})
}

// run runs an extractor and takes over what it found, also beside an error. A panic on
// hostile input is an error of that file.
func (a *analyser) run(e filesystem.Extractor, input *filesystem.ScanInput) (packages []found, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s failed on it: %v", e.Name(), p)
		}
	}()
	ctx, cancel := context.WithTimeout(a.ctx, extractTime)
	defer cancel()
	inventory, err := e.Extract(ctx, input)
	packages = make([]found, 0, len(inventory.Packages))
	for _, p := range inventory.Packages {
		if m, ok := p.Metadata.(*dpkgmeta.Metadata); ok && !unpacked(m.Status) {
			continue
		}
		f := convert(p)
		if details(&f, p) {
			packages = append(packages, f)
		}
	}
	return packages, err
}

// unpacked reports whether a deb's files are there, by the third word of its status: also
// while it waits for triggers or its configuration failed. Distroless images state none.
func unpacked(status string) bool {
	switch status[strings.LastIndexByte(status, ' ')+1:] {
	case "", "installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending":
		return true
	}
	return false // config-files, half-installed, not-installed
}

func convert(p *extractor.Package) found {
	f := found{Name: p.Name, Version: p.Version}
	switch m := p.Metadata.(type) {
	case *dpkgmeta.Metadata:
		f.Source, f.SourceVersion, f.Arch = m.SourceName, m.SourceVersion, m.Architecture
	case *apkmeta.Metadata:
		f.Source, f.Arch = m.OriginName, m.Architecture
	}
	return f
}

// emptyFS is the file system that extractors see: they look for os-release in it, but a
// layer's record must not depend on other layers, so the release is applied at the merge.
type emptyFS struct{}

func (emptyFS) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func (emptyFS) ReadDir(name string) ([]fs.DirEntry, error) {
	return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
}

func (emptyFS) Stat(name string) (fs.FileInfo, error) {
	return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
}

// info is the fs.FileInfo of a file that exists only in a stream.
type info struct {
	name string
	size int64
	mode fs.FileMode
}

func (i info) Name() string       { return path.Base(i.name) }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return false }
func (i info) Sys() any           { return nil }
