package advisory

import (
	"strings"
	"time"
)

// Status says what the database holds, for people and programs.
type Status struct {
	Revision string    `json:"revision"`
	Created  time.Time `json:"created"`
	// Bytes of the generation file.
	Bytes      int64     `json:"bytes"`
	Ecosystems []Segment `json:"ecosystems"`
	Feeds      []Segment `json:"feeds"`
}

// Status reads what the current generation holds.
func (db *DB) Status() (Status, error) {
	g, done, err := db.Use()
	if err != nil {
		return Status{}, err
	}
	defer done()
	s := Status{Revision: g.Revision, Created: g.Created, Bytes: g.info.Size(), Ecosystems: []Segment{}, Feeds: []Segment{}}
	for _, seg := range g.Segments {
		switch {
		case strings.HasPrefix(seg.Name, "osv/"):
			seg.Name = strings.TrimPrefix(seg.Name, "osv/")
			s.Ecosystems = append(s.Ecosystems, seg)
		case seg.Name == segmentHints || seg.Name == segmentDelta || strings.HasPrefix(seg.Name, "hints/"):
		default:
			s.Feeds = append(s.Feeds, seg)
		}
	}
	return s, nil
}
