package risk

import (
	"strings"

	"github.com/triad-security/triad"
)

// text says in words how exposed the way is, as a sentence without its end.
func (w *way) text() string {
	it := "it"
	if w.Port > 0 && w.Member != "" && !w.invoked() {
		it = "port " + itoa(w.Port) + " of " + w.Member
	}
	switch w.Exposure {
	case triad.ExposureOpen:
		return it + " is reachable from any internet address" + w.entrance()
	case triad.ExposureControlled:
		return it + " is reachable from " + sources(w.Sources) + " only" + w.entrance()
	case triad.ExposureUnknown:
		return "whether the internet reaches " + it + " is unknown (" + unreadText(w.Unread) + "), so it counts as open"
	}
	if w.BlockedBy == nil {
		return it + " is not reachable from the internet"
	}
	text := it + " is not reachable from the internet: stopped at " + hop(*w.BlockedBy)
	if w.BlockedBy.Reason != "" {
		text += " (" + w.BlockedBy.Reason + ")"
	}
	return text
}

// invoked reports whether the way leads to a function, which has no port of its own.
func (w *way) invoked() bool {
	return len(w.Path) > 0 && w.Path[len(w.Path)-1].Type == "function"
}

func sources(list []string) string {
	switch {
	case len(list) == 0:
		return "listed addresses"
	case len(list) > 3:
		return strings.Join(list[:3], ", ") + " and " + itoa(len(list)-3) + " more ranges"
	}
	return strings.Join(list, ", ")
}

// entrance names the way in: its port, and what takes the packets in.
func (w *way) entrance() string {
	var text string
	if w.Result.Port > 0 {
		protocol := w.Protocol
		if protocol == "" {
			protocol = "tcp"
		}
		text = " on " + protocol + " " + itoa(w.Result.Port)
	}
	for _, h := range w.Path {
		switch h.Type {
		case "load-balancer", "function-url", "instance", "node":
			return text + " through " + hop(h)
		}
	}
	return text
}

func hop(h triad.Hop) string {
	name := strings.ReplaceAll(h.Type, "-", " ")
	switch {
	case h.ID == "":
		return name
	case h.Type == "load-balancer":
		// arn:…:loadbalancer/app/NAME/ID
		if parts := strings.Split(h.ID, "/"); len(parts) == 4 {
			return name + " " + parts[2]
		}
	}
	return name + " " + h.ID
}

// change says what would change the exposure.
func (w *way) change() string {
	switch w.Exposure {
	case triad.ExposureSmall:
		if w.BlockedBy == nil {
			return "a way from the internet to its port"
		}
		text := "opening " + hop(*w.BlockedBy)
		if n := len(w.AlsoBlockedBy); n > 0 {
			var others []string
			for _, h := range w.AlsoBlockedBy[:min(n, 4)] {
				others = append(others, hop(h))
			}
			text += " (also in the way: " + strings.Join(others, ", ") + ")"
		}
		return text
	case triad.ExposureUnknown:
		return "reading " + unreadText(w.Unread)
	}
	if c := w.closing(); c != "" {
		return "to " + c + " would make it small, unless another way is open"
	}
	return "closing any hop of its way"
}

// closing names the smallest change that closes the way, as a command: the hop that serves
// the fewest others.
func (w *way) closing() string {
	for i := len(w.Path) - 1; i >= 0; i-- {
		h := w.Path[i]
		switch h.Type {
		case "function-url":
			return "require AWS_IAM on the function's URL"
		case "published-port":
			return "publish " + h.ID + " on 127.0.0.1 instead"
		case "host-port":
			return "remove host port " + h.ID
		}
	}
	for _, h := range w.Path {
		if h.Type != "security-group" {
			continue
		}
		rule := ""
		if h.Evidence != nil && h.Evidence.Detail != "" {
			rule = "'s rule " + h.Evidence.Detail
		}
		return "close security group " + h.ID + rule
	}
	for _, h := range w.Path {
		if h.Type == "resource-policy" {
			return "close resource policy " + h.ID
		}
	}
	return ""
}
