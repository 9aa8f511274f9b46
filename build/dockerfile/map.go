package dockerfile

import (
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Step is one entry of an image's history and the instruction that made it.
type Step struct {
	// Layer it made, from 0; -1 for none.
	Layer int
	// Instructions that it may come from: one mostly, more where the file says the same twice
	// and nothing tells them apart, none where no line fits.
	Instructions []*Instruction
	// Base: it came with the image that FROM names.
	Base bool
}

// Mapping lays an image's history beside a Dockerfile.
type Mapping struct {
	// Stage that the image was built of; nil where none fits.
	Stage *Stage
	// Also are stages that fit just as well.
	Also  []*Stage
	Steps []Step
	// BaseLayers is how many layers came with the base image; -1 where that is not known.
	BaseLayers int
	// Found and Missing are how many instructions that make layers were found in the history.
	Found, Missing int
	// Reason says why there is no mapping, or what of it is not sure.
	Reason string
}

// maxTable of instructions times history entries that are laid side by side.
const maxTable = 4 << 20

// Map finds for each entry of an image's history the instruction that made it. target names
// the stage that was built; empty is the one that fits best, the last among equals. layers
// is how many layers the image has.
func (f *File) Map(history []v1.History, layers int, target string) *Mapping {
	out := &Mapping{BaseLayers: -1, Steps: make([]Step, len(history))}
	entries := make([]made, len(history))
	given := scope{}
	layer := 0
	for n, h := range history {
		entries[n] = readHistory(h)
		for _, a := range entries[n].args {
			given[a.Name] = variable{a.Value, true}
		}
		out.Steps[n].Layer = -1
		if !h.EmptyLayer {
			out.Steps[n].Layer = layer
			layer++
		}
	}
	switch {
	case len(f.Stages) == 0:
		out.Reason = f.Path + " has no FROM"
		return out
	case len(history) == 0:
		out.Reason = "the image has no history: its layers cannot be told by their steps"
		return out
	case layer != layers:
		out.Reason = fmt.Sprintf("the image's history has %d layers and the image %d: its layers cannot be told by their steps", layer, layers)
		return out
	}
	stages := slices.Clone(f.Stages)
	slices.Reverse(stages)
	if target != "" {
		s := f.Stage(target)
		if s == nil {
			out.Reason = fmt.Sprintf("%s has no stage %s", f.Path, clip(target))
			return out
		}
		stages = []*Stage{s}
	}
	var best *alignment
	for _, s := range stages {
		a := align(f.expectations(s, given), entries)
		a.stage = s
		switch {
		case !a.holds():
		case best == nil || a.score > best.score:
			best, out.Also = a, nil
		case a.score == best.score && a.differs(best):
			out.Also = append(out.Also, s)
		}
	}
	if best == nil {
		out.Reason = "no stage of " + f.Path + " fits the image's history: it was built of another Dockerfile, or of another version of it"
		return out
	}
	best.fill(out)
	return out
}

// alignment lays a stage's instructions beside a history, in order, so that most fits
// (Needleman-Wunsch; what stands in the history before the first instruction is the base's
// and costs nothing).
type alignment struct {
	stage    *Stage
	want     []expected
	have     []made
	fit      [][]int
	forward  [][]int32
	backward [][]int32
	score    int
}

// Costs of an instruction without an entry, and of an entry without an instruction once the
// first was found.
const (
	missing = 1
	extra   = 2
)

func align(want []expected, have []made) *alignment {
	a := &alignment{want: want, have: have, score: -1 << 30}
	n, m := len(want), len(have)
	if (n+1)*(m+1) > maxTable {
		return a
	}
	a.fit = make([][]int, n)
	for i := range want {
		a.fit[i] = make([]int, m)
		for j := range have {
			a.fit[i][j] = want[i].fits(&have[j])
		}
	}
	a.forward, a.backward = table(n, m), table(n, m)
	for i := 0; i <= n; i++ {
		for j := 0; j <= m; j++ {
			if i == 0 {
				continue // what comes before is free
			}
			v := a.forward[i-1][j] - missing
			if j > 0 {
				v = max(v, a.forward[i][j-1]-extra)
				if fit := a.fit[i-1][j-1]; fit > 0 {
					v = max(v, a.forward[i-1][j-1]+int32(fit)) //nolint:gosec // a score
				}
			}
			a.forward[i][j] = v
		}
	}
	for i := n; i >= 0; i-- {
		for j := m; j >= 0; j-- {
			if i == n && j == m {
				continue
			}
			v := int32(-1 << 30)
			if i < n {
				v = a.backward[i+1][j] - missing
			}
			if j < m {
				cost := int32(extra)
				if i == 0 {
					cost = 0
				}
				v = max(v, a.backward[i][j+1]-cost)
				if i < n && a.fit[i][j] > 0 {
					v = max(v, a.backward[i+1][j+1]+int32(a.fit[i][j])) //nolint:gosec // a score
				}
			}
			a.backward[i][j] = v
		}
	}
	a.score = int(a.forward[n][m])
	return a
}

func table(n, m int) [][]int32 {
	cells := make([]int32, (n+1)*(m+1))
	rows := make([][]int32, n+1)
	for i := range rows {
		rows[i] = cells[i*(m+1) : (i+1)*(m+1)]
	}
	return rows
}

// pairs reports whether a best alignment puts an entry beside an instruction.
func (a *alignment) pairs(i, j int) bool {
	return a.fit[i][j] > 0 && int(a.forward[i][j])+a.fit[i][j]+int(a.backward[i+1][j+1]) == a.score
}

// candidates are the instructions that an entry stands beside in a best alignment.
func (a *alignment) candidates(j int) (all []int) {
	for i := range a.want {
		if a.pairs(i, j) {
			all = append(all, i)
		}
	}
	return all
}

// holds: enough fits to say that the image was built of this stage. One instruction that
// makes a layer has to, and of those that do half.
func (a *alignment) holds() bool {
	if a.forward == nil {
		return false
	}
	found, missing := a.count()
	return found > 0 && found >= missing
}

// count follows one of the best alignments.
func (a *alignment) count() (found, missed int) {
	j := 0
	for i := range a.want {
		at := j
		for at < len(a.have) && !a.pairs(i, at) {
			at++
		}
		paired := at < len(a.have)
		if paired {
			j = at + 1
		}
		switch {
		case !a.want[i].layer:
		case paired:
			found++
		default:
			missed++
		}
	}
	return found, missed
}

// differs: the two stages are not made of the same instructions.
func (a *alignment) differs(b *alignment) bool {
	if len(a.want) != len(b.want) {
		return true
	}
	for i := range a.want {
		if a.want[i].i != b.want[i].i {
			return true
		}
	}
	return false
}

func (a *alignment) fill(out *Mapping) {
	out.Stage = a.stage
	out.Found, out.Missing = a.count()
	first, firstWant := -1, -1
	for j := range a.have {
		for _, i := range a.candidates(j) {
			out.Steps[j].Instructions = append(out.Steps[j].Instructions, a.want[i].i)
			if first < 0 {
				first, firstWant = j, i
			}
		}
	}
	// Where the first instructions were not found, where the base ends is known only if they
	// make no layer.
	sure := first >= 0
	for _, e := range a.want[:max(firstWant, 0)] {
		sure = sure && !e.layer
	}
	if sure {
		out.BaseLayers = 0
		for j := range first {
			out.Steps[j].Base = true
			if out.Steps[j].Layer >= 0 {
				out.BaseLayers++
			}
		}
	}
	var notes []string
	if out.Missing > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d instructions that make layers are not in the image's history: the Dockerfile was changed since", out.Missing, out.Found+out.Missing))
	}
	for _, s := range out.Also {
		notes = append(notes, fmt.Sprintf("the stage of line %d fits as well", s.From.Start))
	}
	out.Reason = strings.Join(notes, "; ")
}

