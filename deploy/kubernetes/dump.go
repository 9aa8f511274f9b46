package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/triad-security/triad"
)

// Bounds of a folder and of one file in it.
const (
	maxFiles    = 20000
	maxFile     = 1 << 30
	maxFolders  = 4 // levels: kubectl cluster-info dump has one folder per namespace
	maxObjects  = 2_000_000
	maxObjectMB = 2 // one object as JSON; the API server refuses larger requests at 1.5 MiB
)

// object is one API object: its sanitized document and the parts that rows are made of.
type object struct {
	Kind, APIVersion, Namespace, Name string
	UID                               string
	Labels, Annotations               map[string]string
	Doc                               json.RawMessage
}

func (o *object) key() objectKey { return objectKey{o.Kind, o.Namespace, o.Name} }

type objectKey struct{ kind, namespace, name string }

// dump is what was read of a cluster, whether live or from a folder.
type dump struct {
	// source is the folder or the API server's address; base names the cluster when nothing else does.
	source, base string
	kubeadm      string // kubeadm's ClusterConfiguration, kept before ConfigMaps are emptied
	objects      map[objectKey]*object
	sections     map[string]triad.Section
	notes        []string
}

func newDump(source string) *dump {
	return &dump{source: source, objects: map[objectKey]*object{}, sections: map[string]triad.Section{}}
}

// read marks a section complete unless something of it was found unreadable before.
func (d *dump) read(section string) {
	if _, ok := d.sections[section]; !ok {
		d.sections[section] = triad.Section{Name: section, Status: triad.SectionComplete}
	}
}

func (d *dump) unread(section, reason string) {
	if s := d.sections[section]; s.Status == triad.SectionUnread {
		if strings.Contains(s.Reason, reason) {
			return
		}
		reason = s.Reason + "; " + reason
	}
	d.sections[section] = triad.Section{Name: section, Status: triad.SectionUnread, Reason: reason}
}

// add keeps one object, or refuses it with the reason.
func (d *dump) add(m map[string]any) error {
	meta, _ := m["metadata"].(map[string]any)
	o := &object{
		Kind: str(m["kind"]), APIVersion: str(m["apiVersion"]),
		Namespace: str(meta["namespace"]), Name: str(meta["name"]), UID: str(meta["uid"]),
	}
	if o.Kind == "" || o.Name == "" {
		return errors.New("an object without kind or metadata.name")
	}
	if len(d.objects) >= maxObjects {
		return fmt.Errorf("more than %d objects", maxObjects)
	}
	if o.Kind == "ConfigMap" && o.Namespace == "kube-system" && o.Name == "kubeadm-config" {
		data, _ := m["data"].(map[string]any)
		d.kubeadm = str(data["ClusterConfiguration"])
	}
	sanitize(o.Kind, m)
	o.Labels, o.Annotations = texts(meta["labels"]), texts(meta["annotations"])
	doc, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("%s %s/%s: %w", o.Kind, o.Namespace, o.Name, err)
	}
	if len(doc) > maxObjectMB<<20 {
		return fmt.Errorf("%s %s/%s is %d MiB, the bound is %d MiB", o.Kind, o.Namespace, o.Name, len(doc)>>20, maxObjectMB)
	}
	o.Doc = doc
	d.objects[o.key()] = o
	return nil
}

// texts keeps the strings of a map.
func texts(v any) map[string]string {
	raw, _ := v.(map[string]any)
	if len(raw) == 0 {
		return nil
	}
	m := make(map[string]string, len(raw))
	for k, v := range raw {
		m[k] = str(v)
	}
	return m
}

// of returns the objects of a kind, ordered by namespace and name.
func (d *dump) of(kindName string) []*object {
	var objects []*object
	for k, o := range d.objects {
		if k.kind == kindName {
			objects = append(objects, o)
		}
	}
	sort.Slice(objects, func(i, j int) bool {
		a, b := objects[i], objects[j]
		if a.Namespace != b.Namespace {
			return a.Namespace < b.Namespace
		}
		return a.Name < b.Name
	})
	return objects
}

// Dir reads a folder of kubectl output: one file per kind as `kubectl get KIND -A -o yaml`
// writes it (YAML or JSON, Lists or single objects), or a `kubectl cluster-info dump`.
func Dir(ctx context.Context, dir string, o Options) (*triad.Report, error) {
	d, err := readDir(ctx, dir)
	if err != nil {
		return nil, err
	}
	return d.report(o), nil
}

