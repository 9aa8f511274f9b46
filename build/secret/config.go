package secret

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/triad-security/triad"
)

// maxText bounds one string of a config, in bytes; what is beyond is masked, not looked at.
const maxText = 64 << 10

// Config looks at the environment, labels, history, command and user of an image. Each finding
// has in Path the place in the config: config/env/NAME, config/labels/NAME, config/history/3.
func (*Inspector) Config(ctx context.Context, c *v1.ConfigFile) ([]triad.Finding, error) {
	var found []triad.Finding
	add := func(place, text string) {
		hits := inspectText(text).settle()
		for i := range hits {
			hits[i].line = 0
		}
		for _, f := range findings(hits, place) {
			f.Evidence = []triad.Evidence{{Source: "image-config", Detail: place}}
			found = append(found, f)
		}
	}
	for _, env := range c.Config.Env {
		name, _, _ := strings.Cut(env, "=")
		add("config/env/"+clip(name, maxName), env)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Config.Labels)) {
		add("config/labels/"+clip(name, maxName), name+"="+c.Config.Labels[name])
	}
	add("config/entrypoint", strings.Join(c.Config.Entrypoint, " "))
	add("config/cmd", strings.Join(c.Config.Cmd, " "))
	add("config/user", c.Config.User)
	if c.Config.Healthcheck != nil {
		add("config/healthcheck", strings.Join(c.Config.Healthcheck.Test, " "))
	}
	for i, h := range c.History {
		add(fmt.Sprintf("config/history/%d", i), h.CreatedBy+"\n"+h.Comment)
	}
	return found, ctx.Err()
}

// inspectText looks at a short text.
func inspectText(s string) *sink {
	if len(s) > maxText {
		s = s[:maxText]
	}
	k := &sink{class: config, sniffed: true, name: "text", buf: []byte(s)}
	k.ctx = context.Background()
	k.look(true)
	return k
}

// Mask returns the text with the secrets in it hidden. It hides more than it would report:
// every value whose name or option says that it is secret. Masking twice changes nothing.
func Mask(s string) string {
	s = clip(s, maxText)
	hits := inspectText(s).found
	for _, a := range options([]byte(s)) {
		hits = append(hits, hit{start: int64(a.start), end: int64(a.end), masked: hidden})
	}
	if len(hits) == 0 {
		return s
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return int(a.start - b.start) })
	var b strings.Builder
	at := 0
	for _, h := range hits {
		if int(h.end) <= at {
			continue
		}
		if int(h.start) >= at {
			b.WriteString(s[at:h.start])
			b.WriteString(h.masked)
		}
		at = int(h.end)
	}
	b.WriteString(s[at:])
	return b.String()
}

// MaskArguments masks the arguments of a command, each for itself and as the value of the
// option before it. It returns a new list.
func MaskArguments(arguments []string) []string {
	var out []string
	for i, argument := range arguments {
		if i > 0 {
			option := arguments[i-1]
			if strings.HasPrefix(option, "--") && !strings.Contains(option, "=") && secretName(option) != notSecret && !strings.HasPrefix(argument, "-") && !strings.HasPrefix(argument, "/") && !strings.HasPrefix(argument, "$") {
				out = append(out, hidden)
				continue
			}
		}
		out = append(out, Mask(argument))
	}
	return out
}

// options returns the values whose name says that they are secret: NAME=value, name: value,
// --name value.
func options(data []byte) []assigned {
	var all []assigned
	words().scan(data, 0, len(data), func(pos, w int) {
		if !slices.ContainsFunc(words().words[w].rules, func(r int) bool { return strings.HasSuffix(rules()[r].id, "-assignment") }) {
			return
		}
		a, ok := readAssignment(data, pos)
		if !ok {
			a, ok = readOption(data, pos)
		}
		if !ok || secretName(a.name) == notSecret {
			return
		}
		value := data[a.start:a.end]
		if value[0] == '/' || value[0] == '$' || bytes.Contains(value, []byte(hidden)) {
			return
		}
		all = append(all, a)
	})
	return all
}

// readOption reads --name value around pos.
func readOption(data []byte, pos int) (assigned, bool) {
	from, i := pos, pos
	for from > 0 && pos-from < maxName && nameByte(data[from-1]) {
		from--
	}
	for i < len(data) && i-pos < maxName && nameByte(data[i]) {
		i++
	}
	a := assigned{name: string(data[from:i])}
	if !strings.HasPrefix(a.name, "--") || i >= len(data) || data[i] != ' ' {
		return a, false
	}
	for i < len(data) && (data[i] == ' ' || data[i] == '"' || data[i] == '\'') {
		i++
	}
	a.start = i
	for i < len(data) && data[i] > ' ' && data[i] != '"' && data[i] != '\'' {
		i++
	}
	a.end = i
	return a, a.end > a.start && data[a.start] != '-'
}
