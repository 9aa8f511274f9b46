package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/triad-security/triad"
)

// Live reads an engine through its API, and the processes in its containers where
// o.Processes can. What fails makes its section unread; only an engine that does not answer
// at all is an error.
func Live(ctx context.Context, c *Client, o Options) (*triad.Report, error) {
	d, err := readLive(ctx, c, o)
	if err != nil {
		return nil, err
	}
	return d.report("", o)
}

func readLive(ctx context.Context, c *Client, o Options) (*dump, error) {
	if err := c.Negotiate(ctx); err != nil {
		return nil, err
	}
	d := &dump{source: c.base, host: o.Machine}
	d.section(sectionHost, triad.SectionComplete, "")
	var err error
	d.info, err = c.get(ctx, "/info", maxDocument)
	d.status(sectionInfo, err)
	d.containers, err = c.inspectAll(ctx, "/containers/json?all=1", "/containers/%s/json")
	d.status(sectionContainers, err)
	d.images, err = c.inspectAll(ctx, "/images/json", "/images/%s/json")
	d.status(sectionImages, err)
	d.networks, err = c.inspectAll(ctx, "/networks", "/networks/%s")
	d.status(sectionNetworks, err)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.readProcesses(ctx, o.Processes)
	if o.Record != "" {
		if err := d.record(o.Record); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *dump) status(section string, err error) {
	if err != nil {
		d.section(section, triad.SectionUnread, err.Error())
		return
	}
	d.section(section, triad.SectionComplete, "")
}

// inspectAll lists objects and inspects each. One that went away in between is left out.
func (c *Client) inspectAll(ctx context.Context, listPath, inspectPath string) ([]json.RawMessage, error) {
	data, err := c.get(ctx, listPath, maxFile)
	if err != nil {
		return nil, err
	}
	var listed []struct {
		ID string `json:"Id"`
	}
	if err := json.Unmarshal(data, &listed); err != nil {
		return nil, fmt.Errorf("the engine's answer to %s: %w", listPath, err)
	}
	if len(listed) > maxEntries {
		return nil, fmt.Errorf("the engine lists %d entries in %s, the bound is %d", len(listed), listPath, maxEntries)
	}
	docs := make([]json.RawMessage, 0, len(listed))
	var problem error
	for _, object := range listed {
		doc, err := c.get(ctx, fmt.Sprintf(inspectPath, url.PathEscape(object.ID)), maxDocument)
		switch {
		case errors.Is(err, errNotFound):
		case err != nil:
			problem = err
			if ctx.Err() != nil {
				return docs, problem
			}
		default:
			docs = append(docs, doc)
		}
	}
	return docs, problem
}

// readProcesses reads what runs in each running container.
func (d *dump) readProcesses(ctx context.Context, reader ProcessReader) {
	if reader == nil {
		d.section(sectionProcesses, triad.SectionAbsent, "the engine is on another machine; run the collector there to see the processes inside its containers")
		return
	}
	d.processes = map[string][]Process{}
	d.section(sectionProcesses, triad.SectionComplete, "")
	for _, doc := range d.containers {
		var c container
		if decode(doc, &c) != nil || !c.State.Running {
			continue
		}
		processes, err := reader.Container(ctx, c.ID, c.State.Pid)
		if err != nil {
			d.section(sectionProcesses, triad.SectionUnread, c.name()+": "+err.Error())
		}
		d.processes[c.ID] = processes
	}
}

// record writes what was read as a folder for Dir, secrets masked.
func (d *dump) record(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("recording the Docker engine: %w", err)
	}
	write := func(name string, v any) error {
		data, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), append(data, '\n'), 0o600)
	}
	clean := func(docs []json.RawMessage) []json.RawMessage {
		list := make([]json.RawMessage, 0, len(docs))
		for _, doc := range docs {
			if c, err := sanitize(doc); err == nil {
				list = append(list, c)
			}
		}
		return list
	}
	files := map[string]any{
		"docker-inspect.json": clean(d.containers), "docker-image-inspect.json": clean(d.images),
		"docker-network-inspect.json": clean(d.networks), "host.json": d.host,
	}
	if d.info != nil {
		files["docker-info.json"] = d.info
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := write(name, files[name]); err != nil {
			return fmt.Errorf("recording the Docker engine: %w", err)
		}
	}
	return nil
}
