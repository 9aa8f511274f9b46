package path

import (
	"fmt"
	"io"
	"strings"

	"github.com/triad-security/triad"
)

// Draw writes the proof of a decision, one hop a line, evidence below it.
func Draw(w io.Writer, d *triad.Decision) error {
	p := &pen{w: w}
	for i := range d.Proof {
		p.hop(&d.Proof[i], "●")
	}
	switch {
	case d.BlockedBy != nil:
		p.hop(d.BlockedBy, "✕")
		for i := range d.AlsoBlockedBy {
			p.last = false
			p.line("  and %s", title(&d.AlsoBlockedBy[i]))
			if r := d.AlsoBlockedBy[i].Reason; r != "" {
				p.line("      %s", r)
			}
		}
	case d.Exposure == triad.ExposureUnknown:
		p.line("?  from here on it is not known:")
		for _, u := range d.Unread {
			p.line("   %s", unread(u))
		}
	case d.Port > 0 && d.Asset.Type != triad.TypeFunction:
		p.line("◎  %s, port %d", d.Asset.Name, d.Port)
	default:
		p.line("◎  %s", d.Asset.Name)
	}
	return p.err
}

type pen struct {
	w    io.Writer
	err  error
	last bool // a hop was drawn, so the next begins with its link
}

func (p *pen) line(format string, args ...any) {
	if p.err == nil {
		if p.last {
			_, p.err = fmt.Fprintln(p.w, "│")
			p.last = false
		}
		if p.err == nil {
			_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
		}
	}
}

func (p *pen) hop(h *triad.Hop, mark string) {
	p.line("%s  %s", mark, title(h))
	bar := "│"
	if mark == "✕" {
		bar = " "
	}
	if h.Reason != "" {
		p.line("%s    %s", bar, h.Reason)
	}
	if e := h.Evidence; e != nil {
		text := e.Detail
		if text == h.Reason { // said above
			text = ""
		}
		if e.Source != "" {
			text = strings.TrimPrefix(text+"  ("+where(e)+")", "  ")
		}
		p.line("%s    %s", bar, text)
	}
	p.last = mark != "✕"
}

func where(e *triad.Evidence) string {
	if e.Scope != "" {
		return e.Source + " of " + e.Scope
	}
	return e.Source
}

func title(h *triad.Hop) string {
	name := strings.ReplaceAll(h.Type, "-", " ")
	if h.ID == "" {
		return name
	}
	return name + "  " + h.ID
}

func unread(u triad.Unread) string {
	text := u.Section + ": " + u.Reason
	if u.Scope != "" {
		text = u.Scope + " " + text
	}
	return text
}
