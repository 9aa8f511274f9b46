package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/policy/registry"
	"github.com/triad-security/triad/reach"
)

// RepositoryInUse is one repository that something in the estate runs from, or that an
// account holds.
type RepositoryInUse struct {
	Repository string `json:"repository"` // registry and path: docker.io/library/nginx
	Images     int    `json:"images"`     // distinct references or digests
	// UsedBy names assets that run from it, a few; Uses counts all.
	UsedBy []string `json:"used_by"`
	Uses   int      `json:"uses"`
	// Held: an account's registry service lists it (ECR), whether or not anything runs from it.
	Held bool `json:"held,omitempty"`
}

const (
	maxUsers        = 5
	maxRepositories = 100_000
)

type registriesOutput struct {
	Body struct {
		Repositories []RepositoryInUse `json:"repositories"`
	}
}

func (s *Service) registries(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "list-registries", Method: http.MethodGet, Path: "/api/v1/registries", Summary: "The registries and repositories in use",
		Description: "Lists the repositories that containers and functions run from, and those that accounts hold.",
		Middlewares: s.guard(api, actionRead),
	}, func(ctx context.Context, _ *struct{}) (*registriesOutput, error) {
		out := &registriesOutput{}
		err := s.Estate(tokenOf(ctx).Tenant, func(v reach.View) { out.Body.Repositories = Registries(v) })
		if err != nil {
			return nil, s.fail("listing registries", err)
		}
		return out, nil
	})
}

// Registries lists the repositories in use in an estate, by name.
func Registries(v reach.View) []RepositoryInUse {
	found := map[string]*RepositoryInUse{}
	images := map[string]map[string]bool{}
	of := func(repository string) *RepositoryInUse {
		r := found[repository]
		if r == nil && len(found) < maxRepositories {
			r = &RepositoryInUse{Repository: repository, UsedBy: []string{}}
			found[repository], images[repository] = r, map[string]bool{}
		}
		return r
	}
	for _, t := range []triad.AssetType{triad.TypeContainer, triad.TypeWorkload, triad.TypeFunction} {
		for _, row := range v.Rows(reach.TypeKey(t)) {
			var p struct { // of a container or a function
				ImageRef string `json:"image_ref"`
				Digest   string `json:"digest"`
			}
			if row.Asset == nil || len(row.Asset.Props) == 0 || json.Unmarshal(row.Asset.Props, &p) != nil || p.ImageRef == "" || strings.HasPrefix(p.ImageRef, "sha256:") {
				continue
			}
			repository, err := registry.Repository(p.ImageRef)
			if err != nil {
				continue // what runs from it is reported by the collector
			}
			r := of(repository)
			if r == nil {
				continue
			}
			if r.Uses++; len(r.UsedBy) < maxUsers && row.Asset.Name != "" && !slices.Contains(r.UsedBy, row.Asset.Name) {
				r.UsedBy = append(r.UsedBy, row.Asset.Name)
			}
			if p.Digest == "" {
				p.Digest = p.ImageRef
			}
			images[repository][p.Digest] = true
		}
	}
	for _, row := range v.Rows(reach.TypeKey(triad.TypeRepository)) {
		var d struct { // of ECR
			URI string `json:"repositoryUri"`
		}
		if row.Asset == nil || json.Unmarshal(row.Asset.Doc, &d) != nil || d.URI == "" {
			continue
		}
		if repository, err := registry.Repository(d.URI); err == nil {
			if r := of(repository); r != nil {
				r.Held = true
			}
		}
	}
	list := make([]RepositoryInUse, 0, len(found))
	for name, r := range found {
		r.Images = len(images[name])
		list = append(list, *r)
	}
	slices.SortFunc(list, func(a, b RepositoryInUse) int { return strings.Compare(a.Repository, b.Repository) })
	return list
}
