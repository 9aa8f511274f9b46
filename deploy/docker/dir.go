package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/triad-security/triad"
)

// Bounds of what an engine, or a file that says it comes from one, may hold.
const (
	maxFile     = 512 << 20
	maxDocument = 4 << 20 // one container or image
	maxEntries  = 100_000
)

// Sections of a report, named by the command that prints the same.
const (
	sectionContainers = "docker-inspect"
	sectionImages     = "docker-image-inspect"
	sectionInfo       = "docker-info"
	sectionHost       = "host"
	sectionProcesses  = "docker-processes"
	sectionNetworks   = "docker-network-inspect"
)

// dump is what was read of an engine, live or from a folder.
type dump struct {
	source                       string
	containers, images, networks []json.RawMessage
	info                         json.RawMessage
	host                         Machine
	processes                    map[string][]Process // by container ID; nil when nobody looked
	sections                     []triad.Section
	notes                        []string
}

func (d *dump) section(name string, status triad.SectionStatus, reason string) {
	for i := range d.sections {
		if s := &d.sections[i]; s.Name == name {
			if status == triad.SectionUnread && s.Status != status {
				*s = triad.Section{Name: name, Status: status, Reason: reason}
			}
			return
		}
	}
	d.sections = append(d.sections, triad.Section{Name: name, Status: status, Reason: reason})
}

// Dir reads a folder that holds docker-inspect.json (docker inspect of all containers),
// docker-image-inspect.json, docker-info.json, docker-network-inspect.json and host.json
// (instanceId, account and region of the cloud machine). Only the first must be there.
func Dir(ctx context.Context, dir string, o Options) (*triad.Report, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("reading the Docker dump: %w", err)
	}
	d := &dump{source: dir}
	any := false
	for _, file := range []struct {
		name, section string
		core          bool
		into          func([]byte) error
	}{
		{"docker-inspect.json", sectionContainers, true, func(b []byte) (err error) { d.containers, err = list(b); return err }},
		{"docker-image-inspect.json", sectionImages, true, func(b []byte) (err error) { d.images, err = list(b); return err }},
		{"docker-info.json", sectionInfo, true, func(b []byte) error { d.info = b; return decode(b, &struct{}{}) }},
		{"docker-network-inspect.json", sectionNetworks, false, func(b []byte) (err error) { d.networks, err = list(b); return err }},
		{"host.json", sectionHost, false, func(b []byte) error { return decode(b, &d.host) }},
	} {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		data, err := readFile(filepath.Join(dir, file.name))
		switch {
		case errors.Is(err, fs.ErrNotExist) && file.core:
			d.section(file.section, triad.SectionUnread, "no "+file.name+" in "+filepath.Base(dir))
			continue
		case errors.Is(err, fs.ErrNotExist):
			d.section(file.section, triad.SectionAbsent, "no "+file.name+" in "+filepath.Base(dir))
			continue
		case err == nil:
			err = file.into(data)
		}
		any = true
		if err != nil {
			d.section(file.section, triad.SectionUnread, file.name+": "+err.Error())
			continue
		}
		d.section(file.section, triad.SectionComplete, "")
	}
	if !any {
		return nil, triad.Errorf(triad.CodeInvalid, "%s holds none of docker-inspect.json, docker-image-inspect.json, docker-info.json: write them with docker inspect $(docker ps -aq)", dir)
	}
	d.section(sectionProcesses, triad.SectionAbsent, "a folder does not hold what runs inside the containers")
	return d.report(filepath.Base(filepath.Clean(dir)), o)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("larger than %d MiB", maxFile>>20)
	}
	return data, err
}

// list splits the array that inspect commands print, or several of them one after another.
func list(data []byte) ([]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	var all []json.RawMessage
	for {
		var part []json.RawMessage
		if err := dec.Decode(&part); err != nil {
			if errors.Is(err, io.EOF) {
				return all, nil
			}
			return all, err
		}
		if all = append(all, part...); len(all) > maxEntries {
			return all[:maxEntries], fmt.Errorf("more than %d entries", maxEntries)
		}
	}
}

// decode unmarshals one document within its bound.
func decode(data []byte, v any) error {
	if len(data) > maxDocument {
		return fmt.Errorf("%d MiB, the bound is %d MiB", len(data)>>20, maxDocument>>20)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return dec.Decode(v)
}
