package scan

import "github.com/triad-security/triad/build/inspect"

// What records take in memory, near enough to hold many small ones of a hostile image to the
// budget that its layers share.

func (e *evidence) bytes() int64 {
	n := 256 + len(e.Text) + len(e.Owns)
	if e.Code != nil {
		n += len(e.Code.Set)
	}
	if e.Code != nil {
		n += len(e.Code.Set)
	}
	for _, name := range e.Files {
		n += 16 + len(name)
	}
	for i := range e.Packages {
		p := &e.Packages[i]
		// A package is copied and looked up by the merge: near three times itself.
		n += 1000 + 2*(len(p.Name)+len(p.Version)+len(p.Source)+len(p.Inner)) + len(p.Owns)
		for _, name := range p.Files {
			n += 2 * (16 + len(name))
		}
	}
	return int64(n)
}

func (r *record) bytes() int64 {
	n := r.layer.Bytes()
	for i := range r.Evidence {
		n += r.Evidence[i].bytes()
	}
	return n
}

func foundBytes(f *inspect.Found) int64 {
	return int64(1000 + 2*(len(f.Path)+len(f.Detail)+len(f.Title)+len(f.Fix)+len(f.ID)))
}

func (c *content) bytes() int64 {
	n := int64(0)
	for i := range c.Findings {
		n += foundBytes(&c.Findings[i])
	}
	return n
}
