package kubernetes

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/triad-security/triad"
)

// record writes what was read as a folder for Dir, one file for each section, secrets masked.
// A section that was read in part says so as kubectl does: by a continue token.
func (d *dump) record(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("recording the cluster: %w", err)
	}
	byKind := map[string][]*object{}
	for _, k := range kinds {
		byKind[k.Plural] = d.of(k.Kind)
	}
	for section, s := range d.sections {
		objects := byKind[section]
		if s.Status != triad.SectionComplete && len(objects) == 0 {
			continue
		}
		path := filepath.Join(dir, section+".yaml")
		if err := recordList(path, objects, s.Status == triad.SectionComplete); err != nil {
			return fmt.Errorf("recording the cluster: %w", err)
		}
	}
	return nil
}

func recordList(path string, objects []*object, complete bool) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	w := bufio.NewWriter(f)
	next := ""
	if !complete {
		next = "incomplete"
	}
	if len(objects) == 0 {
		fmt.Fprintf(w, "apiVersion: v1\nitems: []\nkind: List\nmetadata:\n  continue: %q\n", next)
		return w.Flush()
	}
	fmt.Fprint(w, "apiVersion: v1\nitems:\n")
	for _, o := range objects {
		text, err := yaml.JSONToYAML(o.Doc)
		if err != nil {
			return err
		}
		indent := "- "
		for line := range strings.Lines(string(text)) {
			if line != "\n" {
				fmt.Fprint(w, indent)
			}
			fmt.Fprint(w, line)
			indent = "  "
		}
	}
	fmt.Fprintf(w, "kind: List\nmetadata:\n  continue: %q\n", next)
	return w.Flush()
}