func readDir(ctx context.Context, dir string) (*dump, error) {
	files, err := dumpFiles(dir)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, triad.Errorf(triad.CodeInvalid, "%s holds no .yaml, .yml or .json file: write one per kind with kubectl get KIND -A -o yaml", dir)
	}
	d := newDump(dir)
	d.base = folderName(dir)
	for _, path := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d.readFile(dir, path)
	}
	for _, k := range kinds {
		if _, ok := d.sections[k.Plural]; ok {
			continue
		}
		reason := fmt.Sprintf("no %s.yaml or other file with a %s in %s", k.Plural, k.Kind, filepath.Base(dir))
		switch {
		case k.core, k.family != "" && d.hasFamily(k.family):
			d.unread(k.Plural, reason)
		default:
			d.sections[k.Plural] = triad.Section{Name: k.Plural, Status: triad.SectionAbsent, Reason: reason}
		}
	}
	return d, nil
}

// hasFamily reports whether a kind of the family was in the dump.
func (d *dump) hasFamily(family string) bool {
	for _, k := range kinds {
		if s, ok := d.sections[k.Plural]; ok && k.family == family && s.Status == triad.SectionComplete {
			return true
		}
	}
	return false
}

func dumpFiles(dir string) ([]string, error) {
	var files []string
	root := filepath.Clean(dir)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			if path == root {
				return fmt.Errorf("reading the Kubernetes dump: %w", err)
			}
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if e.IsDir() {
			if strings.Count(rel, string(filepath.Separator)) >= maxFolders || (rel != "." && strings.HasPrefix(e.Name(), ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		switch strings.ToLower(filepath.Ext(path)) {
		case ".yaml", ".yml", ".json":
			if files = append(files, path); len(files) > maxFiles {
				return fmt.Errorf("%s holds more than %d files", dir, maxFiles)
			}
		}
		return nil
	})
	return files, err
}

// readFile adds a file's objects. What cannot be read makes its sections unread.
func (d *dump) readFile(dir, path string) {
	name, _ := filepath.Rel(dir, path)
	base := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	named, isNamed := kindOfFile(base)
	seen := map[string]bool{}
	err := eachFile(path, func(list header, m map[string]any) error {
		if m == nil { // an empty List
			section := ""
			if k, ok := kindNamed(list.item()); ok {
				section = k.Plural
			} else if isNamed {
				section = named.Plural
			}
			if section != "" {
				seen[section] = true
				d.page(list, section, name)
			}
			return nil
		}
		if str(m["kind"]) == "" && list.item() != "" {
			m["kind"], m["apiVersion"] = list.item(), list.APIVersion
		}
		section := plural(str(m["kind"]))
		seen[section] = true
		d.page(list, section, name)
		if err := d.add(m); err != nil {
			d.unread(section, name+": "+err.Error())
		}
		return nil
	})
	if isNamed {
		seen[named.Plural] = true
	}
	for section := range seen {
		if err != nil {
			d.unread(section, name+": "+err.Error())
		}
		d.read(section)
	}
	if err != nil && len(seen) == 0 {
		d.notes = append(d.notes, fmt.Sprintf("%s was not read: %v", name, err))
	}
}

// page marks a section unread when its list goes on elsewhere.
func (d *dump) page(list header, section, file string) {
	if list.Continue != "" {
		d.unread(section, file+" is one page of several (metadata.continue is set)")
	}
}

func eachFile(path string, fn func(header, map[string]any) error) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	if info.Size() > maxFile {
		return fmt.Errorf("%d MiB, the bound is %d MiB", info.Size()>>20, maxFile>>20)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	// YAML's flow style begins like JSON, so the extension decides, or whether it is JSON.
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && trimmed[0] == '{' &&
		(strings.EqualFold(filepath.Ext(path), ".json") || json.Valid(trimmed)) {
		return eachJSON(bytes.NewReader(data), fn)
	}
	return eachYAML(data, fn)
}

// folderName is the name that a dump's folder gives its cluster: its own, or its parent's
// where its own says only what is in it.
func folderName(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	for range 3 {
		base := filepath.Base(abs)
		switch strings.ToLower(base) {
		case "kubernetes", "k8s", "kube", "cluster", "dump", "cluster-info", "manifests", "yaml", "json", "output":
			abs = filepath.Dir(abs)
			continue
		case "/", ".":
			return ""
		}
		return base
	}
	return ""
}
