package risk

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/risk/decision"
)

// cause is one change that touched something.
type cause struct {
	text string
	at   time.Time
}

func causeOf(c triad.Change) cause {
	key := c.Key
	if c.Kind == triad.RowPackage || c.Kind == triad.RowFinding { // the scope or the decision names the asset
		if _, rest, ok := strings.Cut(key, "|"); ok {
			key = strings.TrimSuffix(rest, "|")
		}
	}
	return cause{fmt.Sprintf("change %d: %s %s of %s", c.Seq, c.Kind, key, c.Scope), c.At}
}

// everyCause names all the changes of a step, for what no single one can be named for.
func everyCause(causes []cause) string {
	all := make([]int, len(causes))
	for i := range all {
		all[i] = i
	}
	text, _ := causeText(all, causes)
	return text
}

// differences gathers what changed between the old and new states of subjects. A decision
// may leave one subject and come back on another: a container made anew under its old name.
type differences struct {
	e      *Engine
	causes []cause
	gone   map[string]difference
	come   map[string]difference
}

type difference struct {
	triad.Decision
	by []int
}

func (e *Engine) differences(causes []cause) *differences {
	return &differences{e: e, causes: causes, gone: map[string]difference{}, come: map[string]difference{}}
}

// replace notes the differences between a subject's old state and the new one.
func (d *differences) replace(id string, st *state, by []int) {
	old := d.e.states[id]
	var before, after []judged
	if old != nil {
		before = old.Judged
	}
	if st != nil {
		after = st.Judged
	}
	// Decisions are made of these alone; writing them out costs more than comparing.
	same := old != nil && st != nil && reflect.DeepEqual(old.Subject, st.Subject) && reflect.DeepEqual(old.Impact, st.Impact)
	// Both are ordered by ID.
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(after) == 0 || len(before) > 0 && before[0].ID < after[0].ID:
			d.gone[before[0].ID] = difference{old.decision(&before[0]), by}
			d.count(before[0].ID, -1)
			before = before[1:]
		case len(before) == 0 || after[0].ID < before[0].ID:
			d.come[after[0].ID] = difference{st.decision(&after[0]), by}
			d.count(after[0].ID, 1)
			after = after[1:]
		default:
			if same && reflect.DeepEqual(&before[0], &after[0]) {
				before, after = before[1:], after[1:]
				continue
			}
			was, is := old.decision(&before[0]), st.decision(&after[0])
			if !reflect.DeepEqual(was, is) {
				d.gone[is.ID], d.come[is.ID] = difference{was, by}, difference{is, by}
			}
			before, after = before[1:], after[1:]
		}
	}
}

func (d *differences) count(id string, n int) {
	k := d.e.known[id]
	k.subjects += n
	d.e.known[id] = k
}

// finish writes the differences into an update.
func (d *differences) finish(u *Update) {
	u.Cause = map[string]string{}
	for id, is := range d.come {
		was, had := d.gone[id]
		if had && reflect.DeepEqual(was.Decision, is.Decision) {
			continue
		}
		text, at := causeText(append(slices.Clone(was.by), is.by...), d.causes)
		k := d.e.known[id]
		if !had || was.Outcome != is.Outcome {
			k.since = at
			d.e.known[id] = k
		}
		is.Changed = k.since
		u.Put = append(u.Put, is.Decision)
		u.Cause[id] = text
	}
	for id, was := range d.gone {
		if d.e.known[id].subjects > 0 {
			continue
		}
		delete(d.e.known, id)
		u.Removed = append(u.Removed, id)
		u.Cause[id], _ = causeText(was.by, d.causes)
	}
	decision.Rank(u.Put)
	slices.Sort(u.Removed)
}

// causeText names the changes, oldest first, and the time of the last.
func causeText(by []int, causes []cause) (string, time.Time) {
	slices.Sort(by)
	by = slices.Compact(by)
	var texts []string
	var at time.Time
	for _, i := range by {
		if i < 0 || i >= len(causes) {
			continue
		}
		if causes[i].at.After(at) {
			at = causes[i].at
		}
		if t := causes[i].text; !slices.Contains(texts, t) {
			texts = append(texts, t)
		}
	}
	if len(texts) > 3 { // the graph keeps a few causes of each, not all
		texts = append(texts[:3], "and more")
	}
	return strings.Join(texts, "; "), at
}
