package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/policy/registry"
	"github.com/triad-security/triad/reach"
)

// RunningImage is an image that containers or functions run now.
type RunningImage struct {
	Reference string `json:"reference"` // as the first of them was started
	Digest    string `json:"digest,omitempty"`
	// Scanned: its packages are in the estate, so that what it lacks is known.
	Scanned bool `json:"scanned"`
	// IDs are all that the image is known by: digests, and references as imageref:….
	IDs []string `json:"ids"`
	// Assets are those that decisions are made on, by ID: the workload at the top, else the
	// pod, container or function itself, and those below it.
	Assets []string `json:"assets"`
}

// maxRunning bounds the images and the assets of one answer.
const maxRunning = 1000

type imagesInput struct {
	Repository string `query:"repository" required:"true" minLength:"1" maxLength:"500" doc:"registry and path, without tag or digest: docker.io/library/nginx"`
}

type imagesOutput struct {
	Body struct {
		Images []RunningImage `json:"images"`
	}
}

func (s *Service) images(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "list-running-images", Method: http.MethodGet, Path: "/api/v1/images/running", Summary: "The images of a repository that run now",
		Description: "Lists the images of one repository that containers and functions run, with the assets that decisions are made on.",
		Middlewares: s.guard(api, actionRead),
	}, func(ctx context.Context, in *imagesInput) (*imagesOutput, error) {
		out := &imagesOutput{}
		var failed error
		err := s.Estate(tokenOf(ctx).Tenant, func(v reach.View) { out.Body.Images, failed = Running(ctx, v, in.Repository) })
		if err == nil {
			err = failed
		}
		if err != nil {
			return nil, s.fail("listing what runs", err)
		}
		return out, nil
	})
}

// Running lists the images of a repository that run in an estate.
func Running(ctx context.Context, v reach.View, repository string) ([]RunningImage, error) {
	if _, err := registry.Repository(repository); err != nil {
		return nil, triad.Errorf(triad.CodeInvalid, "repository: %w", err)
	}
	images := []RunningImage{}
	index := map[string]int{}
	add := func(id, reference, digest string) {
		if of, err := registry.Repository(reference); err != nil || of != repository {
			return
		}
		key := digest
		if key == "" {
			key = "imageref:" + reference
		}
		i, seen := index[key]
		if !seen {
			if len(images) == maxRunning {
				return
			}
			i = len(images)
			index[key] = i
			ids, scanned := imageIDs(v, key)
			images = append(images, RunningImage{Reference: reference, Digest: digest, Scanned: scanned, IDs: ids, Assets: []string{}})
		}
		for _, asset := range deciding(v, id) {
			if !slices.Contains(images[i].Assets, asset) && len(images[i].Assets) < maxRunning {
				images[i].Assets = append(images[i].Assets, asset)
			}
		}
	}
	for _, t := range []triad.AssetType{triad.TypeContainer, triad.TypeWorkload, triad.TypeFunction} {
		for _, row := range v.Rows(reach.TypeKey(t)) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			var p struct { // of a container or a function
				ImageRef string `json:"image_ref"`
				Digest   string `json:"digest"`
			}
			if row.Asset == nil || len(row.Asset.Props) == 0 || json.Unmarshal(row.Asset.Props, &p) != nil || p.ImageRef == "" {
				continue
			}
			digest := p.Digest
			for _, r := range v.Rows(reach.RelationsFrom(row.Asset.ID, triad.RelRuns)) {
				digest = r.Relation.To
			}
			add(row.Asset.ID, p.ImageRef, digest)
		}
	}
	return images, nil
}

// imageIDs are an ID and all aliases that rows join it with; scanned says whether one of the
// rows is of a scan.
func imageIDs(v reach.View, id string) (ids []string, scanned bool) {
	ids = []string{id}
	for i := 0; i < len(ids) && len(ids) < maxRunning; i++ {
		for _, row := range v.Rows(ids[i]) {
			if row.Asset == nil || row.Asset.Type != triad.TypeImage {
				continue
			}
			scanned = scanned || row.Asset.Section == "packages"
			for _, alias := range append([]string{row.Asset.ID}, row.Asset.Aliases...) {
				if !slices.Contains(ids, alias) {
					ids = append(ids, alias)
				}
			}
		}
	}
	return ids, scanned
}

// deciding are the assets on which decisions about a container's image may be made: itself,
// its pod, and whoever owns that.
func deciding(v reach.View, id string) []string {
	ids := []string{id}
	for i := 0; i < len(ids) && len(ids) < 20; i++ {
		var next []string
		if i == 0 {
			for _, r := range v.Rows(reach.RelationsTo(ids[i], triad.RelContains)) {
				next = append(next, r.Relation.From)
			}
		}
		for _, r := range v.Rows(reach.RelationsFrom(ids[i], triad.RelOwnedBy)) {
			next = append(next, r.Relation.To)
		}
		for _, n := range next {
			if !slices.Contains(ids, n) {
				ids = append(ids, n)
			}
		}
	}
	return ids
}
