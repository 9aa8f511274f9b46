package api

import (
	"testing"

	"github.com/triad-security/triad"
)

func TestDraw(t *testing.T) {
	hop := func(kind, id string) triad.Hop { return triad.Hop{Type: kind, ID: id} }
	stop := hop("security-group", "sg-1")
	stop.Reason = "no rule for tcp 8080"
	tests := []struct {
		name   string
		d      triad.Decision
		states []string
	}{
		{"a way that is open all through", triad.Decision{Exposure: triad.ExposureOpen, Proof: []triad.Hop{hop("internet", ""), hop("pod", "a/b")}}, []string{"open", "open"}},
		{"a way that is stopped shows what lies beyond", triad.Decision{Exposure: triad.ExposureSmall, Proof: []triad.Hop{hop("internet", ""), hop("route", "rtb-1")}, BlockedBy: &stop}, []string{"open", "open", "blocks", "beyond"}},
		{"the stop is drawn once when the proof names it too", triad.Decision{Exposure: triad.ExposureSmall, Proof: []triad.Hop{hop("internet", ""), hop("security-group", "sg-1")}, BlockedBy: &stop}, []string{"open", "blocks", "beyond"}},
		{"what is unknown is neither open nor shut", triad.Decision{Exposure: triad.ExposureUnknown, BlockedBy: &stop}, []string{"open", "unknown", "beyond"}},
		{"nothing known is an empty drawing", triad.Decision{}, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Draw(tt.d)
			if len(got.Nodes) != len(tt.states) || len(got.Edges) != max(0, len(tt.states)-1) {
				t.Fatalf("got %d nodes and %d edges: %+v", len(got.Nodes), len(got.Edges), got)
			}
			for i, n := range got.Nodes {
				if n.State != tt.states[i] {
					t.Errorf("node %d is %s, want %s", i, n.State, tt.states[i])
				}
				if n.X <= 0 || n.Y <= 0 || n.X >= got.Width+nodeWidth || n.Y >= got.Height {
					t.Errorf("node %d lies at %d,%d outside %dx%d", i, n.X, n.Y, got.Width, got.Height)
				}
			}
		})
	}
}

func TestDrawPlacesEachHopBesideTheNext(t *testing.T) {
	var d triad.Decision
	for range 17 {
		d.Proof = append(d.Proof, triad.Hop{Type: "internet"})
	}
	nodes := Draw(d).Nodes
	for i := 1; i < len(nodes); i++ {
		dx, dy := nodes[i].X-nodes[i-1].X, nodes[i].Y-nodes[i-1].Y
		if dx*dx+dy*dy > nodeWidth*nodeWidth {
			t.Errorf("hops %d and %d are %d,%d apart", i-1, i, dx, dy)
		}
	}
}
