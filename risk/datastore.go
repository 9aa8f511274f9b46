package risk

import (
	"cmp"
	"slices"
	"strings"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/reach"
)

// DataStore is a data store, how exposed its endpoint is, and who can use it.
type DataStore struct {
	triad.AssetRef
	Classification string
	// Public: everybody on the internet may use it by policy.
	Public bool
	reach.Result
	ReachedBy []triad.AssetRef
	// Via says how, by the ID of who: identities, actions, the network.
	Via map[string][]string
}

// DataStores lists the data stores of the estate, most sensitive first. It is computed on
// each call.
func (e *Engine) DataStores() []DataStore {
	e.mu.Lock()
	defer e.mu.Unlock()
	by := map[string]*DataStore{}
	var order []string
	for _, r := range e.estate.Rows(reach.TypeKey(triad.TypeDataStore)) {
		a := r.Asset
		if by[a.ID] != nil {
			continue
		}
		p := props[triad.DataStoreProps](a)
		name := lastSegment(cmp.Or(a.Name, a.ID))
		d := &DataStore{
			AssetRef:       triad.AssetRef{ID: a.ID, Type: a.Type, Kind: a.Kind, Name: name},
			Classification: p.Classification, Public: p.Public, Via: map[string][]string{},
		}
		known := dataStore{ID: a.ID, Name: name, Label: storeLabel(p.Engine, name), Public: p.Public, PublicUnknown: p.PublicUnknown}
		if p.Port > 0 {
			d.Result = e.options.Ways.dataStore(e.estate, a.ID)
		} else {
			d.Result = publicStore(known).Result
		}
		by[a.ID] = d
		order = append(order, a.ID)
	}
	for _, st := range e.states {
		for _, s := range st.Impact.Stores {
			if d := by[s.ID]; d != nil {
				d.ReachedBy = append(d.ReachedBy, st.Subject.Ref)
				d.Via[st.Subject.Ref.ID] = s.Via
			}
		}
	}
	list := make([]DataStore, 0, len(order))
	for _, id := range order {
		slices.SortFunc(by[id].ReachedBy, func(a, b triad.AssetRef) int { return strings.Compare(a.Name, b.Name) })
		list = append(list, *by[id])
	}
	slices.SortStableFunc(list, func(a, b DataStore) int {
		return cmp.Or(sensitivity(a.Classification)-sensitivity(b.Classification), strings.Compare(a.Name, b.Name))
	})
	return list
}

func sensitivity(classification string) int {
	if strings.EqualFold(classification, "restricted") {
		return 0
	}
	return 1
}
