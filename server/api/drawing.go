package api

import (
	"fmt"
	"strings"

	"github.com/triad-security/triad"
)

// Drawing is a proof laid out for the eye: left to right, row after row, from the internet
// to the process or to the hop that stops it. Units are pixels of an unscaled picture.
type Drawing struct {
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Nodes  []Node `json:"nodes"`
	Edges  []Edge `json:"edges"`
}

// Node is one hop of a drawing.
type Node struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Label  string `json:"label"`
	Detail string `json:"detail" doc:"the rule or fact that lets through or blocks"`
	Source string `json:"source" doc:"where that was read"`
	State  string `json:"state" enum:"open,blocks,unknown,beyond"`
	X      int    `json:"x"`
	Y      int    `json:"y"`
}

// Edge joins two nodes; open is false from the blocking hop on.
type Edge struct {
	From string `json:"from"`
	To   string `json:"to"`
	Open bool   `json:"open"`
}

const (
	nodeWidth, nodeHeight = 190, 96
	columns               = 5
)

// Draw lays out a decision's proof. Rows run back and forth, so that each hop stands beside
// the next one.
func Draw(d triad.Decision) Drawing {
	type step struct {
		hop   triad.Hop
		state string
	}
	steps := make([]step, 0, len(d.Proof)+2)
	for _, h := range d.Proof {
		steps = append(steps, step{h, "open"})
	}
	if d.BlockedBy != nil {
		state := "blocks"
		if d.Exposure == triad.ExposureUnknown {
			state = "unknown"
		}
		if n := len(steps); n > 0 && steps[n-1].hop.Type == d.BlockedBy.Type && steps[n-1].hop.ID == d.BlockedBy.ID {
			steps = steps[:n-1]
		}
		steps = append(steps, step{*d.BlockedBy, state})
		steps = append(steps, step{triad.Hop{Type: d.Asset.Kind, ID: d.Asset.Name[strings.LastIndexByte(d.Asset.Name, '/')+1:]}, "beyond"})
	}
	if len(steps) > 0 && steps[0].hop.Type != "internet" {
		steps = append([]step{{triad.Hop{Type: "internet"}, "open"}}, steps...)
	}
	var out Drawing
	out.Nodes, out.Edges = []Node{}, []Edge{}
	for i, s := range steps {
		row, column := i/columns, i%columns
		if row%2 == 1 {
			column = columns - 1 - column
		}
		n := Node{
			ID: fmt.Sprintf("%d", i), Type: s.hop.Type, Label: label(s.hop), State: s.state,
			X: column*nodeWidth + nodeWidth/2, Y: row*nodeHeight + nodeHeight/2,
		}
		if e := s.hop.Evidence; e != nil {
			n.Detail, n.Source = e.Detail, strings.TrimSpace(e.Scope+" "+e.Source)
		}
		if s.hop.Reason != "" {
			n.Detail = s.hop.Reason
		}
		out.Nodes = append(out.Nodes, n)
		if i > 0 {
			open := s.state == "open" || s.state == "blocks"
			out.Edges = append(out.Edges, Edge{From: fmt.Sprintf("%d", i-1), To: n.ID, Open: open})
		}
		out.Width, out.Height = max(out.Width, (column+1)*nodeWidth), (row+1)*nodeHeight
	}
	return out
}

// label shortens an id to what tells it apart: the end of an ARN, all of anything short.
func label(h triad.Hop) string {
	id := h.ID
	if strings.HasPrefix(id, "arn:") {
		if parts := strings.Split(id, "/"); len(parts) >= 3 {
			id = parts[len(parts)-2]
			if h.Type == "listener" {
				id = parts[len(parts)-1]
			}
		} else {
			id = id[strings.LastIndexByte(id, ':')+1:]
		}
	}
	return id
}
