package image

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/moby/moby/client"

	"github.com/triad-security/triad"
)

// Daemon is a Docker engine: the local one, or the one of DOCKER_HOST.
type Daemon struct{ api *client.Client }

// DaemonImage is what the engine says of an image before its content is asked for.
type DaemonImage struct {
	// ID is the config digest, or the manifest's or index's on engines that keep images in
	// containerd.
	ID          string
	Tags        []string
	RepoDigests []string
	DiffIDs     []string
}

// NewDaemon connects as the docker command does.
func NewDaemon(ctx context.Context) (*Daemon, error) {
	api, err := client.New(client.FromEnv)
	if err != nil {
		return nil, fmt.Errorf("connecting to Docker: %w", err)
	}
	if _, err := api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		_ = api.Close()
		return nil, triad.Errorf(triad.CodeUnavailable, "connecting to Docker: %w; start the engine or set DOCKER_HOST", err)
	}
	return &Daemon{api}, nil
}

// Close ends the connection.
func (d *Daemon) Close() error { return d.api.Close() }

// Inspect returns what the engine knows of an image.
func (d *Daemon) Inspect(ctx context.Context, ref string) (DaemonImage, error) {
	got, err := d.api.ImageInspect(ctx, ref)
	if err != nil {
		return DaemonImage{}, fmt.Errorf("asking Docker for image %s: %w", ref, err)
	}
	img := DaemonImage{ID: got.ID, Tags: got.RepoTags, DiffIDs: got.RootFS.Layers}
	for _, d := range got.RepoDigests {
		if _, digest, ok := strings.Cut(d, "@"); ok {
			img.RepoDigests = append(img.RepoDigests, digest)
		}
	}
	return img, nil
}

// Save streams the image as docker save would.
func (d *Daemon) Save(ctx context.Context, ref string) (io.ReadCloser, error) {
	r, err := d.api.ImageSave(ctx, []string{ref})
	if err != nil {
		return nil, fmt.Errorf("reading image %s from Docker: %w", ref, err)
	}
	return r, nil
}

// Metadata is an image without its content, as the cache keeps it to know a daemon's image
// again.
type Metadata struct {
	Config         json.RawMessage `json:"config"`
	ManifestDigest string          `json:"manifest_digest,omitempty"`
	IndexDigest    string          `json:"index_digest,omitempty"`
}

// Metadata returns the image without its content.
func (i *Image) Metadata() Metadata {
	return Metadata{Config: i.rawConfig, ManifestDigest: i.ManifestDigest, IndexDigest: i.IndexDigest}
}

// Image returns an image whose layers cannot be opened.
func (m Metadata) Image() (*Image, error) {
	var config struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(m.Config, &config); err != nil {
		return nil, err
	}
	img, err := newImage(m.Config, make([]Layerer, len(config.RootFS.DiffIDs)))
	if err == nil {
		img.ManifestDigest, img.IndexDigest = m.ManifestDigest, m.IndexDigest
	}
	return img, err
}
