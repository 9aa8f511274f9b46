package scan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/image"
)

// MachineOptions bound a scan of a running machine.
type MachineOptions struct {
	// Time after which the rest is left unread; zero is no bound.
	Time time.Duration
	// Skip says why a folder is not looked into; empty means it is. Paths begin with "/".
	Skip func(path string) string
}

// Group is a part of a machine's packages that was read whole or not, by itself, so that a
// file that cannot be read under /home leaves the distribution's packages certain.
type Group struct {
	// Name is "packages" for the distribution's, else "packages /opt" and the like. All
	// groups are always there.
	Name     string
	Packages []triad.Package
	Unread   []string
}

// Machine is what a scan of a running machine found.
type Machine struct {
	Groups []Group
	Notes  []string // what was left out on purpose
}

// machineFolders are walked in this order, what a distribution and its administrator install
// before what people keep; the last group is everything else.
var machineFolders = []string{"usr", "opt", "srv", "var", "root", "home", ""}

// databases of distributions and what names them; they are small and come first.
var databases = []string{
	"etc/os-release", "usr/lib/os-release", "var/lib/dpkg", "lib/apk/db", "usr/lib/apk/db", "var/lib/apk/db",
	"var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm",
}

// Machine scans the file system of a running machine below root, which is "/" but for tests.
func (s *Scanner) Machine(ctx context.Context, root string, o MachineOptions) (*Machine, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	at, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("scanning the machine: %w", err)
	}
	defer func() { _ = at.Close() }()
	bounded, cancel := ctx, context.CancelFunc(func() {})
	if o.Time > 0 {
		bounded, cancel = context.WithTimeout(ctx, o.Time)
	}
	defer cancel()
	found := &Machine{}
	d := &dir{
		analyser: analyser{ctx: bounded, spool: s.Cache.Spool(), limits: s.Options.Limits},
		root:     at, left: s.Options.Limits.MaxEntries, done: map[string]bool{},
		layer: image.NewLayer(),
		skip: func(name string) bool {
			if o.Skip == nil {
				return false
			}
			why := o.Skip("/" + name)
			if why != "" && why != SkipSilently {
				found.Notes = append(found.Notes, "/"+name+": "+why)
			}
			return why != ""
		},
	}
	if d.left <= 0 {
		d.left = image.DefaultMaxEntries
	}
	d.rec.layer = d.layer
	walk := func(group string, names ...string) error {
		for _, name := range names {
			err := d.start(name)
			if err == nil {
				continue
			}
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case bounded.Err() != nil:
				d.unread("not all of it was looked at within %s", o.Time)
			default:
				d.unread("%v", err)
			}
			break
		}
		g := Group{Name: group}
		for _, u := range d.rec.Unread {
			g.Unread = append(g.Unread, u.Reason)
		}
		if d.more > 0 {
			g.Unread = append(g.Unread, fmt.Sprintf("and %d more files", d.more))
		}
		d.rec.Unread, d.more = nil, 0
		found.Groups = append(found.Groups, g)
		return nil
	}
	if err := walk(sectionPackages, databases...); err != nil {
		return nil, err
	}
	for _, folder := range machineFolders {
		d.lean = folder == "root" || folder == "home" || folder == ""
		if err := walk(sectionPackages+" /"+folder, path.Clean(folder)); err != nil {
			return nil, err
		}
	}
	found.merge(d)
	return found, nil
}

// SkipSilently is a reason to skip a folder that nobody needs to be told.
const SkipSilently = "-"

// start walks one file or folder that may not be there.
func (d *dir) start(name string) error {
	info, err := d.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		d.unread("%v", err)
		return nil
	case name == ".":
		return d.walk(name, 0)
	}
	for parent := path.Dir(name); parent != "."; parent = path.Dir(parent) {
		if _, ok := d.layer.Entry(parent); !ok {
			d.layer.Put(parent, image.Entry{Type: image.Dir})
		}
	}
	if err := d.entry(name, dirEntry{info}, strings.Count(name, "/")); err != nil {
		return err
	}
	d.done[name] = info.IsDir()
	return nil
}

// merge sorts the packages into their groups.
func (m *Machine) merge(d *dir) {
	// The lowest layer is one that nobody read: a package's files may be in it.
	all := merge([]*record{nil, &d.rec}, "/")
	for _, u := range all.Unread {
		m.Notes = append(m.Notes, u.Reason)
	}
	for _, p := range all.Packages {
		i := slices.IndexFunc(m.Groups, func(g Group) bool { return g.Name == groupOf(p.Package) })
		m.Groups[i].Packages = append(m.Groups[i].Packages, p.Package)
	}
}

// ofSystem says whether the distribution may own a file outside /usr, /opt, /srv and /var.
func ofSystem(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	return slices.Contains([]string{"bin", "boot", "etc", "lib", "lib32", "lib64", "libx32", "sbin"}, top)
}

// notPrograms are endings of files that nobody gives to a program; they are not even asked
// for their size, for most files of a machine have one of them.
var notPrograms = func() map[string]bool {
	m := map[string]bool{}
	for _, e := range strings.Fields(`go c h cc cpp hpp hh s rs py pyc pyi pl pm rb js mjs cjs ts tsx jsx map java php lua
		json yaml yml toml xml html htm css scss md rst txt csv sql tmpl golden svg png gif jpg jpeg ico ttf woff woff2 pdf
		gz xz bz2 zst mo po o a d log conf`) {
		m["."+e] = true
	}
	return m
}()

// noProgram says whether a file is nothing that packages are read of, by its name alone.
func noProgram(name string) bool {
	if !notPrograms[path.Ext(name)] {
		return false
	}
	k, _ := classify(name)
	return k == ""
}

func groupOf(p triad.Package) string {
	for _, kind := range []string{"pkg:deb/", "pkg:apk/", "pkg:rpm/"} {
		if strings.HasPrefix(p.PURL, kind) {
			return sectionPackages
		}
	}
	top, _, _ := strings.Cut(strings.TrimPrefix(p.Path, "/"), "/")
	if top == "" || !slices.Contains(machineFolders, top) {
		top = ""
	}
	return sectionPackages + " /" + top
}

// dirEntry is a file's information as a folder's entry.
type dirEntry struct{ os.FileInfo }

// Type returns the file's type.
func (e dirEntry) Type() os.FileMode { return e.Mode().Type() }

// Info returns the file's information.
func (e dirEntry) Info() (os.FileInfo, error) { return e.FileInfo, nil }
