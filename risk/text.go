package risk

import (
	"strings"

	"github.com/triad-security/triad"
)

// text says in words how exposed the way is.
func (w *way) text() string {
	to := ""
	if w.Port > 0 && w.Member != "" {
		to = " to port " + itoa(w.Port) + " of " + w.Member
	}
	switch w.Exposure {
	case triad.ExposureOpen:
		return "reachable from any internet address" + w.entrance() + to
	case triad.ExposureControlled:
		return "reachable from " + sources(w.Sources) + " only" + w.entrance() + to
	case triad.ExposureUnknown:
		return "whether the internet reaches it" + to + " is unknown (" + unreadText(w.Unread) + "), so it counts as open"
	}
	if w.BlockedBy == nil {
		return "not reachable from the internet" + to
	}
	text := "not reachable from the internet" + to + ": stopped at " + hop(*w.BlockedBy)
	if w.BlockedBy.Reason != "" {
		text += " (" + w.BlockedBy.Reason + ")"
	}
	return text
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
			for _, h := range w.AlsoBlockedBy {
				others = append(others, hop(h))
			}
			text += ", and " + strings.Join(others, ", ")
		}
		return text
	case triad.ExposureUnknown:
		return "reading " + unreadText(w.Unread)
	}
	if c := w.closing(); c != "" {
		return c + " would make it small"
	}
	return "closing any hop of its way"
}

// closing names the smallest change that closes the way: the hop that serves the fewest others.
func (w *way) closing() string {
	for i := len(w.Path) - 1; i >= 0; i-- {
		h := w.Path[i]
		switch h.Type {
		case "function-url":
			return "requiring AWS_IAM on the function's URL"
		case "published-port":
			return "publishing " + h.ID + " on 127.0.0.1 instead"
		case "host-port":
			return "removing host port " + h.ID
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
		return "closing security group " + h.ID + rule
	}
	for _, h := range w.Path {
		if h.Type == "resource-policy" {
			return "closing resource policy " + h.ID
		}
	}
	return ""
}