// OfLayer is the step that made a layer; nil where none is known.
func (m *Mapping) OfLayer(layer int) *Step {
	for n := range m.Steps {
		if m.Steps[n].Layer == layer {
			return &m.Steps[n]
		}
	}
	return nil
}

// Lines says where a layer comes from, as "Dockerfile:12" or "Dockerfile:12-15", the line of
// FROM for those of the base; several with " or " between where the file does not tell
// them apart. Empty where no line is known.
func (m *Mapping) Lines(f *File, layer int) string {
	step := m.OfLayer(layer)
	if step == nil || m.Stage == nil {
		return ""
	}
	instructions := step.Instructions
	if step.Base {
		instructions = []*Instruction{m.Stage.Base().From}
	}
	lines := make([]string, len(instructions))
	for n, i := range instructions {
		lines[n] = fmt.Sprintf("%s:%d", f.Path, i.Start)
		if i.End > i.Start {
			lines[n] += fmt.Sprintf("-%d", i.End)
		}
	}
	return strings.Join(lines, " or ")
}

// BaseUser is the user that the base image's history last set; empty where it set none.
func (m *Mapping) BaseUser(history []v1.History) string {
	user := ""
	for n, s := range m.Steps {
		if h := readHistory(history[n]); s.Base && h.name == "USER" {
			user = h.body
		}
	}
	return user
}
